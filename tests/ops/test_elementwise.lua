local lac = require "lac"
local check = require "check"

local T = {}

local X = {-2, -0.6, 0.3, 1.4}

-- name -> plain Lua formula and the points it is tested at
local unary = {
  neg = {function(v) return -v end, X},
  exp = {math.exp, X},
  log = {math.log, {0.2, 1, 3.5}},
  sqrt = {math.sqrt, {0.2, 1, 3.5}},
  square = {function(v) return v * v end, X},
  abs = {math.abs, X},
  reciprocal = {function(v) return 1 / v end, {-2, -0.6, 0.8, 1.4}},
  relu = {function(v) return math.max(v, 0) end, X},
  tanh = {function(v) return (math.exp(2 * v) - 1) / (math.exp(2 * v) + 1) end, X},
  sigmoid = {function(v) return 1 / (1 + math.exp(-v)) end, X},
  gelu = {function(v) -- Phi by Simpson's rule from 0 to v
    local n, sum = 200, 0
    for i = 0, n do
      local t = v * i / n
      sum = sum + ((i == 0 or i == n) and 1 or i % 2 == 1 and 4 or 2) * math.exp(-t * t / 2)
    end
    return v * (0.5 + sum * v / n / 3 / math.sqrt(2 * math.pi))
  end, X},
}

function T.unary_maps_give_their_formula()
  for name, case in pairs(unary) do
    local x <close> = lac.tensor(case[2])
    local y <close> = x[name](x)
    local want = {}
    for i, v in ipairs(case[2]) do want[i] = case[1](v) end
    check.close(y, want, 1e-5)
  end
end

function T.unary_gradients_match_finite_differences()
  for name, case in pairs(unary) do
    check.grad(function(x) return x[name](x) end, case[2], {tolerance = 5e-3})
  end
end

function T.gelu_is_right_far_from_zero_too()
  local x <close> = lac.tensor {-100, -20, -5, -1e-3, 0, 1e-3, 5, 20, 100, 0 / 0}
  local y <close> = x:gelu()
  check.close(y, {0, 0, -5 * 2.866516e-7, -4.996011e-4, 0, 5.003989e-4, 5 - 5 * 2.866516e-7, 20, 100, 0 / 0}, 1e-6)
end

function T.scale_and_clamp_give_values_and_gradients()
  local x <close> = lac.tensor(X)
  local y <close> = x:scale(2, 1)
  local z <close> = x:clamp(-1, 1)
  check.close(y, {-3, -0.2, 1.6, 3.8})
  check.close(z, {-1, -0.6, 0.3, 1})
  check.grad(function(v) return v:scale(2, 1) end, X)
  check.grad(function(v) return v:clamp(-1, 1) end, X)
  check.fails("clamp: low must be <= high, got 2 and 1", x.clamp, x, 2, 1)
end

local binary = {
  add = function(p, q) return p + q end,
  sub = function(p, q) return p - q end,
  mul = function(p, q) return p * q end,
  div = function(p, q) return p / q end,
  maximum = math.max,
  minimum = math.min,
}

function T.binary_maps_of_equal_shapes_give_their_formula()
  local p, q = {1, -2, 3.5, 0.25}, {0.5, 4, -3, 2}
  for name, formula in pairs(binary) do
    local a <close> = lac.tensor(p)
    local b <close> = lac.tensor(q)
    local y <close> = a[name](a, b)
    local want = {}
    for i = 1, 4 do want[i] = formula(p[i], q[i]) end
    check.close(y, want)
  end
end

function T.binary_maps_broadcast_rows_columns_and_scalars()
  local a <close> = lac.tensor {{1, 2, 3}, {4, 5, 6}}
  local row <close> = lac.tensor {10, 20, 30}
  local column <close> = lac.tensor {{100}, {200}}
  local scalar <close> = lac.tensor(7)
  local y1 <close> = a + row
  local y2 <close> = a + column
  local y3 <close> = a + scalar
  local y4 <close> = row + column
  check.close(y1, {{11, 22, 33}, {14, 25, 36}})
  check.close(y2, {{101, 102, 103}, {204, 205, 206}})
  check.close(y3, {{8, 9, 10}, {11, 12, 13}})
  check.close(y4, {{110, 120, 130}, {210, 220, 230}})
end

function T.binary_gradients_match_finite_differences_with_and_without_broadcasting()
  local full, row, column = {{1, 2, 3}, {-4, 5, 0.6}}, {0.7, -2, 3.3}, {{1.5}, {-0.8}}
  for name in pairs(binary) do
    local function f(a, b) return a[name](a, b) end
    check.grad(f, {full, {{0.5, 1.5, -2}, {3, 0.9, 2}}}, {tolerance = 5e-3})
    check.grad(f, {full, row}, {tolerance = 5e-3})
    check.grad(f, {full, column}, {tolerance = 5e-3})
    check.grad(f, {column, row}, {tolerance = 5e-3})
    check.grad(f, {full, 2.5}, {tolerance = 1e-2})
  end
end

function T.shapes_that_do_not_broadcast_are_refused()
  local a <close> = lac.tensor {{1, 2, 3}, {4, 5, 6}}
  local b <close> = lac.tensor {1, 2}
  check.fails("add: shapes %[2, 3%] and %[2%] do not broadcast", a.add, a, b)
end

function T.nan_is_not_swallowed()
  local x <close> = lac.tensor {0 / 0, 1}
  for _, name in ipairs {"relu", "neg", "tanh", "abs"} do
    local y <close> = x[name](x)
    local t = y:totable()
    check.yes(t[1] ~= t[1], name .. " swallows NaN")
  end
  local y <close> = x:clamp(-1, 1)
  check.yes(y:totable()[1] ~= y:totable()[1])
end

function T.numbers_mix_with_tensors_in_operators()
  local x <close> = lac.tensor {1, 2, 4}
  local r1 <close> = x + 1
  local r2 <close> = 1 - x
  local r3 <close> = x - 1
  local r4 <close> = 3 * x
  local r5 <close> = x / 2
  local r6 <close> = 2 / x
  local r7 <close> = -x
  check.close(r1, {2, 3, 5})
  check.close(r2, {0, -1, -3})
  check.close(r3, {0, 1, 3})
  check.close(r4, {3, 6, 12})
  check.close(r5, {0.5, 1, 2})
  check.close(r6, {2, 1, 0.5})
  check.close(r7, {-1, -2, -4})
end

function T.operators_with_numbers_have_gradients()
  check.grad(function(x) return (1 - x) * 3 + x / 2 - 2 / x end, {1.1, -2, 3}, {tolerance = 5e-3})
end

function T.types_convert_both_ways()
  local x <close> = lac.tensor({1, -2, 300}, "i32")
  local y <close> = x:to_f32()
  check.equal(y:dtype(), "f32")
  check.close(y, {1, -2, 300})
  local f <close> = lac.tensor {1.9, -1.9, 0 / 0, 3e9, -3e9}
  local i <close> = f:to_i32()
  check.equal(i, {1, -1, 0, 2147483647, -2147483648})
  check.fails("relu: x must be f32, got i32", x.relu, x)
end

function T.strided_views_are_gathered_and_their_gradients_scattered()
  local x <close> = lac.tensor {{1, 2, 3}, {4, 5, 6}}
  local t <close> = x:transpose()
  local y <close> = t * 2
  check.close(y, {{2, 8}, {4, 10}, {6, 12}})
  check.grad(function(v) return v:transpose():square() end, {{{1, 2, 3}, {4, 5, 6}}}, {tolerance = 5e-3})
  check.grad(function(v) return v:slice(2, 2, 2):square() end, {{{1, 2, 3}, {4, 5, 6}}}, {tolerance = 5e-3})
  check.grad(function(v) return v:select(2, 3):exp() end, {{{1, 2, 0.3}, {4, 5, -0.6}}})
end

function T.greater_gives_a_mask_without_gradient()
  local x <close> = lac.tensor {-1, 0.5, 0 / 0, 2}
  local y <close> = x:greater(0.5)
  check.equal(y, {0, 0, 0, 1})
end

return T
