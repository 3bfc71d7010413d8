--- A stack of layers, some of which may be the same one: "layers.<i>" of a module.
--
-- A layer that is used at several places has its parameters at the first of them.
-- @module nn.layers
local Module = require "nn.module"

local layers = {}

--- @tparam nn.Module module gets the part "layers"
-- @tparam table order the number of the layer at each place: {0, 0, 1, 1} uses two layers twice each
-- @tparam function make gives a new layer
-- @treturn table the layer at each place
-- @treturn table list of the layers that differ
function layers.add(module, order, make)
  local list, places, distinct, known = module:add("layers", Module()), {}, {}, {}
  for i, number in ipairs(order) do
    if not known[number] then
      known[number] = list:add(tostring(i - 1), make())
      distinct[#distinct + 1] = known[number]
    end
    places[i] = known[number]
  end
  return places, distinct
end

return layers
