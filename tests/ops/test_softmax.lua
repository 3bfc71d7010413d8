local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge

local function log_softmax(row)
  local top, total = math.max(table.unpack(row)), 0
  for _, v in ipairs(row) do total = total + math.exp(v - top) end
  local out = {}
  for i, v in ipairs(row) do out[i] = v - top - math.log(total) end
  return out
end

local function exp(row)
  local out = {}
  for i, v in ipairs(row) do out[i] = math.exp(v) end
  return out
end

local function wave(n, phase)
  local row = {}
  for i = 1, n do row[i] = 3 * math.sin(i * 0.9 + phase) end
  return row
end

function T.three_values_by_hand()
  local x <close> = lac.tensor {0, math.log(2), math.log(5)}
  local y <close> = x:softmax()
  local z <close> = x:log_softmax()
  check.close(y, {1 / 8, 2 / 8, 5 / 8}, 1e-6)
  check.close(z, {math.log(1 / 8), math.log(2 / 8), math.log(5 / 8)}, 1e-6)
end

function T.rows_shorter_and_longer_than_a_group_agree_with_plain_loops()
  for _, n in ipairs {1, 7, 64, 65, 300, 1037} do
    local a, b = wave(n, 0), wave(n, 1)
    local x <close> = lac.tensor {{a}, {b}} -- [2, 1, n]
    local y <close> = x:softmax()
    local z <close> = x:log_softmax()
    check.close(y, {{exp(log_softmax(a))}, {exp(log_softmax(b))}}, 1e-6)
    check.close(z, {{log_softmax(a)}, {log_softmax(b)}}, 1e-5)
  end
end

function T.large_values_do_not_overflow()
  local x <close> = lac.tensor {{10000, 10000}, {-10000, -10001}}
  local y <close> = x:softmax()
  local z <close> = x:log_softmax()
  local p = 1 / (1 + math.exp(-1))
  check.close(y, {{0.5, 0.5}, {p, 1 - p}}, 1e-6)
  check.close(z, {{math.log(0.5), math.log(0.5)}, {math.log(p), math.log(1 - p)}}, 1e-5)
end

function T.minus_infinity_has_probability_zero_and_a_row_of_it_is_nan()
  local x <close> = lac.tensor {{0, -INF}, {-INF, -INF}, {NAN, 0}, {INF, 0}}
  local y <close> = x:softmax()
  local z <close> = x:log_softmax()
  check.close(y:totable()[1], {1, 0})
  check.close(z:totable()[1], {0, -INF})
  for i = 2, 4 do check.close(y:totable()[i][1], NAN) end
  for i = 2, 4 do check.close(z:totable()[i][1], NAN) end
end

function T.gradients_match_finite_differences()
  local rows = {{{0.5, -1, 2}, {0.1, 0.2, -0.3}}}
  for _, name in ipairs {"softmax", "log_softmax"} do
    check.grad(function(x) return x[name](x) end, rows)
    check.grad(function(x) return x:transpose()[name](x:transpose()) end, rows)
    check.grad(function(x) return x[name](x) end, {wave(70, 2)}, {tolerance = 4e-3})
  end
end

function T.a_gradient_flows_past_minus_infinity()
  local x <close> = lac.tensor {{0, -INF, 1}}
  x:requires_grad(true)
  local w <close> = lac.tensor {{1, 0, 3}}
  local tape <close> = lac.tape()
  tape:backward((x:softmax() * w):sum())
  local p = math.exp(1) / (1 + math.exp(1))
  check.close(x:grad(), {{-2 * p * (1 - p), 0, 2 * p * (1 - p)}})
end

function T.empty_rows_and_no_rows_give_empty_results()
  local x <close> = lac.zeros {0, 4}
  local y <close> = x:softmax()
  local u <close> = lac.zeros {4, 0}
  local v <close> = u:log_softmax()
  check.equal(y:shape(), {0, 4})
  check.equal(v:shape(), {4, 0})
end

function T.scalars_and_integers_are_refused()
  local scalar <close> = lac.tensor(1)
  local ids <close> = lac.tensor({1, 2}, "i32")
  check.fails("softmax: a scalar has no last dimension", scalar.softmax, scalar)
  check.fails("log_softmax: x must be f32, got i32", ids.log_softmax, ids)
end

return T
