--- Philox 4x32-10 in plain Lua, for tests of what is drawn.
-- @module philox

-- The four words at a counter.
return function(seed, stream, counter)
  local M = 0xffffffff
  local x = {counter & M, counter >> 32, stream & M, stream >> 32}
  local k0, k1 = seed & M, seed >> 32
  for _ = 1, 10 do
    local p, q = 0xD2511F53 * x[1], 0xCD9E8D57 * x[3]
    x = {(q >> 32) ~ x[2] ~ k0, q & M, (p >> 32) ~ x[4] ~ k1, p & M}
    k0, k1 = (k0 + 0x9E3779B9) & M, (k1 + 0xBB67AE85) & M
  end
  return x
end
