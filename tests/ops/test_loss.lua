local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge
local SCORES = {{0.5, -1, 2, 0.1}, {3, 1, -2, 0}, {0.3, 0.2, 0.1, 0.4}}
local TARGETS, WEIGHTS = {2, 0, 3}, {1, 0.5, 2}

local function log_softmax(row)
  local top, total = math.max(table.unpack(row)), 0
  for _, v in ipairs(row) do total = total + math.exp(v - top) end
  local out = {}
  for i, v in ipairs(row) do out[i] = v - top - math.log(total) end
  return out
end

local function xent(scores, targets, weights)
  local sum, total = 0, 0
  for i, row in ipairs(scores) do
    if weights[i] ~= 0 then sum = sum - weights[i] * log_softmax(row)[targets[i] + 1] end
    total = total + weights[i]
  end
  return sum / total
end

-- The divergence of smooth targets, written down as it is defined.
local function smooth_xent(scores, targets, weights, smoothing)
  local sum, total = 0, 0
  for i, row in ipairs(scores) do
    for j, logp in ipairs(weights[i] ~= 0 and log_softmax(row) or {}) do
      local q = j == targets[i] + 1 and 1 - smoothing or smoothing / (#row - 1)
      sum = sum + weights[i] * q * (math.log(q) - logp)
    end
    total = total + weights[i]
  end
  return sum / total
end

-- lac[name] over numbers, and the gradient of the first argument.
local function run(name, scores, targets, weights, options)
  local x <close> = lac.tensor(scores):requires_grad(true)
  local t <close> = lac.tensor(targets, "i32")
  local w <close> = lac.tensor(weights)
  local tape <close> = lac.tape()
  local loss = lac[name](x, t, w, options)
  tape:backward(loss)
  return loss:item(), x:grad():totable()
end

function T.two_equal_scores_cost_ln_2()
  local loss, grad = run("xent", {{7, 7}}, {1}, {1})
  check.close(loss, math.log(2), 1e-6)
  check.close(grad, {{0.5, -0.5}}, 1e-6)
end

function T.xent_agrees_with_plain_loops()
  check.close(run("xent", SCORES, TARGETS, WEIGHTS), xent(SCORES, TARGETS, WEIGHTS), 1e-6)
end

function T.nll_of_log_probabilities_is_the_same_number()
  local x <close> = lac.tensor(SCORES)
  local lp <close> = x:log_softmax()
  check.close(run("nll", lp:totable(), TARGETS, WEIGHTS), xent(SCORES, TARGETS, WEIGHTS), 1e-6)
end

local function on(name)
  return function(x)
    return lac[name](x, lac.tensor(TARGETS, "i32"), lac.tensor(WEIGHTS))
  end
end

function T.gradients_match_finite_differences()
  for _, name in ipairs {"xent", "nll"} do
    check.grad(on(name), {SCORES})
    check.grad(function(x) return on(name)(x:transpose()) end,
               {{{0.5, 3, 0.3}, {-1, 1, 0.2}, {2, -2, 0.1}, {0.1, 0, 0.4}}})
  end
end

function T.smooth_targets_cost_what_hand_and_plain_loops_say()
  -- q = (0.9, 0.1) against (1/2, 1/2): 0.9 ln 1.8 + 0.1 ln 0.2
  local loss, grad = run("xent", {{7, 7}}, {0}, {1}, {smoothing = 0.1})
  check.close(loss, 0.9 * math.log(1.8) + 0.1 * math.log(0.2), 1e-6)
  check.close(grad, {{-0.4, 0.4}}, 1e-6)
  -- scores that are the smooth target cost nothing
  loss, grad = run("xent", {{math.log(0.1), math.log(0.7), math.log(0.1), math.log(0.1)}}, {1}, {2}, {smoothing = 0.3})
  check.close(loss, 0, 1e-6)
  check.close(grad, {{0, 0, 0, 0}}, 1e-6)
  for _, smoothing in ipairs {1e-6, 0.1, 0.75, 0.999} do
    check.close(run("xent", SCORES, TARGETS, WEIGHTS, {smoothing = smoothing}),
      smooth_xent(SCORES, TARGETS, WEIGHTS, smoothing), 1e-5)
  end
end

function T.gradients_of_smooth_targets_match_finite_differences()
  local function smooth(x)
    return lac.xent(x, lac.tensor(TARGETS, "i32"), lac.tensor(WEIGHTS), {smoothing = 0.2})
  end
  check.grad(smooth, {SCORES})
  check.grad(function(x) return smooth(x) * 2 + smooth(x) end, {SCORES})
end

function T.no_smoothing_is_the_plain_loss_to_the_last_bit()
  for _, options in ipairs {{}, {smoothing = 0}, {smoothing = 0.0}} do
    local loss, grad = run("xent", SCORES, TARGETS, WEIGHTS, options)
    local want, want_grad = run("xent", SCORES, TARGETS, WEIGHTS)
    check.equal(loss, want)
    check.equal(grad, want_grad)
  end
end

function T.smooth_padding_and_bad_targets_are_as_without()
  local loss, grad = run("xent", {{NAN, INF}, {1, 1}}, {-1, 0}, {0, 2}, {smoothing = 0.1})
  check.close(loss, 0.9 * math.log(1.8) + 0.1 * math.log(0.2), 1e-6)
  check.close(grad, {{0, 0}, {-0.4, 0.4}}, 1e-6)
  check.close((run("xent", {{1, 2}, {3, 4}}, {2, 0}, {1, 1}, {smoothing = 0.1})), NAN)
end

function T.bad_smoothing_is_refused()
  for _, smoothing in ipairs {-0.1, 1, NAN, INF} do
    check.fails("xent: smoothing must be in %[0, 1%), got", run, "xent", SCORES, TARGETS, WEIGHTS,
      {smoothing = smoothing})
  end
  check.fails("xent: smoothing needs a vocabulary of 2 words or more, got 1", run, "xent", {{1}}, {0}, {1},
    {smoothing = 0.1})
  check.equal((run("xent", {{1}}, {0}, {1})), 0)
  check.fails("table expected, got number", run, "xent", SCORES, TARGETS, WEIGHTS, 0.1)
end

function T.vocabularies_shorter_and_longer_than_a_group_agree_with_plain_loops()
  for _, vocab in ipairs {1, 63, 64, 65, 200} do
    local scores, targets, weights = {}, {}, {}
    for i = 1, 3 do
      scores[i] = {}
      for j = 1, vocab do scores[i][j] = 2 * math.sin(i * 1.3 + j) end
      targets[i], weights[i] = (i * 37) % vocab, i / 2
    end
    check.close(run("xent", scores, targets, weights), xent(scores, targets, weights), 1e-5)
    if vocab > 1 then
      check.close(run("xent", scores, targets, weights, {smoothing = 0.1}),
        smooth_xent(scores, targets, weights, 0.1), 1e-5)
    end
  end
end

-- As `xent`, divided by a total that is no sum of the weights.
local function weighted(scores, targets, weights, total)
  local sum = 0
  for i, row in ipairs(scores) do
    if weights[i] ~= 0 then sum = sum - weights[i] * log_softmax(row)[targets[i] + 1] end
  end
  return sum / total
end

local ADVANTAGES = {1.5, -2, 0} -- add up to less than nothing

function T.a_total_stands_in_the_place_of_the_sum_of_weights()
  local loss, grad = run("xent", {{7, 7}, {5, 5}}, {1, 0}, {1, -3}, {total = 4})
  check.close(loss, (1 - 3) * math.log(2) / 4, 1e-6)
  check.close(grad, {{0.125, -0.125}, {0.375, -0.375}}, 1e-6)
  check.close(run("xent", SCORES, TARGETS, ADVANTAGES, {total = 3}), weighted(SCORES, TARGETS, ADVANTAGES, 3), 1e-6)
  check.equal((run("xent", SCORES, TARGETS, {0, 0, 0}, {total = 3})), 0)
  check.equal((run("xent", SCORES, TARGETS, WEIGHTS, {total = 3.5})), (run("xent", SCORES, TARGETS, WEIGHTS)))
end

function T.gradients_with_weights_of_either_sign_match_finite_differences()
  local function loss(x, options)
    return lac.xent(x, lac.tensor(TARGETS, "i32"), lac.tensor(ADVANTAGES), options)
  end
  check.grad(function(x) return loss(x, {total = 3}) end, {SCORES})
  check.grad(function(x) return loss(x, {total = 0.5, smoothing = 0.1}) * 2 end, {SCORES})
end

function T.a_total_that_divides_nothing_is_refused()
  for _, total in ipairs {0, -1, NAN, INF} do
    check.fails("xent: total must be a number > 0, got", run, "xent", SCORES, TARGETS, WEIGHTS, {total = total})
  end
end

function T.more_rows_than_a_group_are_all_counted()
  local scores, targets, weights = {}, {}, {}
  for i = 1, 150 do
    scores[i] = {math.sin(i), math.cos(i), 0}
    targets[i], weights[i] = i % 3, i % 2 + 0.25
  end
  local loss, grad = run("xent", scores, targets, weights)
  check.close(loss, xent(scores, targets, weights), 1e-5)
  check.equal(#grad, 150)
end

function T.padding_is_not_looked_at()
  local loss, grad = run("xent", {{NAN, INF}, {1, 1}}, {-1, 0}, {0, 2})
  check.close(loss, math.log(2), 1e-6)
  check.close(grad, {{0, 0}, {-0.5, 0.5}}, 1e-6)
  loss, grad = run("nll", {{NAN, INF}, {-1, -2}}, {77, 1}, {0, 2})
  check.close(loss, 2, 1e-6)
  check.close(grad, {{0, 0}, {0, -1}}, 1e-6)
end

function T.a_target_out_of_range_makes_the_loss_nan()
  for _, name in ipairs {"xent", "nll"} do
    for _, target in ipairs {-1, 2, 2147483647, -2147483648} do
      local loss = run(name, {{1, 2}, {3, 4}}, {target, 0}, {1, 1})
      check.close(loss, NAN)
    end
  end
end

function T.no_weight_and_no_rows_make_the_loss_nan_and_the_gradient_zero()
  local loss, grad = run("xent", {{1, 2}}, {0}, {0})
  check.close(loss, NAN)
  check.equal(grad, {{0, 0}})
  local x <close> = lac.zeros {0, 5}
  local t <close> = lac.zeros({0}, "i32")
  local w <close> = lac.zeros {0}
  local y <close> = lac.xent(x, t, w)
  check.close(y:item(), NAN)
end

function T.gradients_add_up_over_two_uses()
  local x <close> = lac.tensor(SCORES):requires_grad(true)
  local t <close> = lac.tensor(TARGETS, "i32")
  local w <close> = lac.tensor(WEIGHTS)
  local _, once = run("xent", SCORES, TARGETS, WEIGHTS)
  local tape <close> = lac.tape()
  tape:backward(lac.xent(x, t, w) + lac.xent(x, t, w))
  local half <close> = x:grad() / 2
  check.close(half, once, 1e-6)
end

function T.wrong_shapes_and_types_are_refused()
  local x <close> = lac.tensor(SCORES)
  local t <close> = lac.tensor(TARGETS, "i32")
  local w <close> = lac.tensor(WEIGHTS)
  local short <close> = lac.tensor({1, 2}, "i32")
  local f <close> = lac.tensor(TARGETS)
  check.fails("xent: x must be %[rows, vocab%], got %[3%]", lac.xent, w, t, w)
  check.fails("xent: targets must be %[3%], got %[2%]", lac.xent, x, short, w)
  check.fails("xent: targets must be i32, got f32", lac.xent, x, f, w)
  check.fails("nll: weights must be f32, got i32", lac.nll, x, t, t)
  local gone = lac.tensor(SCORES)
  gone:close()
  check.fails("closed tensor", lac.xent, gone, t, w)
end

return T
