--- Schedules: what a number such as the learning rate is at each update.
--
-- A schedule is a number, or a function f(t, at) -> number: t is the progress, at = {step =, steps =, epoch =,
-- epoch_steps =}.
-- The step counter is raised before an update, so the first has step = 1 and t = 1 / steps, and the last t = 1.
-- epoch counts from 0. Any Lua function of progress will do: function(t) return 0.1 * (1 - t) ^ 2 end.
-- @module optim.schedule
local blame = require "core.blame"
local config = require "core.config"
local every = require "core.every"

local schedule = {}

local number = config.optional "number"

-- Settings, of which those without a default must be given.
local function read(name, defaults, cfg, needed)
  cfg = config.merge(defaults, cfg, "schedule." .. name)
  for _, key in ipairs(needed) do
    if cfg[key] == nil then blame(("schedule.%s: needs %s"):format(name, key)) end
  end
  return cfg
end

--- The same number throughout.
-- @tparam number value
function schedule.constant(value)
  if type(value) ~= "number" then blame("schedule.constant: needs a number, got a " .. type(value)) end
  return function() return value end
end

--- Along half a cosine: to + (from - to) (1 + cos(pi t)) / 2.
-- Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5, without restarts.
-- @tparam table cfg from, to (0)
function schedule.cosine(cfg)
  cfg = read("cosine", {from = number, to = 0}, cfg, {"from"})
  return function(t) return (cfg.from - cfg.to) * (1 + math.cos(math.pi * math.min(1, t))) / 2 + cfg.to end
end

--- Along a line while the progress goes from start to stop; constant before and after.
-- @tparam table cfg from, to (0), start (0), stop (1)
function schedule.linear(cfg)
  cfg = read("linear", {from = number, to = 0, start = 0, stop = 1}, cfg, {"from"})
  if not (cfg.start < cfg.stop) then -- luacheck: ignore 581 (NaN)
    blame(("schedule.linear: start must be below stop, got %g and %g"):format(cfg.start, cfg.stop))
  end
  return function(t)
    local share = math.max(0, math.min(1, (t - cfg.start) / (cfg.stop - cfg.start)))
    return cfg.from + (cfg.to - cfg.from) * share
  end
end

--- A rate for every few epochs: from * rate^floor((epoch - start) / every) once epoch > start, before that from.
-- @tparam table cfg from, rate (0.8), every (3 epochs), start (0); a start below 0 keeps `from` for ever
function schedule.step(cfg)
  cfg = read("step", {from = number, rate = 0.8, every = 3, start = 0}, cfg, {"from"})
  if not (cfg.every > 0) then -- luacheck: ignore 581 (NaN)
    blame(("schedule.step: every must be above 0, got %g"):format(cfg.every))
  end
  return function(_, at)
    if cfg.start < 0 or at.epoch <= cfg.start then return cfg.from end
    return cfg.from * cfg.rate ^ ((at.epoch - cfg.start) // cfg.every)
  end
end

--- factor size^-0.5 min(k^-0.5, k warmup^-1.5) at step k: a linear rise, then the inverse square root.
-- Vaswani et al. 2017, "Attention is all you need", equation 3.
-- @tparam table cfg size (of the model), factor (1), warmup (10000 steps)
function schedule.noam(cfg)
  cfg = read("noam", {size = number, factor = 1, warmup = 10000}, cfg, {"size"})
  if not (cfg.size > 0 and cfg.warmup > 0) then
    blame(("schedule.noam: size and warmup must be above 0, got %g and %g"):format(cfg.size, cfg.warmup))
  end
  return function(_, at)
    local k = at.step
    return cfg.factor * cfg.size ^ -0.5 * math.min(k ^ -0.5, k * cfg.warmup ^ -1.5)
  end
end

--- Another schedule, over the first steps multiplied by step / steps.
-- Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.
-- @tparam table cfg steps, to (a number or schedule)
function schedule.warmup(cfg)
  cfg = read("warmup", {steps = number, to = config.optional("number", "function")}, cfg, {"steps", "to"})
  if not (cfg.steps >= 1) then -- luacheck: ignore 581 (NaN)
    blame(("schedule.warmup: steps must be at least 1, got %g"):format(cfg.steps))
  end
  return function(t, at)
    local value = type(cfg.to) == "function" and cfg.to(t, at) or cfg.to
    return value * math.min(1, at.step / cfg.steps)
  end
end

-- A moment in steps: "1 epoch", "50 %", "200 steps", or a number of epochs.
local function moment(value, at, name)
  local epoch = at.epoch_steps or at.steps
  if type(value) == "number" then return value * epoch end
  local amount, unit = every.parse(value, name)
  local scale = unit == "epochs" and epoch or unit == "%" and at.steps / 100 or unit == "steps" and 1
  if not scale then error(("%s is counted in steps, epochs or %%, not in %s"):format(name, unit), 0) end
  return amount * scale
end

--- From one value to another along to + (from - to) (1 - q)^3, fast at first, q going from 0 at start to 1 at stop.
-- Zhu and Gupta 2017, "To prune, or not to prune", equation 1.
-- @tparam table cfg to, from (0), start (0), stop ("100 %"): each a number of epochs, or "1 epoch", "50 %", "200 steps"
function schedule.cubic(cfg)
  cfg = read("cubic", {from = 0, to = number, start = config.either(0, "string"),
                       stop = config.either("100 %", "number")}, cfg, {"to"})
  for _, key in ipairs {"start", "stop"} do
    local good, message = pcall(moment, cfg[key], {steps = 1}, "schedule.cubic." .. key)
    if not good then blame(message) end
  end
  return function(_, at)
    local start, stop = moment(cfg.start, at, "start"), moment(cfg.stop, at, "stop")
    local q = stop > start and (at.step - start) / (stop - start) or at.step < start and 0 or 1
    q = math.max(0, math.min(1, q))
    return cfg.to + (cfg.from - cfg.to) * (1 - q) ^ 3
  end
end

--- Check a learning rate as far as it can be told before training: a plain number.
-- @param value a number, a schedule, or nil
-- @tparam string name for messages
-- @raise for a number that is no rate
function schedule.check_rate(value, name)
  if type(value) == "number" and not (value >= 0 and value < math.huge) then
    blame(("%s must be a finite number >= 0, got %g"):format(name, value))
  end
end

--- The value of a schedule at one update.
-- @tparam number|function value
-- @tparam table at step (1 for the first update), steps (of the run), epoch (from 0)
-- @tparam[opt="schedule"] string name for messages
-- @treturn number
-- @raise when it is not a finite number
function schedule.at(value, at, name)
  if type(value) == "function" then value = value(at.steps > 0 and math.min(1, at.step / at.steps) or 1, at) end
  if type(value) ~= "number" or value ~= value or value == math.huge or value == -math.huge then
    error(("%s: must be a finite number, got %s at step %d of %d"):format(name or "schedule",
      type(value) == "number" and tostring(value) or "a " .. type(value), at.step, at.steps), 0)
  end
  return value
end

return schedule
