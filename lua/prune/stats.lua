--- How sparse a model is: per parameter that pruning touches (not those of a frozen encoder), and in total.
--
-- A masked parameter counts what its mask keeps (trained masks rounded), another one its values that are not 0.
-- Reading the counts waits for the device.
-- @module prune.stats
local lac = require "lac"

local stats = {}

--- How many weights of one parameter are left.
-- @tparam nn.Param param
-- @treturn integer
function stats.kept(param)
  local scope <close> = lac.scope()
  local kept = param.mask and param.mask:kept(param.value) or param.value:abs():greater(0):sum()
  return math.tointeger(kept:item())
end

--- How many weights of one parameter are not 0, masks multiplied in: what an exported model holds. A weight that came
-- back and is still 0 is kept, and not among these.
-- @tparam nn.Param param
-- @treturn integer
function stats.nonzeros(param)
  local scope <close> = lac.scope()
  return math.tointeger(param:pruned():abs():greater(0):sum():item())
end

--- @tparam nn.Module model
-- @tparam[opt=stats.kept] function count of a parameter: stats.kept or stats.nonzeros
-- @treturn table {{name =, size =, kept =, sparsity =, masked =}, ..., size =, kept =, sparsity =}: the list in
-- canonical order, and the totals; sparsity is the share of zeros, 0 where there is nothing; masked, whether there is
-- a mask
function stats.of(model, count)
  count = count or stats.kept
  local out = {size = 0, kept = 0}
  for _, p in ipairs(model:parameters()) do
    if p.param:prunable() then
      local size, kept = p.param:numel(), count(p.param)
      out[#out + 1] = {name = p.name, size = size, kept = kept, sparsity = size > 0 and 1 - kept / size or 0,
                       masked = p.param.mask ~= nil}
      out.size, out.kept = out.size + size, out.kept + kept
    end
  end
  out.sparsity = out.size > 0 and 1 - out.kept / out.size or 0
  return out
end

--- The layers that pruning has all but removed: masked, with fewer than 0.1 % of their weights left.
-- @tparam table sparsity from of
-- @treturn table the rows of these
function stats.collapsed(sparsity)
  local list = {}
  for _, layer in ipairs(sparsity) do
    if layer.masked and layer.kept < layer.size / 1000 then list[#list + 1] = layer end
  end
  return list
end

--- Whether the number of weights left is within 5 % of what the target asks for, as the best checkpoint demands.
-- @tparam number sparsity
-- @tparam number target
-- @treturn boolean
function stats.reached(sparsity, target)
  return math.abs(sparsity - target) / (1 - target) <= 0.05
end

return stats
