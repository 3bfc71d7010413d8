local lac = require "lac"
local check = require "check"

local T = {}

local function wave(n, phase)
  local row = {}
  for i = 1, n do row[i] = 2 * math.sin(1.3 * i + phase) end
  return row
end

local function reference(rows, size, alpha, beta, k)
  local out = {}
  for r, row in ipairs(rows) do
    out[r] = {}
    for c = 1, #row do
      local sum = 0
      for i = c - size // 2, c + (size - 1) // 2 do sum = sum + (row[i] or 0) ^ 2 end
      out[r][c] = row[c] / (k + alpha / size * sum) ^ beta
    end
  end
  return out
end

function T.three_channels_by_hand()
  local scope <close> = lac.scope()
  local y = lac.local_response_norm(lac.tensor {{1, 2, 3}}, {size = 3, alpha = 3, beta = 1, k = 1})
  check.close(y, {{1 / 6, 2 / 15, 3 / 14}}, 1e-6)
  local z = lac.local_response_norm(lac.tensor {{1, 2, 3}}, {size = 2, alpha = 2, beta = 0.5, k = 4})
  check.close(z, {{1 / 5 ^ 0.5, 2 / 9 ^ 0.5, 3 / 17 ^ 0.5}}, 1e-6)
end

function T.results_agree_with_plain_loops_and_gradients_with_differences()
  for _, n in ipairs {1, 2, 7, 20} do
    for size = 1, 6 do
      local rows, o = {wave(n, 1), wave(n, 2)}, {size = size, alpha = 0.5, beta = 0.75, k = 2}
      local scope <close> = lac.scope()
      check.close(lac.local_response_norm(lac.tensor(rows), o), reference(rows, size, 0.5, 0.75, 2), 1e-5)
      check.grad(function(x) return lac.local_response_norm(x, o) + lac.local_response_norm(x, o) end, {rows})
    end
  end
end

function T.defaults_are_pytorchs()
  local scope <close> = lac.scope()
  local rows = {{100, -200, 300, 400, 50, 60}}
  check.close(lac.local_response_norm(lac.tensor(rows)), reference(rows, 5, 1e-4, 0.75, 1), 1e-3)
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x = lac.zeros {1, 2}
  check.fails("local_response_norm: size must be from 1 to .* got 0", lac.local_response_norm, x, {size = 0})
  check.fails("k must be > 0 and alpha >= 0, got 0 and", lac.local_response_norm, x, {k = 0})
  check.fails("unknown option 'eps'", lac.local_response_norm, x, {eps = 0})
  check.fails("a scalar has no channels", lac.local_response_norm, lac.tensor(1))
  check.equal(lac.local_response_norm(lac.zeros {0, 3}):shape(), {0, 3})
end

return T
