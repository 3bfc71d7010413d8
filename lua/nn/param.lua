--- A parameter: a shape, its initial distribution, its value on the device, and maybe a mask.
-- The value is made when the model is initialised or loaded, so a loaded model draws no numbers.
-- @module nn.param
local class = require "core.class"

local Param = class("Param")

--- @tparam table shape
-- @tparam function init (rng, shape) -> tensor
-- @tparam[opt] table options maskable: whether pruning may touch it (weights yes, biases no)
function Param:init(shape, init, options)
  self.shape = shape
  self.fill = init
  self.maskable = options and options.maskable or false
end

--- Number of elements.
function Param:numel()
  local n = 1
  for _, d in ipairs(self.shape) do n = n * d end
  return n
end

--- Take over a tensor as the value, closing the one before.
-- @tparam tensor value of this parameter's shape; nil lets the value go
function Param:set(value)
  if value then
    local shape = value:shape()
    local same = #shape == #self.shape
    for i, d in ipairs(self.shape) do same = same and shape[i] == d end
    if not same then
      error(("expected shape [%s], got [%s]"):format(table.concat(self.shape, ", "), table.concat(shape, ", ")), 2)
    end
    value:requires_grad(true)
  end
  if self.value then self.value:close() end
  self.value = value
end

--- Attach a mask of zeros and ones, or remove it with nil; an earlier one is closed.
function Param:set_mask(mask)
  if self.mask then self.mask:close() end
  self.mask = mask
end

--- What a layer computes with: the value, times the mask where there is one.
-- @treturn tensor made under the current tape where there is a mask
function Param:tensor()
  if not self.value then error("this parameter has no value: initialise or load the model first", 2) end
  if self.mask then return self.value * self.mask end
  return self.value
end

return Param
