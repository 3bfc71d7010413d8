--- What masks of the published TensorFlow program leave of their variables.
-- @module train.variable_mask
local lac = require "lac"

local function shape_of(x)
  return table.concat(x:shape(), ", ")
end

--- A variable times its mask: zeros and ones, or else logits, of which those above 0 keep.
-- @tparam tensor x
-- @tparam tensor mask
-- @tparam string name of the mask
-- @tparam string path quoted in messages
-- @treturn tensor
-- @raise where the shapes differ
return function(x, mask, name, path)
  if shape_of(mask) ~= shape_of(x) then
    error(("%s: the mask %s is [%s], but its variable [%s]"):format(path, name, shape_of(mask), shape_of(x)), 0)
  end
  local scope <close> = lac.scope()
  local fixed = (mask * mask - mask):abs():max():item() == 0
  return scope:keep(x * (fixed and mask or mask:sigmoid():greater(0.5)) + 0) -- a dropped weight is 0, not -0
end
