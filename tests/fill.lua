--- Tensors filled by a rule that other programs can follow: a value depends on the tensor's name and the place in it.
-- @module fill
local lac = require "lac"

local fill = {}

-- FNV-1a, 32 bits.
local function hash(name)
  local h = 2166136261
  for i = 1, #name do h = ((h ~ name:byte(i)) * 16777619) & 0xffffffff end
  return h
end

--- (u - 0.5) scale + shift, u in [0, 1) in steps of 2^-24, in row-major order.
-- @tparam string name
-- @tparam table shape
-- @tparam number scale
-- @tparam[opt=0] number shift
-- @treturn tensor
function fill.tensor(name, shape, scale, shift)
  local seed, n, values = hash(name), 1, {}
  for _, d in ipairs(shape) do n = n * d end
  for j = 0, n - 1 do
    local x = (seed + (j + 1) * 2654435761) & 0xffffffff
    x = ((x ~ (x >> 15)) * 2246822519) & 0xffffffff
    x = ((x ~ (x >> 13)) * 3266489917) & 0xffffffff
    values[j + 1] = (((x ~ (x >> 16)) >> 8) / 2 ^ 24 - 0.5) * scale + (shift or 0)
  end
  local flat <close> = lac.tensor(values)
  return flat:reshape(shape):contiguous()
end

return fill
