local lac = require "lac"
local check = require "check"
local adam = require "optim.adam"
local adamw = require "optim.adamw"
local rmsprop = require "optim.rmsprop"
local sgd = require "optim.sgd"
local Linear = require "nn.linear"
local Sequential = require "nn.sequential"

local T = {}

-- One backward pass of sum (w - target)^2.
local function pull(w, target)
  w:zero_grad()
  local tape <close> = lac.tape()
  tape:backward((w - target):square():sum())
end

-- Every rule with a rate that suits it here.
local RULES = {
  {"sgd", sgd.new, {}, 0.1}, {"momentum", sgd.new, {momentum = 0.5}, 0.1},
  {"nesterov", sgd.new, {momentum = 0.5, nesterov = true}, 0.1},
  {"adam", adam.new, {}, function(k) return 0.5 / k ^ 0.5 end},
  {"adamw", adamw.new, {weight_decay = 1e-4}, function(k) return 0.5 / k ^ 0.5 end},
  {"rmsprop", rmsprop.new, {alpha = 0.9}, function(k) return 0.5 / k ^ 0.75 end},
  {"rmsprop with momentum", rmsprop.new, {alpha = 0.9, momentum = 0.5}, function(k) return 0.3 / k ^ 0.75 end},
}

local function rate_of(rate, k)
  return type(rate) == "function" and rate(k) or rate
end

function T.every_rule_finds_the_minimum_of_a_parabola()
  local target <close> = lac.tensor {3, -1}
  for _, rule in ipairs(RULES) do
    local name, new, cfg, rate = table.unpack(rule)
    local w <close> = lac.tensor({0, 0}):requires_grad(true)
    local optimiser = new({w}, cfg)
    for k = 1, 200 do
      pull(w, target)
      optimiser:step(rate_of(rate, k))
    end
    local good, message = pcall(check.close, w, {3, -1}, 2e-2)
    check.yes(good, name .. ": " .. tostring(message))
    optimiser:close()
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
  other:close()
end

function T.the_norm_is_limited_over_all_groups_before_the_values()
  local a <close> = lac.tensor({3}):requires_grad(true) -- gradients 6 and 8, norm 10
  local b <close> = lac.tensor({4}):requires_grad(true)
  local zero <close> = lac.tensor {0}
  pull(a, zero)
  pull(b, zero)
  local optimiser = sgd.new({a, b}, {clip_norm = 1, clip_value = 0.7, groups = {{match = "2"}}})
  optimiser:step(1)
  check.close(a, {3 - 0.6}, 1e-5)
  check.close(b, {4 - 0.7}, 1e-5)
end

function T.parameters_without_a_gradient_are_left_alone()
  local a <close> = lac.tensor({1}):requires_grad(true)
  local b <close> = lac.tensor({1}):requires_grad(true)
  local zero <close> = lac.tensor {0}
  local optimiser = adam.new({a, b}, {clip_norm = 100})
  optimiser:step(0.1) -- nobody has one
  pull(a, zero)
  optimiser:step(0.1)
  check.close(a, {0.9}, 1e-5)
  check.equal(b, {1})
  check.equal(optimiser:state().counts, {1, 0})
  optimiser:close()
end

local function small_model()
  local model = Sequential {Linear {inputs = 2, outputs = 2}, Linear {inputs = 2, outputs = 1}}
  model:initialise(lac.rng(1))
  for _, p in ipairs(model:parameters()) do p.param.value:fill(1) end
  return model
end

-- Gradients of 1 everywhere.
local function push(model)
  local tape <close> = lac.tape()
  local loss
  for _, value in ipairs(model:values()) do loss = loss and loss + value:sum() or value:sum() end
  tape:backward(loss)
end

function T.groups_have_settings_and_rates_of_their_own()
  local model = small_model()
  push(model)
  local optimiser = sgd.new(model:parameters(), {weight_decay = 0.5, groups = {
    {match = "re:bias$", weight_decay = 0}, {match = {"1.*", "0.bias"}, lr = 3},
    {match = "0.weight", lr = function(lr) return lr / 2 end}}})
  optimiser:step(0.1)
  local got = {}
  for _, p in ipairs(model:parameters()) do got[p.name] = p.param.value:sum():item() / p.param:numel() end
  check.close(got["0.bias"], 0.9)
  check.close(got["1.bias"], 0.9)
  check.close(got["1.weight"], 1 - 3 * 1.5)
  check.close(got["0.weight"], 1 - 0.05 * 1.5)
  model:close()
end

function T.a_pattern_that_matches_nothing_is_refused()
  local model = small_model()
  local params = model:parameters()
  local function groups(...) return {groups = {...}} end
  check.fails('optim.sgd.groups%[1%]: "1.wieght" matches nothing; did you mean "1.weight"', sgd.new, params,
              groups {match = "1.wieght"})
  check.fails('"re:lstm" matches nothing', sgd.new, params, groups {match = "re:lstm"})
  check.fails('the pattern "re:%[" is malformed', sgd.new, params, groups {match = "re:["})
  check.fails("groups%[2%]: all that it matches belongs to groups before it", sgd.new, params,
              groups({match = "re:."}, {match = "0.*"}))
  check.fails("optim.sgd.groups%[1%] needs match", sgd.new, params, groups {lr = 1})
  check.fails('unknown key "clip_norm"', sgd.new, params, groups {match = "0.*", clip_norm = 1})
  model:close()
end

function T.a_loaded_state_continues_exactly()
  local zero <close> = lac.tensor {0, 0}
  for _, rule in ipairs(RULES) do
    local _, new, cfg, rate = table.unpack(rule)
    local a <close> = lac.tensor({1, -2}):requires_grad(true)
    local first = new({a}, cfg)
    for k = 1, 3 do
      pull(a, zero)
      first:step(rate_of(rate, k))
    end
    local b <close> = a:clone():requires_grad(true)
    local second = new({b}, cfg)
    second:load(first:state())
    for _, pair in ipairs {{a, first}, {b, second}} do
      pull(pair[1], zero)
      pair[2]:step(rate_of(rate, 4))
      pair[2]:close()
    end
    check.equal(b, a:totable())
  end
end

function T.a_state_that_does_not_fit_is_refused()
  local a <close> = lac.tensor({1, 2}):requires_grad(true)
  local b <close> = lac.tensor({1}):requires_grad(true)
  local two, one, pair, plain = adam.new {a}, adam.new {b}, adam.new {a, b}, sgd.new {a}
  check.fails("of 1 is %[1%], the parameter %[2%]", two.load, two, one:state())
  check.fails("'counts' must hold one item for each of 1 parameters", two.load, two, pair:state())
  check.fails("'slots' must hold one item", two.load, two, {counts = {1}})
  check.fails("slots of 1 lack '[mv]'", two.load, two, plain:state())
  check.fails("count of 1 must be a whole number >= 0, got 0.5", two.load, two, {counts = {0.5}, slots = {{}}})
  two:close()
  one:close()
  pair:close()
end

function T.bad_parameters_and_settings_are_refused()
  local fixed <close> = lac.tensor {1}
  local w <close> = lac.tensor({1}):requires_grad(true)
  check.fails("parameter 1 %(tensor f32 %[1%]%) does not require a gradient", sgd.new, {fixed})
  check.fails("needs a list of at least one parameter", adam.new, {})
  check.fails("parameter weight has no value", adam.new, Linear {inputs = 1, outputs = 1}:parameters())
  check.fails('unknown key "momentun"', sgd.new, {w}, {momentun = 1})
  check.fails('form must be "pytorch" or "tensorflow", got "torch"', adam.new, {w}, {form = "torch"})
  local optimiser = sgd.new {w}
  pull(w, fixed)
  check.fails("the learning rate must be a number >= 0, got nan", optimiser.step, optimiser, math.abs(0 / 0))
  check.fails("the learning rate must be a number >= 0, got nil", optimiser.step, optimiser)
end

return T
