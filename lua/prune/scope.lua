--- How many weights go where: the target shared out over tensors.
--
-- * "global": one ranking over all tensors (class-blind)
-- * "layer": each tensor by itself, all with the same share (class-uniform)
-- * "er", "erk": each tensor by itself; the share that stays is proportional to (out + in) / (out in), and for
--   convolutions with erk (out + in + height + width) / (out in height width); a tensor that would keep more than
--   all of its weights stays dense. Mocanu et al. 2018, "Scalable training of artificial neural networks with
--   adaptive sparse connectivity", equation 2; Evci et al. 2020, "Rigging the lottery", section 3.
-- * {["core.*"] = 0.9, ...}: each tensor that a pattern matches (core.select) by itself, to that share at the end
--
-- A number of zeros is the floor of share times size.
-- @module prune.scope
local blame = require "core.blame"
local keys = require "core.keys"
local select = require "core.select"
local suggest = require "core.suggest"

local scope = {}

local NAMES = {"global", "layer", "er", "erk"}

--- @tparam string|table kind
-- @tparam string name of the method, for messages
function scope.check(kind, name)
  if type(kind) == "table" then
    if next(kind) == nil then blame(name .. ".scope: an empty table prunes nothing") end
    for pattern, share in pairs(kind) do
      if type(pattern) ~= "string" or type(share) ~= "number" or not (share >= 0 and share < 1) then
        blame(('%s.scope: a table is of patterns and shares of zeros in [0, 1), as in {["core.*"] = 0.9}; got %s = %s')
          :format(name, tostring(pattern), tostring(share)))
      end
    end
    return
  end
  for _, known in ipairs(NAMES) do
    if kind == known then return end
  end
  blame(('%s: there is no scope "%s"%s; there are %s, or a table of patterns and shares'):format(name, tostring(kind),
    suggest.hint(tostring(kind), NAMES), table.concat(NAMES, ", ")))
end

local function size_of(parts)
  local size = 0
  for _, part in ipairs(parts) do size = size + part.size end
  return size
end

-- What a tensor's density is proportional to.
local function raw_density(shape, kernel)
  local outputs, inputs = shape[1], shape[2] or 1
  local sum, product = outputs + inputs, outputs * inputs
  for i = 3, #shape do
    sum, product = sum + (kernel and shape[i] or 0), product * (kernel and shape[i] or 1)
  end
  return sum / product
end

-- Densities that sum to the wanted number of weights; what would exceed 1 is 1.
local function densities(parts, keep, kernel)
  local raw, dense = {}, {}
  for i, part in ipairs(parts) do raw[i] = raw_density(part.shape, kernel) end
  while true do
    local wanted, weight = keep, 0
    for i, part in ipairs(parts) do
      if dense[i] then wanted = wanted - part.size else weight = weight + raw[i] * part.size end
    end
    local factor, again = weight > 0 and wanted / weight or 0, false
    for i in ipairs(parts) do
      if not dense[i] and raw[i] * factor > 1 then dense[i], again = true, true end
    end
    if not again then
      local out = {}
      for i in ipairs(parts) do out[i] = dense[i] and 1 or math.max(0, raw[i] * factor) end
      return out
    end
  end
end

local function alone(parts, size, share)
  return {parts = parts, share = share, zeros = math.floor(share * size)}
end

local function each_alone(parts, share_of)
  local groups = {}
  for i, part in ipairs(parts) do groups[i] = alone({part}, part.size, share_of(i)) end
  return groups
end

local function by_pattern(parts, kind, progress, name)
  local names, share = {}, {}
  for i, part in ipairs(parts) do names[i] = part.name end
  for _, pattern in ipairs(keys(kind)) do
    local good, picked = pcall(select.pick, names, pattern)
    if not good then blame(("%s.scope: %s"):format(name, picked)) end
    for found in pairs(picked) do
      if share[found] then
        blame(('%s.scope: %s is matched by "%s" and by another pattern'):format(name, found, pattern))
      end
      share[found] = kind[pattern]
    end
  end
  local matched = {}
  for _, part in ipairs(parts) do
    if share[part.name] then matched[#matched + 1] = part end
  end
  return each_alone(matched, function(i) return share[matched[i].name] * progress end)
end

--- Share a sparsity out.
-- @tparam string|table kind
-- @tparam table parts of {name, size, shape}: what may be pruned
-- @tparam number sparsity share of zeros among these; for a table of patterns how far its shares are reached, 0 .. 1
-- @tparam string name of the method, for messages
-- @treturn table list of {parts, share, zeros}; each group is ranked by itself
function scope.groups(kind, parts, sparsity, name)
  if type(kind) == "table" then return by_pattern(parts, kind, sparsity, name) end
  if kind == "global" then return {alone(parts, size_of(parts), sparsity)} end
  if kind == "layer" then return each_alone(parts, function() return sparsity end) end
  local density = densities(parts, (1 - sparsity) * size_of(parts), kind == "erk")
  return each_alone(parts, function(i) return 1 - density[i] end)
end

--- The share of zeros over all parts that a table of patterns comes to in the end.
function scope.share(kind, parts, name)
  local zeros = 0
  for _, group in ipairs(by_pattern(parts, kind, 1, name)) do zeros = zeros + group.zeros end
  return zeros / size_of(parts)
end

return scope
