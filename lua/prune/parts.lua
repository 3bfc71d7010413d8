--- What a method works on: the parameters that pruning may touch, and which of them are frozen.
-- @module prune.parts
local blame = require "core.blame"
local select = require "core.select"

--- @tparam nn.Module model
-- @tparam string|table freeze patterns of names, see core.select
-- @tparam string name of the method, for messages
-- @treturn table active list of {name, param, size, shape} in canonical order
-- @treturn table frozen likewise
-- @treturn integer size of all of them together
-- @treturn table names that patterns may mean: those, and weights of a frozen encoder, where they have no effect
-- @raise for a pattern that matches nothing, or when nothing is left to prune
return function(model, freeze, name)
  local list, names, size = {}, {}, 0
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then names[#names + 1] = p.name end
    if p.param:prunable() then
      list[#list + 1] = {name = p.name, param = p.param, size = p.param:numel(), shape = p.param.shape}
      size = size + p.param:numel()
    end
  end
  if #list == 0 then blame(name .. ": the model has no weight that pruning may touch") end
  local good, picked = pcall(select.pick, names, freeze)
  if not good then blame(("%s.freeze: %s"):format(name, picked)) end
  local active, frozen = {}, {}
  for _, part in ipairs(list) do table.insert(picked[part.name] and frozen or active, part) end
  if #active == 0 then blame(name .. ".freeze: everything is frozen; nothing would be pruned") end
  return active, frozen, size, names
end
