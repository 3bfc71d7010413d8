local lac = require "lac"
local check = require "check"

local T = {}

local function wave(n, phase)
  local row = {}
  for i = 1, n do row[i] = 2 * math.sin(1.3 * i + phase) + 0.1 * phase end
  return row
end

local function reference(rows, gain, offset, eps, form)
  local out = {}
  for r, row in ipairs(rows) do
    local n, mean, squares = #row, 0, 0
    for _, v in ipairs(row) do mean = mean + v / n end
    for _, v in ipairs(row) do squares = squares + (v - mean) ^ 2 end
    local deviation = form == "published" and math.sqrt(squares / (n - 1)) + eps or math.sqrt(squares / n + eps)
    out[r] = {}
    for i, v in ipairs(row) do out[r][i] = gain[i] * (v - mean) / deviation + offset[i] end
  end
  return out
end

function T.four_values_by_hand()
  local scope <close> = lac.scope()
  local x, gain, offset = lac.tensor {{1, 2, 3, 6}}, lac.tensor {1, 1, 1, 1}, lac.zeros {4}
  local y = lac.layer_norm(x, gain, offset, {form = "published"})
  check.close(y, {{-0.92582, -0.46291, 0, 1.38873}}, 5e-6)
  local z = lac.layer_norm(x, gain, offset) -- 3.5 is the biased variance
  local s = math.sqrt(3.5 + 1e-5)
  check.close(z, {{-2 / s, -1 / s, 0, 3 / s}}, 1e-6)
end

function T.rows_of_many_lengths_agree_with_plain_loops()
  for _, n in ipairs {2, 3, 15, 16, 17, 64, 70, 200} do
    local rows, gain, offset = {wave(n, 0), wave(n, 1), wave(n, 7)}, wave(n, 2), wave(n, 3)
    local scope <close> = lac.scope()
    local x, a, b = lac.tensor(rows), lac.tensor(gain), lac.tensor(offset)
    for _, form in ipairs {"standard", "published"} do
      local y = lac.layer_norm(x, a, b, {form = form, eps = 0.01})
      check.close(y, reference(rows, gain, offset, 0.01, form), 1e-5)
    end
  end
end

function T.a_large_mean_costs_no_digits()
  local scope <close> = lac.scope()
  local x, one, none = lac.tensor {{4096, 4097, 4098, 4099}}, lac.tensor {1, 1, 1, 1}, lac.zeros {4}
  check.close(lac.layer_norm(x, one, none), reference({{0, 1, 2, 3}}, {1, 1, 1, 1}, {0, 0, 0, 0}, 1e-5), 1e-5)
end

function T.gradients_match_finite_differences()
  for _, form in ipairs {"standard", "published"} do
    for _, n in ipairs {2, 5, 19} do
      local function f(x, gain, offset) return lac.layer_norm(x, gain, offset, {form = form, eps = 0.1}) end
      check.grad(f, {{wave(n, 0), wave(n, 1), wave(n, 5)}, wave(n, 2), wave(n, 3)}, {step = 5e-3, tolerance = 4e-3})
    end
  end
end

function T.gradients_of_many_rows_and_of_other_views_add_up()
  local rows = {}
  for r = 1, 37 do rows[r] = wave(4, r) end -- more rows than one part of the sum over rows has
  check.grad(function(gain, offset)
    local x = lac.tensor(rows)
    return lac.layer_norm(x, gain, offset) + lac.layer_norm(x:slice(1, 2, 1), gain, offset)
  end, {wave(4, 2), wave(4, 3)}, {tolerance = 4e-3})
  check.grad(function(x, gain, offset)
    return lac.layer_norm(x:transpose(), gain, offset) + lac.layer_norm(x, gain, offset):transpose()
  end, {{wave(3, 0), wave(3, 2), wave(3, 4)}, wave(3, 2), wave(3, 3)}, {step = 5e-3, tolerance = 4e-3})
end

function T.only_wanted_gradients_are_made()
  local gain, offset, x = lac.tensor {1, 2}, lac.tensor {0, 1}, lac.tensor {{1, 3}}
  for _, wanted in ipairs {gain, offset, x} do
    wanted:requires_grad(true)
    do
      local tape <close> = lac.tape()
      tape:backward(lac.layer_norm(x, gain, offset):sum())
    end
    for _, other in ipairs {gain, offset, x} do check.equal(other:grad() ~= nil, other == wanted) end
    wanted:zero_grad()
    wanted:requires_grad(false)
  end
  for _, t in ipairs {gain, offset, x} do t:close() end
end

function T.rows_of_equal_values_give_the_offset_and_no_wild_gradient()
  for _, form in ipairs {"standard", "published"} do
    local x <close> = lac.tensor {{3, 3, 3}}
    x:requires_grad(true)
    local tape <close> = lac.tape()
    local y = lac.layer_norm(x, lac.tensor {1, 2, 3}, lac.tensor {4, 5, 6}, {form = form})
    check.close(y, {{4, 5, 6}})
    tape:backward((y * lac.tensor {0, 1, 0}):sum())
    for _, v in ipairs(x:grad():totable()[1]) do check.yes(v == v and math.abs(v) < 1e7) end
  end
end

function T.nan_stays_in_its_row_and_no_rows_are_fine()
  local scope <close> = lac.scope()
  local gain, offset = lac.tensor {1, 1}, lac.tensor {0, 0}
  local y = lac.layer_norm(lac.tensor {{0 / 0, 1}, {1, 2}}, gain, offset):totable()
  check.close(y[1], {0 / 0, 0 / 0})
  check.close(y[2], {-1, 1}, 1e-4)
  check.equal(lac.layer_norm(lac.zeros {0, 2}, gain, offset):shape(), {0, 2})
  check.equal(lac.layer_norm(lac.zeros {2, 0}, lac.zeros {0}, lac.zeros {0}):shape(), {2, 0})
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x, two, three = lac.zeros {3, 2}, lac.zeros {2}, lac.zeros {3}
  check.fails("layer_norm: gain must be %[2%], got %[3%]", lac.layer_norm, x, three, two)
  check.fails("layer_norm: offset must be %[2%], got %[3%]", lac.layer_norm, x, two, three)
  check.fails("layer_norm: eps must be > 0, got 0", lac.layer_norm, x, two, two, {eps = 0})
  check.fails("layer_norm: eps must be > 0, got %-?nan", lac.layer_norm, x, two, two, {eps = 0 / 0})
  check.fails("invalid option 'other'", lac.layer_norm, x, two, two, {form = "other"})
  check.fails("the published form .* needs 2 or more, got 1", lac.layer_norm, lac.zeros {3, 1}, lac.zeros {1},
              lac.zeros {1}, {form = "published"})
  check.fails("a scalar has no last dimension", lac.layer_norm, lac.tensor(1), two, two)
end

return T
