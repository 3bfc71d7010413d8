local lac = require "lac"
local check = require "check"
local sgd = require "optim.sgd"
local adam = require "optim.adam"

local T = {}


-- Drop an optimiser's tensors now, not with the collector.
local function finish(optimiser)
  for _, list in pairs(optimiser:state()) do
    for _, x in ipairs(list) do if type(x) == "userdata" then x:close() end end
  end
end

-- One backward pass of sum (w - target)^2.
local function pull(w, target)
  w:zero_grad()
  local tape <close> = lac.tape()
  tape:backward((w - target):square():sum())
end

function T.both_rules_find_the_minimum_of_a_parabola()
  local target <close> = lac.tensor {3, -1}
  for name, rule in pairs {sgd = sgd.new, momentum = function(p) return sgd.new(p, {momentum = 0.5}) end,
                           adam = adam.new} do
    local w <close> = lac.tensor({0, 0}):requires_grad(true)
    local optimiser = rule {w}
    for step = 1, 200 do
      pull(w, target)
      optimiser:step(name == "adam" and 0.5 / step ^ 0.5 or 0.1)
    end
    check.close(w, {3, -1}, 1e-2)
    finish(optimiser)
  end
end

function T.settings_reach_the_step()
  local w <close> = lac.tensor({1, 1}):requires_grad(true)
  local target <close> = lac.tensor {100, 0}
  local mask <close> = lac.tensor {1, 0}
  pull(w, target)
  local optimiser = sgd.new({w}, {clip_value = 0.5, weight_decay = 0.25, masks = {mask}})
  optimiser:step(1)
  check.close(w, {1 + 0.5 - 0.25, 0})
  local v <close> = lac.tensor({1}):requires_grad(true)
  local zero <close> = lac.tensor {0}
  pull(v, zero) -- gradient 2
  local other = adam.new({v}, {form = "tensorflow", eps = 1, beta1 = 0.5, beta2 = 0.75})
  other:step(1)
  -- m = 1, v = 1: 1 - sqrt(0.25) / 0.5 * 1 / (1 + 1)
  check.close(v, {0.5})
  finish(other)
end

function T.parameters_without_a_gradient_are_left_alone()
  local a <close> = lac.tensor({1}):requires_grad(true)
  local b <close> = lac.tensor({1}):requires_grad(true)
  local zero <close> = lac.tensor {0}
  local optimiser = adam.new {a, b}
  pull(a, zero)
  optimiser:step(0.1)
  check.close(a, {0.9}, 1e-5)
  check.equal(b, {1})
  check.equal(optimiser:state().counts, {1, 0})
  finish(optimiser)
end

function T.a_loaded_state_continues_exactly()
  local zero <close> = lac.tensor {0, 0}
  local a <close> = lac.tensor({1, -2}):requires_grad(true)
  local first = adam.new {a}
  for _ = 1, 3 do
    pull(a, zero)
    first:step(0.1)
  end
  local b <close> = a:clone():requires_grad(true)
  local second = adam.new {b}
  second:load(first:state())
  for _, pair in ipairs {{a, first}, {b, second}} do
    pull(pair[1], zero)
    pair[2]:step(0.1)
  end
  check.equal(b, a:totable())
  finish(first)
  finish(second)
end

function T.a_state_that_does_not_fit_is_refused()
  local a <close> = lac.tensor({1, 2}):requires_grad(true)
  local b <close> = lac.tensor({1}):requires_grad(true)
  local two, one, pair = adam.new {a}, adam.new {b}, adam.new {a, b}
  check.fails("the state's m%[1%] is %[1%], the parameter %[2%]", two.load, two, one:state())
  check.fails("'counts' must hold one item for each of 1 parameters", two.load, two, pair:state())
  check.fails("'m' must hold one item", two.load, two, {counts = {1}})
  finish(two)
  finish(one)
  finish(pair)
end

function T.bad_parameters_and_settings_are_refused()
  local fixed <close> = lac.tensor {1}
  local w <close> = lac.tensor({1}):requires_grad(true)
  check.fails("parameter 1 %(tensor f32 %[1%]%) does not require a gradient", sgd.new, {fixed})
  check.fails("needs a list of at least one parameter", adam.new, {})
  check.fails('unknown key "momentun"', sgd.new, {w}, {momentun = 1})
  check.fails('form must be "pytorch" or "tensorflow", got "torch"', adam.new, {w}, {form = "torch"})
end

return T
