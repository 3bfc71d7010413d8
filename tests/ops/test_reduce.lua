local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge
local CUBE = {{{1, -2, 3}, {4, 0.5, -6}}, {{7, 8, -9}, {-1, 2, 0.25}}} -- [2, 2, 3]

-- What a reduction gives, in plain loops over [2, 2, 3]; f takes a list.
local function reduced(f, dim)
  local out = {}
  local function pick(i, j, k) return CUBE[i][j][k] end
  if dim == 1 then
    for j = 1, 2 do
      out[j] = {}
      for k = 1, 3 do out[j][k] = f {pick(1, j, k), pick(2, j, k)} end
    end
  elseif dim == 2 then
    for i = 1, 2 do
      out[i] = {}
      for k = 1, 3 do out[i][k] = f {pick(i, 1, k), pick(i, 2, k)} end
    end
  else
    for i = 1, 2 do
      out[i] = {}
      for j = 1, 2 do out[i][j] = f(CUBE[i][j]) end
    end
  end
  return out
end

local function sum(list)
  local total = 0
  for _, v in ipairs(list) do total = total + v end
  return total
end

local function argmax(list)
  local at = 1
  for i, v in ipairs(list) do if v > list[at] then at = i end end
  return at - 1
end

local FORMULAS = {
  sum = sum,
  mean = function(list) return sum(list) / #list end,
  max = function(list) return math.max(table.unpack(list)) end,
  argmax = argmax,
}

function T.reductions_along_each_dimension_give_their_formula()
  local x <close> = lac.tensor(CUBE)
  for name, formula in pairs(FORMULAS) do
    for dim = 1, 3 do
      local y <close> = x[name](x, dim)
      local z <close> = x[name](x, dim - 4)
      check.close(y, reduced(formula, dim), 1e-5)
      check.close(z, reduced(formula, dim), 1e-5)
    end
  end
end

function T.reductions_over_all_elements_give_a_scalar()
  local x <close> = lac.tensor(CUBE)
  local want = {sum = 7.75, mean = 7.75 / 12, max = 8, argmax = 7}
  for name in pairs(FORMULAS) do
    local y <close> = x[name](x)
    check.equal(y:shape(), {})
    check.close(y:item(), want[name])
  end
end

function T.keep_leaves_the_dimension_with_length_one()
  local x <close> = lac.tensor(CUBE)
  for name in pairs(FORMULAS) do
    local y <close> = x[name](x, 2, true)
    local z <close> = x[name](x, nil, true)
    check.equal(y:shape(), {2, 1, 3})
    check.equal(z:shape(), {1, 1, 1})
  end
end

local function wave(n)
  local list = {}
  for i = 1, n do list[i] = math.sin(i * 0.7) + (i % 5 == 0 and 0.5 or 0) end
  return list
end

function T.rows_shorter_and_longer_than_a_group_are_whole()
  for _, n in ipairs {1, 2, 63, 64, 65, 200} do
    local row = wave(n)
    local x <close> = lac.tensor {row, row}
    local t <close> = x:transpose()
    for name, formula in pairs(FORMULAS) do
      local y <close> = x[name](x, 2)
      local z <close> = t[name](t, 1) -- columns of memory that has gaps
      local want = formula(row)
      check.close(y, {want, want}, 1e-4)
      check.close(z, {want, want}, 1e-4)
    end
  end
end

function T.columns_longer_than_a_block_are_whole()
  local rows = {}
  for i, v in ipairs(wave(150)) do rows[i] = {v, -v} end
  local x <close> = lac.tensor(rows)
  local y <close> = x:sum(1)
  local z <close> = x:argmax(1)
  local total = sum(wave(150))
  local low = {}
  for i, v in ipairs(wave(150)) do low[i] = -v end
  check.close(y, {total, -total}, 1e-4)
  check.equal(z, {argmax(wave(150)), argmax(low)})
end

function T.rows_cut_into_parts_are_joined_again()
  local n = 2 * 4096 + 5
  local x <close> = lac.zeros {2, n}
  x:fill(0.5)
  local last <close> = x:select(2, n)
  last:add(lac.tensor(1)):close()
  local row <close> = x:select(1, 2)
  row:fill(0.25)
  local peak <close> = row:slice(1, n - 1, 1)
  peak:fill(3)
  local sums <close> = x:sum(2)
  local tops <close> = x:max(2)
  local places <close> = x:argmax(2)
  check.close(sums, {0.5 * n, 0.25 * (n - 1) + 3})
  check.equal(tops, {0.5, 3})
  check.equal(places, {0, n - 2})
end

function T.long_sums_keep_their_digits()
  if check.settings.mode == "oclgrind" then check.skip("too long for the simulator") end
  local n = 3000000 -- a running float sum of tenths would be off by a thousand and more
  local x <close> = lac.zeros {n}
  x:fill(0.1)
  local y <close> = x:sum()
  check.close(y:item(), 0.1 * n, 0, 1e-6)
end

function T.gradients_match_finite_differences()
  for _, name in ipairs {"sum", "mean", "max"} do
    check.grad(function(x) return x[name](x) end, {CUBE})
    for dim = 1, 3 do
      check.grad(function(x) return x[name](x, dim) end, {CUBE})
      check.grad(function(x) return x[name](x, dim, true):square() end, {CUBE}, {tolerance = 1e-2})
      check.grad(function(x) return x:transpose(1, 3)[name](x:transpose(1, 3), dim) end, {CUBE})
    end
  end
  local row = wave(70)
  row[66] = 3
  check.grad(function(x) return x:max(2) end, {{row}})
end

function T.nan_passes_through_sums_and_never_wins_a_comparison()
  local x <close> = lac.tensor {{NAN, 1, -INF}, {NAN, NAN, NAN}, {-INF, -INF, NAN}, {2, NAN, 2}}
  local s <close> = x:sum(2)
  for _, v in ipairs(s:totable()) do check.yes(v ~= v) end
  local m <close> = x:max(2)
  local i <close> = x:argmax(2)
  check.close(m, {1, NAN, -INF, 2})
  check.equal(i, {1, 0, 0, 0})
  local t <close> = x:transpose():contiguous()
  local columns <close> = t:argmax(1)
  check.equal(columns, {1, 0, 0, 0})
  local values, indices = x:topk(3)
  check.close(values, {{1, -INF, NAN}, {NAN, NAN, NAN}, {-INF, -INF, NAN}, {2, 2, NAN}})
  check.equal(indices, {{1, 2, 0}, {0, 1, 2}, {0, 1, 2}, {0, 2, 1}})
  values:close()
  indices:close()
end

function T.topk_sorts_descending_and_breaks_ties_by_the_lower_index()
  local x <close> = lac.tensor {{3, 1, 3, 2}, {0, 0, 0, 0}}
  local values <close>, indices <const> = x:topk(3)
  check.equal(values, {{3, 3, 2}, {0, 0, 0}})
  check.equal(indices, {{0, 2, 3}, {0, 1, 2}})
  check.equal(indices:dtype(), "i32")
  indices:close()
end

function T.topk_agrees_with_sorting_for_many_lengths()
  for _, n in ipairs {1, 5, 64, 130} do
    local row, order = {}, {}
    for i = 1, n do
      row[i] = (i * 7919) % 31 -- with ties
      order[i] = i
    end
    table.sort(order, function(a, b)
      if row[a] ~= row[b] then return row[a] > row[b] end
      return a < b
    end)
    local k = math.min(n, 64)
    local x <close> = lac.tensor {row}
    local values, indices = x:topk(k)
    local want_values, want_indices = {}, {}
    for i = 1, k do
      want_values[i] = row[order[i]]
      want_indices[i] = order[i] - 1
    end
    check.equal(values, {want_values})
    check.equal(indices, {want_indices})
    values:close()
    indices:close()
  end
end

function T.topk_gradient_matches_finite_differences()
  check.grad(function(x) return (x:topk(2)) end, {{{1, -2, 3, 0.5}, {4, 5, 6, -7}}})
  check.grad(function(x) return (x:transpose():topk(1)) end, {{{1, -2}, {3, 0.5}, {9, -4}}})
end

function T.topk_refuses_a_k_it_cannot_give()
  local x <close> = lac.tensor {{1, 2, 3}}
  local scalar <close> = lac.tensor(1)
  check.fails("topk: of 3 elements in a row k may be 1 to 3, got 4", x.topk, x, 4)
  check.fails("topk: of 3 elements .* got 0", x.topk, x, 0)
  check.fails("topk: of 0 elements", scalar.topk, scalar, 1)
  local long <close> = lac.zeros {1, 100}
  check.fails("k may be 1 to 64, got 65", long.topk, long, 65)
end

function T.empty_tensors_have_sum_zero_mean_nan_and_no_maximum()
  local x <close> = lac.zeros {3, 0}
  local s1 <close> = x:sum(2)
  local s2 <close> = x:sum(1)
  local s3 <close> = x:sum()
  local m <close> = x:mean(2)
  check.equal(s1, {0, 0, 0})
  check.equal(s2, {})
  check.equal(s3:item(), 0)
  check.close(m, {NAN, NAN, NAN})
  check.fails("max: needs 1 to 2%^31 %- 1 elements to choose from, got shape %[3, 0%]", x.max, x, 2)
  check.fails("argmax: needs 1", x.argmax, x)
  local none <close> = x:max(1)
  check.equal(none:shape(), {0})
end

function T.wrong_dimensions_types_and_closed_tensors_are_refused()
  local x <close> = lac.tensor {1, 2}
  local i <close> = lac.tensor({1, 2}, "i32")
  check.fails("dimension must be 1..1", x.sum, x, 2)
  check.fails("sum: x must be f32, got i32", i.sum, i)
  check.fails("argmax: x must be f32, got i32", i.argmax, i)
  local gone = lac.tensor {1}
  gone:close()
  check.fails("closed tensor", gone.sum, gone)
end

-- Mean and population standard deviation by loops in doubles.
local function moments(list)
  local mean, square = sum(list) / #list, 0
  for _, v in ipairs(list) do square = square + (v - mean) ^ 2 end
  return mean, math.sqrt(square / #list)
end

local function moments_agree(x, tolerance)
  local want_mean, want_std = moments(x:contiguous():reshape(x:numel()):totable())
  local mean, std = lac.moments(x)
  check.equal(mean:shape(), {1})
  check.equal(std:shape(), {1})
  check.close(mean:item(), want_mean, 0, tolerance)
  check.close(std:item(), want_std, 0, tolerance)
end

function T.moments_are_those_of_all_elements()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  moments_agree(lac.tensor(CUBE), 1e-6)
  moments_agree(lac.tensor(CUBE):transpose(1, 3), 1e-6)
  moments_agree(lac.tensor {-7}, 0)
  for _, n in ipairs {4095, 4096, 4097, 20000} do moments_agree(lac.rng(n):normal({n}, 0.5, 2), 2e-6) end
end

function T.moments_keep_the_digits_of_a_small_deviation()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  moments_agree(lac.rng(1):normal({20011}, 1000, 0.01), 1e-5) -- squares of 1000 have no digits left for 0.0001
  local same = lac.zeros({9001}):fill(0.1)
  local mean, std = lac.moments(same)
  check.close(mean:item(), 0.1, 1e-7)
  check.close(std:item(), 0, 1e-7) -- a mean of equal numbers is off by a last bit
end

function T.moments_of_nan_and_of_nothing_are_nan()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  for _, x in ipairs {lac.tensor {1, NAN, 2}, lac.tensor {INF, 1}, lac.zeros {0, 3}} do
    local mean, std = lac.moments(x)
    check.yes(std:item() ~= std:item())
    check.yes(mean:item() ~= mean:item() or mean:item() == INF)
  end
  check.fails("moments: x must be f32, got i32", lac.moments, lac.tensor({1}, "i32"))
end

return T
