--- Soft thresholds against plain Lua: their gradients, steps of Adam, and the steering to a share of zeros.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local plain = require "prune.plain"

local T = {}

local SHAPES = {{6, 7}, {5, 9}}

local function thresholds(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do out[i] = p.param.mask.t:item() end
  return out
end

local function soft(w, c)
  local size = math.abs(w) - c
  return size > 0 and (w > 0 and size or -size) or 0
end

local function close_to(got, want, tolerance)
  for i, list in ipairs(want) do check.close(got[i], list, tolerance) end
end

-- Adam as of Kingma and Ba for one number.
local function adam(state, g, rate)
  state.k = (state.k or 0) + 1
  state.m = 0.9 * (state.m or 0) + 0.1 * g
  state.v = 0.999 * (state.v or 0) + 0.001 * g * g
  return rate * state.m / (1 - 0.9 ^ state.k) / (math.sqrt(state.v / (1 - 0.999 ^ state.k)) + 1e-8)
end

-- What every threshold must be raised by, in its own scale, for `zeros` weights to go.
local function steering(w, t, zeros)
  local all = {}
  for i, list in ipairs(w) do
    for _, x in ipairs(list) do
      all[#all + 1] = math.log(math.abs(x)) - t[i]
    end
  end
  table.sort(all)
  return (all[zeros] + all[zeros + 1]) / 2
end

-- Weights of no two equal sizes, between -1.2 and 1.2.
local function weights(seed)
  local list = {}
  for i, shape in ipairs(SHAPES) do
    local name = string.char(96 + i)
    list[i] = {name, lac.rng(seed):fork(name):uniform(shape, -1.2, 1.2)}
  end
  local model = bare.model(list)
  for _, item in ipairs(list) do item[2]:close() end
  return model
end

local function zeros_of(model)
  local computed = bare.computed(model)
  return plain.size(computed) - plain.sum(plain.map(function(x) return x ~= 0 and 1 or 0 end, computed))
end

function T.thresholds_and_weights_agree()
  local model = weights(81)
  local training <close> = bare.training(model, "str",
    {target = 0.6, first = 2, last = 10, every = 2, least = 0, init = -3, lr = 0.1})
  training.pruner:begin(training:view())
  local w, t, states = bare.values(model), {-3, -3}, {{}, {}}
  for step = 1, 16 do
    local gradients = bare.random_gradients(model, 82, step)
    training:step(bare.at(step), gradients, 0.03125)
    for i, list in ipairs(w) do
      local c, g, sum = math.exp(t[i]), bare.flat(gradients[i]), 0
      for j, x in ipairs(list) do
        if math.abs(x) > c then
          sum = sum - (x > 0 and 1 or -1) * g[j] * c
          list[j] = x - 0.03125 * g[j]
        end
      end
      t[i] = t[i] - adam(states[i], sum, 0.1)
    end
    if step >= 2 and step % 2 == 0 then
      local share = step >= 10 and 0.6 or plain.cubic(0.6, 2, 10, step)
      local zeros = math.floor(share * 87)
      if zeros > 0 then
        local more = steering(w, t, zeros)
        for i in ipairs(t) do t[i] = t[i] + more end
        check.equal(zeros_of(model), zeros)
      end
    end
    check.close(thresholds(model), t, 1e-3)
    close_to(bare.values(model), w, 1e-5)
    local computed = {}
    for i, list in ipairs(w) do computed[i] = plain.map(function(x) return soft(x, math.exp(t[i])) end, {list})[1] end
    close_to(bare.computed(model), computed, 1e-3)
  end
  check.yes(math.abs(t[1] - t[2]) > 0.05, "the thresholds went apart")
end

-- Sizes 0.1 .. 0.8; four of eight shall go: the threshold is between 0.4 and 0.5, in the middle of their logarithms,
-- and what is left is smaller by that.
function T.these_four_weights_go()
  local model = bare.model {{"a", {{0.1, -0.8, 0.3, -0.4, 0.5, 0.6, -0.2, 0.7}}}}
  local training <close> = bare.training(model, "str",
    {target = 0.5, first = 1, last = 2, every = 1, least = 0, lr = 0})
  training.pruner:begin(training:view())
  for step = 1, 2 do training:step(bare.at(step), {{{0, 0, 0, 0, 0, 0, 0, 0}}}, 0) end
  local c = math.sqrt(0.4 * 0.5)
  check.close(math.exp(thresholds(model)[1]), c, 1e-6)
  local shrunk = {0, c - 0.8, 0, 0, 0.5 - c, 0.6 - c, 0, 0.7 - c}
  check.close(bare.computed(model)[1], shrunk, 1e-6)
  for _, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    check.equal(p.param:pruned(), p.param:tensor())
    check.equal(p.param.mask:kept(p.param.value):item(), 4)
  end
  require "prune.fix" (model)
  check.close(bare.values(model)[1], shrunk, 1e-6)
  check.equal(bare.masks(model)[1], {0, 1, 0, 0, 1, 1, 0, 1})
end

function T.large_weights_can_go_and_zeros_are_no_trouble()
  local model = bare.model {{"a", {{0.5, -2, 3, 0, 1, 0, 4, 5}}}}
  local training <close> = bare.training(model, "str", {target = 0.75, first = 1, last = 5, every = 1, least = 0})
  training.pruner:begin(training:view())
  local nothing = {{{0, 0, 0, 0, 0, 0, 0, 0}}}
  for step = 1, 2 do training:step(bare.at(step), nothing, 0) end -- 0, then 3 of 8
  check.equal(zeros_of(model), 3)
  for step = 3, 6 do training:step(bare.at(step), nothing, 0) end
  check.equal(zeros_of(model), 6)
  check.close(bare.computed(model)[1][8], 5 - math.sqrt(12), 1e-5)
end

function T.where_only_zeros_shall_go_the_threshold_is_next_to_nothing()
  local model = bare.model {{"a", {{0.5, -2, 0, 0}}}}
  local training <close> = bare.training(model, "str", {target = 0.5, first = 1, last = 2, every = 1, least = 0})
  training.pruner:begin(training:view())
  for step = 1, 4 do training:step(bare.at(step), {{{0, 0, 0, 0}}}, 0) end
  check.equal(zeros_of(model), 2)
  check.close(bare.computed(model)[1], {0.5, -2, 0, 0}, 1e-6)
end

function T.the_target_holds_after_the_cubic_and_in_later_stages()
  local model = weights(83)
  local training <close> = bare.training(model, "str", {target = 0.7, first = 1, last = 11, every = 5, least = 0})
  training.pruner:begin(training:view())
  for step = 1, 43 do training:step(bare.at(step, {steps = 43}), bare.random_gradients(model, 84, step), 0.03125) end
  check.equal(zeros_of(model), 60) -- 43 is not on the grid, but the end
  for step = 1, 7 do
    training:step(bare.at(step, {stage = 2, steps = 7}), bare.random_gradients(model, 85, step), 0.03125)
  end
  check.equal(zeros_of(model), 60)
  check.equal(training.pruner:forecast(bare.at(50)).target, 0.7)
  check.equal(training.pruner:forecast(bare.at(2, {stage = 2})).target, 0.7)
  check.equal(training.pruner:final_target(), 0.7)
end

function T.frozen_tensors_have_no_threshold_and_count()
  local model = weights(86)
  local training <close> = bare.training(model, "str",
    {target = 0.3, first = 1, last = 2, every = 1, least = 0, freeze = {"b"}})
  training.pruner:begin(training:view())
  check.equal(model:parameters()[2].param.mask, nil)
  for step = 1, 2 do training:step(bare.at(step), bare.random_gradients(model, 87, step), 0) end
  check.equal(zeros_of(model), 26) -- of 87, all of them in the 42 of a
end

function T.settings_that_cannot_be_are_refused()
  local function new(cfg) return function() require("prune.str").new(cfg) end end
  check.fails("target must be given", new {})
  check.fails("target must be in %[0, 1%), got 1", new {target = 1})
  check.fails("counted in steps, epochs or %%, not in minutes", new {target = 0.5, every = "2 minutes"})
  local model = weights(88)
  check.fails("a target of 60 %% cannot be reached: the frozen tensors hold 51.72 %%", function()
    require("prune.str").new({target = 0.6, freeze = {"b"}}):attach(model)
  end)
  check.fails('freeze: "c" matches nothing', function()
    require("prune.str").new({target = 0.6, freeze = {"c"}}):attach(model)
  end)
  model:close()
  local pruner = require("prune.str").new {target = 0.6, first = "20 epochs"}
  check.fails("first is step 200, but training ends after 100", pruner.begin, pruner, bare.view())
end

return T
