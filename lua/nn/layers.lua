--- A stack of layers, some of which may be the same one: "layers.<i>" of a module.
--
-- A layer that is used at several places has its parameters at the first of them. As in the published program layers
-- begin as copies of one, whose matrices are drawn anew: their biases start equal.
-- @module nn.layers
local Module = require "nn.module"

local layers = {}

-- What has one dimension starts as in the first layer.
local function start_like(first, layer)
  local models = first:parameters()
  for i, p in ipairs(layer:parameters()) do
    if #p.param.shape == 1 then p.param.like = models[i].param end
  end
end

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
      if #distinct > 1 then start_like(distinct[1], known[number]) end
    end
    places[i] = known[number]
  end
  return places, distinct
end

return layers
