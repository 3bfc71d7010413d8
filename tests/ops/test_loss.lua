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

-- lac[name] over numbers, and the gradient of the first argument.
local function run(name, scores, targets, weights)
  local x <close> = lac.tensor(scores):requires_grad(true)
  local t <close> = lac.tensor(targets, "i32")
  local w <close> = lac.tensor(weights)
  local tape <close> = lac.tape()
  local loss = lac[name](x, t, w)
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

function T.vocabularies_shorter_and_longer_than_a_group_agree_with_plain_loops()
  for _, vocab in ipairs {1, 63, 64, 65, 200} do
    local scores, targets, weights = {}, {}, {}
    for i = 1, 3 do
      scores[i] = {}
      for j = 1, vocab do scores[i][j] = 2 * math.sin(i * 1.3 + j) end
      targets[i], weights[i] = (i * 37) % vocab, i / 2
    end
    check.close(run("xent", scores, targets, weights), xent(scores, targets, weights), 1e-5)
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
