--- Values that a rule gives, so that golden files of large networks need not hold them: `rule` and `fill` of
-- tests/golden/encoders.py.
-- @module ruled
local lac = require "lac"

local ruled = {}

local PERIOD = 4093

local numbers
local function pattern()
  if numbers then return numbers end
  numbers = {}
  local s = 1
  for i = 1, PERIOD do
    s = (s * 1103515245 + 12345) % (1 << 31)
    numbers[i] = s / (1 << 30) - 1
  end
  return numbers
end

-- The bytes of a long run of the pattern, which starts where the name says.
local function bytes(name, count, map)
  local start, parts, list = 0, {}, pattern()
  for i = 1, #name do start = start + i * name:byte(i) end
  for i = 0, math.min(PERIOD, count) - 1 do parts[i + 1] = string.pack("<f", map(list[(start + i) % PERIOD + 1])) end
  local once = table.concat(parts)
  return once:rep(count // #parts) .. once:sub(1, 4 * (count % #parts))
end

local function numel(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

--- Pattern times scale plus shift.
-- @treturn tensor
function ruled.values(name, shape, scale, shift)
  scale, shift = scale or 1, shift or 0
  return lac.from_bytes(bytes(name, numel(shape), function(p) return p * scale + shift end), shape)
end

-- Offsets of a normalisation: from 1 to 1.2, every fourth from -1.2 to -1.
local function away(name, shape)
  local found, list = {}, pattern()
  local start = 0
  for i = 1, #name do start = start + i * name:byte(i) end
  for i = 0, shape[1] - 1 do
    found[i + 1] = (1.1 + 0.1 * list[(start + i) % PERIOD + 1]) * (i % 4 == 3 and -1 or 1)
  end
  return lac.tensor(found)
end

--- Values for every tensor of a network.
function ruled.fill(model)
  local shapes = {}
  for _, p in ipairs(model:tensors()) do
    local name, shape = p.name, p.param.shape
    shapes[name] = shape
    local weight = shapes[name:gsub("bias$", "weight")]
    if name:find "running_var$" then
      p.param:set(ruled.values(name, shape, 0.5, 1))
    elseif name:find "weight$" and #shape == 1 then
      p.param:set(ruled.values(name, shape, 0.05, 0.2))
    elseif name:find "bias$" and weight and #weight == 1 then
      p.param:set(away(name, shape))
    elseif #shape == 1 then
      p.param:set(ruled.values(name, shape, 0.2))
    else
      p.param:set(ruled.values(name, shape, (6 / (numel(shape) // shape[1])) ^ 0.5))
    end
  end
end

return ruled
