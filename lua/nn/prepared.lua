--- Weights in the form that many products like, and their end:
--
--     local prepared <close> = Prepared()
--     local w = prepared(layer.weight:weights())
-- @module nn.prepared
local lac = require "lac"
local class = require "core.class"

local Prepared = class("Prepared")

function Prepared:init()
  self.weights = {}
end

--- @tparam tensor|weights weight
-- @treturn weights for lac.linear
function Prepared:__call(weight)
  local made = lac.prepare(weight)
  table.insert(self.weights, made)
  return made
end

function Prepared:close()
  for _, weights in ipairs(self.weights) do weights:close() end
end

Prepared.__close = Prepared.close

--- What leaves weights as they are, in place of one.
function Prepared.none(weight)
  return weight
end

return Prepared
