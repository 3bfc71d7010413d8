--- Pruning that an evaluation decides, step by step.
local bare = require "prune.bare"
local check = require "check"
local plain = require "prune.plain"

local T = {}

local function left(model)
  return math.floor(plain.sum(bare.masks(model)))
end

-- 64 weights, target 0.9, half of what is left at a time, 10 % of the best score may be lost:
-- 64 -> 32 holds -> 16 is too few: back to 32, now a quarter -> 24 holds -> 18 is too few -> 32 - ... and so on.
function T.a_gate_goes_on_while_the_score_holds_and_else_steps_back()
  local model = bare.random_model({{8, 8}}, 61)
  local training <close> = bare.training(model, "score",
    {score = "fabs(w)", target = 0.9, gate = {tolerance = 0.1, cut = 0.5, least = 0.2}})
  local pruner = training.pruner
  pruner:begin(training:view())
  local step = 0
  local function evaluate(value, better, after)
    check.equal(pruner:judge(value), better)
    for _ = 1, 2 do -- the first of these steps changes the masks, the second nothing
      step = step + 1
      training:step(bare.at(step), bare.random_gradients(model, 62, step), 0.25)
      check.equal(left(model), after)
    end
    check.equal(pruner:final_target(), pruner.gate.level)
  end
  evaluate(1.0, true, 32) -- nothing pruned yet; half goes
  evaluate(0.95, true, 16) -- within a tenth of the best
  evaluate(0.5, false, 24) -- too little: back to 32 and a quarter from there
  evaluate(1.2, true, 18) -- 24 (1 - 0.25)
  evaluate(1.05, false, 24) -- below 0.9 * 1.2; the cut would be an eighth, below the least: stay where it held
  evaluate(1.1, false, 24)
  evaluate(1.15, false, 24) -- as sparse as before, and not better
  evaluate(1.25, true, 24)
end

function T.a_gate_ends_at_its_target()
  local model = bare.random_model({{8, 8}}, 63)
  local training <close> = bare.training(model, "score", {target = 0.7, gate = {cut = 0.5}})
  training.pruner:begin(training:view())
  for i, kept in ipairs {32, 20, 20, 20} do
    training.pruner:judge(1)
    training:step(bare.at(i), bare.random_gradients(model, 64, i), 0.25)
    check.equal(left(model), kept)
  end
end

return T
