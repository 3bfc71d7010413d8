local lac = require "lac"
local check = require "check"

local T = {}

-- Numbers that are no pattern, the same for a seed.
local function numbers(seed, rows, columns)
  local out = {}
  for r = 1, rows do
    out[r] = {}
    for c = 1, columns do
      seed = seed + 1
      out[r][c] = math.sin(seed * seed * 0.37 + seed) * 0.9
    end
  end
  return out
end

-- What the equations say, a scalar at a time. `kept`: [row][head][key] -> factor of a probability.
local function reference(a, kept)
  local y, d, dv = {}, #a.q[1] // a.heads, #a.v[1] // a.heads
  for s = 1, #a.keys do
    local first, keys = a.keys[s][1], a.keys[s][2]
    for row = a.queries[s] + 1, a.queries[s + 1] do
      local place = row - a.queries[s]
      y[row] = {}
      for h = 1, a.heads do
        local w, total = {}, 0
        for j = 1, a.causal and place or keys do
          local dot = 0
          for c = (h - 1) * d + 1, h * d do dot = dot + a.q[row][c] * a.k[first + j][c] end
          w[j] = math.exp(dot / math.sqrt(d) + (a.bias and a.bias[s][h][place][j] or 0))
          total = total + w[j]
        end
        for c = (h - 1) * dv + 1, h * dv do
          local sum = 0
          for j = 1, #w do sum = sum + w[j] / total * (kept and kept(row, h, j) or 1) * a.v[first + j][c] end
          y[row][c] = sum
        end
      end
    end
  end
  return y
end

-- Cases of segments: rows of q and k, and what is asked for.
local CASES = {
  one = {rows = 3, keys_of = 4, heads = 2, d = 6, dv = 4, queries = {0, 3}, keys = {{0, 4}}},
  uneven = {rows = 7, keys_of = 9, heads = 3, d = 6, dv = 9, queries = {0, 1, 5, 5, 7},
            keys = {{5, 4}, {0, 1}, {0, 0}, {1, 3}}},
  shared = {rows = 6, keys_of = 8, heads = 2, d = 4, dv = 4, queries = {0, 2, 3, 6}, keys = {{4, 4}, {0, 3}, {4, 4}}},
  overlapping = {rows = 5, keys_of = 6, heads = 1, d = 3, dv = 2, queries = {0, 2, 4, 5}, keys = {{2, 4}, {0, 3}, {1, 2}}},
  causal = {rows = 9, keys_of = 9, heads = 2, d = 4, dv = 4, causal = true, queries = {0, 5, 6, 9},
            keys = {{0, 5}, {5, 1}, {6, 3}}},
  width_one = {rows = 4, keys_of = 4, heads = 3, d = 3, dv = 3, causal = true, queries = {0, 3, 4}, keys = {{0, 3}, {3, 1}}},
  wide = {rows = 2, keys_of = 3, heads = 1, d = 70, dv = 67, queries = {0, 2}, keys = {{0, 3}}},
  many_keys = {rows = 2, keys_of = 140, heads = 2, d = 4, dv = 2, queries = {0, 1, 2}, keys = {{0, 140}, {3, 70}}},
  many_queries = {rows = 140, keys_of = 140, heads = 1, d = 2, dv = 2, causal = true, queries = {0, 137, 140},
                  keys = {{0, 137}, {137, 3}}},
  decoding = {rows = 4, keys_of = 20, heads = 2, d = 32, dv = 32, queries = {0, 1, 2, 3, 4},
              keys = {{0, 3}, {5, 3}, {10, 3}, {15, 3}}},
}

local function case(name)
  local c = {}
  for k, v in pairs(CASES[name]) do c[k] = v end
  c.q, c.k, c.v = numbers(1, c.rows, c.d), numbers(400, c.keys_of, c.d), numbers(900, c.keys_of, c.dv)
  return c
end

-- More room than the largest segment needs, filled with what must not be looked at.
local function bias_of(c)
  local most_queries, most_keys, bias = 0, 0, {}
  for s = 1, #c.keys do
    most_queries = math.max(most_queries, c.queries[s + 1] - c.queries[s])
    most_keys = math.max(most_keys, c.keys[s][2])
  end
  for s = 1, #c.keys do
    bias[s] = {}
    for h = 1, c.heads do bias[s][h] = numbers(s * 77 + h * 13, most_queries, most_keys + 1) end
  end
  return bias
end

local function attend(c, q, k, v, bias)
  return lac.attend {q = q, k = k, v = v, heads = c.heads, queries = c.queries, keys = c.keys, causal = c.causal,
                     bias = bias, dropout = c.dropout, rng = c.rng}
end

local function names()
  local list = {}
  for name in pairs(CASES) do list[#list + 1] = name end
  table.sort(list)
  return list
end

function T.it_follows_its_equations_in_all_kinds_of_segments()
  for _, name in ipairs(names()) do
    local scope <close> = lac.scope()
    local c = case(name)
    check.close(attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v)), reference(c), 1e-5)
    c.bias = bias_of(c)
    check.close(attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(c.bias)), reference(c), 1e-5)
  end
end

function T.gradients_match_finite_differences()
  for _, name in ipairs {"one", "uneven", "shared", "overlapping", "causal", "width_one"} do
    local c = case(name)
    check.grad(function(q, k, v) return attend(c, q, k, v) end, {c.q, c.k, c.v})
    check.grad(function(q, k, v, bias) return attend(c, q, k, v, bias) end, {c.q, c.k, c.v, bias_of(c)})
  end
end

return T
