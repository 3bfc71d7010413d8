local lac = require "lac"
local check = require "check"

local T = {}

local function wave(n, phase)
  local row = {}
  for i = 1, n do row[i] = 2 * math.sin(1.3 * i + phase) + 0.1 * phase end
  return row
end

local function rows_of(count, n)
  local rows = {}
  for r = 1, count do rows[r] = wave(n, 1.7 * r * r % 11) end
  return rows
end

local function statistics(rows, c)
  local mean, squares = 0, 0
  for _, row in ipairs(rows) do mean = mean + row[c] / #rows end
  for _, row in ipairs(rows) do squares = squares + (row[c] - mean) ^ 2 end
  return mean, squares
end

local activations = {
  none = function(v) return v end,
  relu = function(v) return math.max(v, 0) end,
  relu6 = function(v) return math.min(math.max(v, 0), 6) end,
}

function T.frozen_form_by_hand()
  local scope <close> = lac.scope()
  local x = lac.tensor {{1, 10}, {3, -10}}
  local o = {mean = lac.tensor {1, 2}, variance = lac.tensor {4 - 1e-5, 16 - 1e-5}}
  check.close(lac.batch_norm(x, o), {{0, 2}, {1, -3}}, 1e-6)
  o.gain, o.offset = lac.tensor {2, 4}, lac.tensor {0.5, -1}
  check.close(lac.batch_norm(x, o), {{0.5, 7}, {2.5, -13}}, 1e-6)
  o.activation = "relu6"
  check.close(lac.batch_norm(x, o), {{0.5, 6}, {2.5, 0}}, 1e-6)
end

function T.training_uses_the_batch_and_moves_the_statistics()
  for _, shape in ipairs {{2, 3}, {7, 1}, {65, 5}, {130, 17}, {300, 40}} do
    local count, n = shape[1], shape[2]
    local scope <close> = lac.scope()
    local rows, gain, offset = rows_of(count, n), wave(n, 2), wave(n, 3)
    local mean, variance = lac.tensor(wave(n, 4)), lac.zeros({n}):fill(2)
    for name, f in pairs(activations) do
      local want, moved_mean, moved_variance = {}, mean:totable(), variance:totable()
      for r = 1, count do want[r] = {} end
      for c = 1, n do
        local m, squares = statistics(rows, c)
        for r = 1, count do
          want[r][c] = f(gain[c] * (rows[r][c] - m) / math.sqrt(squares / count + 0.01) + offset[c])
        end
        moved_mean[c] = 0.75 * moved_mean[c] + 0.25 * m
        moved_variance[c] = 0.75 * moved_variance[c] + 0.25 * squares / (count - 1)
      end
      local y = lac.batch_norm(lac.tensor(rows), {mean = mean, variance = variance, gain = lac.tensor(gain),
        offset = lac.tensor(offset), training = true, momentum = 0.25, eps = 0.01, activation = name})
      check.close(y, want, 2e-5)
      check.close(mean, moved_mean, 1e-5)
      check.close(variance, moved_variance, 1e-5)
    end
  end
end

function T.a_large_mean_costs_no_digits()
  local scope <close> = lac.scope()
  local x, mean, variance = lac.tensor {{4096}, {4097}, {4098}, {4099}}, lac.zeros {1}, lac.zeros {1}
  local y = lac.batch_norm(x, {mean = mean, variance = variance, training = true, momentum = 1})
  local s = math.sqrt(1.25 + 1e-5)
  check.close(y, {{-1.5 / s}, {-0.5 / s}, {0.5 / s}, {1.5 / s}}, 1e-5)
  check.close(mean, {4097.5})
  check.close(variance, {5 / 3}, 1e-5)
end

function T.gradients_match_finite_differences()
  for _, training in ipairs {false, true} do
    for _, shape in ipairs {{5, 2}, {4, 19}, {70, 3}} do
      local n = shape[2]
      local function f(activation)
        return function(x, gain, offset)
          local o = {mean = lac.tensor(wave(n, 4)), variance = lac.zeros({n}):fill(0.5), gain = gain, offset = offset,
                     training = training, eps = 0.1, activation = activation}
          return lac.batch_norm(x, o) + lac.batch_norm(x, o):scale(0.5)
        end
      end
      check.grad(f(), {rows_of(shape[1], n), wave(n, 2), wave(n, 3)}, {step = 2e-2, tolerance = 1e-2})
      -- with offsets that keep clear of the kinks: columns that are all passed, all zero, all six
      local offset, gain = {}, {}
      for c = 1, n do offset[c], gain[c] = ({3, -9, 16})[c % 3 + 1], 0.3 end
      check.grad(f "relu6", {rows_of(shape[1], n), gain, offset}, {step = 2e-2, tolerance = 1e-2})
      check.grad(f "relu", {rows_of(shape[1], n), gain, offset}, {step = 2e-2, tolerance = 1e-2})
    end
  end
end

function T.without_gain_and_offset_there_are_ones_and_zeros()
  for _, training in ipairs {false, true} do
    check.grad(function(x)
      local o = {mean = lac.zeros {3}, variance = lac.zeros({3}):fill(1), training = training, eps = 0.1}
      return lac.batch_norm(x, o)
    end, {rows_of(4, 3)}, {step = 2e-2, tolerance = 1e-2})
  end
end

function T.maps_are_rows_of_channels_and_views_are_fine()
  local scope <close> = lac.scope()
  local x = lac.rng(1):normal {2, 3, 4, 5}
  local function run(t)
    return lac.batch_norm(t, {mean = lac.zeros {5}, variance = lac.zeros {5}, training = true})
  end
  check.close(run(x):reshape(24, 5), run(x:reshape(24, 5)), 0)
  check.close(run(x:transpose(1, 3)), run(x:transpose(1, 3):contiguous()), 0)
end

function T.only_wanted_gradients_are_made()
  local scope <close> = lac.scope()
  local x, gain, offset = lac.tensor {{1, 3}, {2, 5}}, lac.tensor {1, 2}, lac.tensor {0, 1}
  for _, training in ipairs {false, true} do
    for _, wanted in ipairs {gain, offset, x} do
      wanted:requires_grad(true)
      do
        local tape <close> = lac.tape()
        tape:backward(lac.batch_norm(x, {mean = lac.zeros {2}, variance = lac.zeros({2}):fill(1), gain = gain,
                                         offset = offset, training = training}):sum())
      end
      for _, other in ipairs {gain, offset, x} do check.equal(other:grad() ~= nil, other == wanted) end
      wanted:zero_grad()
      wanted:requires_grad(false)
    end
  end
end

function T.nan_stays_in_its_column_and_no_columns_are_fine()
  local scope <close> = lac.scope()
  local y = lac.batch_norm(lac.tensor {{0 / 0, 1}, {1, 3}}, {mean = lac.zeros {2}, variance = lac.zeros {2},
                           training = true, activation = "relu6"})
  check.close(y, {{0 / 0, 0}, {0 / 0, 1}}, 1e-4)
  local o = {mean = lac.zeros {0}, variance = lac.zeros {0}}
  check.equal(lac.batch_norm(lac.zeros {2, 0}, o):shape(), {2, 0})
  o.training = true
  check.equal(lac.batch_norm(lac.zeros {2, 0}, o):shape(), {2, 0})
  check.equal(lac.batch_norm(lac.zeros {0, 3}, {mean = lac.zeros {3}, variance = lac.zeros {3}}):shape(), {0, 3})
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x, two, three = lac.zeros {3, 2}, lac.zeros {2}, lac.zeros {3}
  local function with(o)
    o.mean, o.variance = o.mean or two, o.variance or two
    return o
  end
  check.fails("batch_norm: gain must be %[2%], got %[3%]", lac.batch_norm, x, with {gain = three})
  check.fails("batch_norm: offset must be %[2%], got %[3%]", lac.batch_norm, x, with {offset = three})
  check.fails("batch_norm: mean must be %[2%], got %[3%]", lac.batch_norm, x, with {mean = three})
  check.fails("batch_norm: variance must be %[2%], got %[3%]", lac.batch_norm, x, with {variance = three})
  check.fails("field 'mean' must be a tensor, got nil", lac.batch_norm, x, {variance = two})
  check.fails("batch_norm: eps must be > 0, got 0", lac.batch_norm, x, with {eps = 0})
  check.fails("batch_norm: eps must be a number, got boolean", lac.batch_norm, x, with {eps = true})
  check.fails("batch_norm: momentum must be 0..1, got 2", lac.batch_norm, x, with {momentum = 2})
  check.fails("needs 2 or more rows to have a variance, got 1", lac.batch_norm, lac.zeros {1, 2},
              with {training = true})
  check.fails("invalid option 'gelu'", lac.batch_norm, x, with {activation = "gelu"})
  check.fails("batch_norm: unknown option 'bias'", lac.batch_norm, x, with {bias = two})
  check.fails("a scalar has no columns", lac.batch_norm, lac.tensor(1), with {})
  check.fails("batch_norm: mean must have no gaps", lac.batch_norm, x, with {mean = lac.zeros({2, 2}):select(2, 1)})
end

return T
