--- When masks are updated, and what sparsity each update aims at.
--
-- Updates lie on a grid: first, first + every, ... up to last, in completed steps of the first stage. A target that is
-- a number is approached along a polynomial over that grid, from `initial` at the first update to the target at the
-- last; one that is a function of progress is asked at each update. Where `first` is not given it is one period.
-- Without `every` there is one update, at `first`, or before training.
--
-- Zhu and Gupta 2017, "To prune, or not to prune", equation 1 (power 3); the grid is the one of Tan, Chan and Chuah's
-- program: n = floor((last - first) / every) updates after the first.
-- @module prune.timing
local blame = require "core.blame"
local class = require "core.class"
local every = require "core.every"
local schedule = require "optim.schedule"

local Timing = class("PruneTiming")

local SHARES = {steps = true, epochs = true, ["%"] = true}

-- A moment, in steps of the stage; 0 is the start.
local function steps_of(value, at, name)
  if value == 0 and not name:find("every$") then return 0 end
  local number, unit = every.parse(value, name)
  if not SHARES[unit] then
    error(('%s is counted in steps, epochs or %%, not in %s'):format(name, unit), 0)
  end
  if unit == "%" and number > 100 then error(("%s: %g %% is beyond the end"):format(name, number), 0) end
  return math.floor(number * (unit == "epochs" and at.epoch_steps or unit == "%" and at.steps / 100 or 1))
end

--- @tparam table cfg target, first, last, every, initial, power, least (updates after the first: a longer `every` is
-- shortened); constant: a target that is a number is in force from the start; progress: the target may be 1
-- @tparam string name of the method, for messages
function Timing:init(cfg, name)
  self.cfg, self.name = cfg, name
  local target, most = cfg.target, cfg.progress and 1.1 or 1
  if type(target) == "number" and not (target >= 0 and target < most) then
    blame(("%s: target must be in [0, 1), got %g; it is the share of zeros"):format(name, target))
  end
  for _, key in ipairs {"first", "last", "every"} do
    if cfg[key] and (cfg[key] ~= 0 or key == "every") then
      local good, message = pcall(steps_of, cfg[key], {epoch_steps = 1, steps = 100}, ("%s: %s"):format(name, key))
      if not good then blame(message) end
    end
  end
  if type(target) == "function" and not cfg.every then
    blame(name .. ': a target that is a function needs every, as in every = "100 steps"')
  end
end

-- The grid in the stage that `at` lies in.
function Timing:grid(at)
  local cfg = self.cfg
  local first = cfg.first and steps_of(cfg.first, at, self.name .. ": first")
  if not cfg.every then return {first = first or 0, period = 1, last = first or 0} end
  local period = math.max(1, steps_of(cfg.every, at, self.name .. ": every"))
  local last = cfg.last and steps_of(cfg.last, at, self.name .. ": last") or at.steps
  if cfg.least > 0 then period = math.min(period, math.max(1, (last - (first or 0)) // cfg.least)) end
  first = first or period
  local count = math.max(0, (last - first) // period)
  return {first = first, period = period, last = first + period * count}
end

--- Check that there is room for updates, now that the length of the stage is known.
-- @tparam table at
function Timing:check(at)
  local grid = self:grid(at)
  if grid.first > at.steps then
    blame(("%s: first is step %d, but training ends after %d"):format(self.name, grid.first, at.steps))
  end
  local last = self.cfg.last and steps_of(self.cfg.last, at, self.name .. ": last") or 0
  if last > at.steps then
    blame(("%s: last is step %d, but training ends after %d"):format(self.name, last, at.steps))
  end
  if self.cfg.every and grid.last == grid.first and not self.cfg.constant then
    blame(("%s: from first (step %d) to last there is no room for a second update, %d steps later; make every shorter")
      :format(self.name, grid.first, grid.period))
  end
end

--- Whether masks are updated after a step.
-- @tparam table at step (0: before training), steps, epoch_steps
-- @treturn boolean
function Timing:due(at)
  local grid = self:grid(at)
  return at.step >= grid.first and at.step <= grid.last and (at.step - grid.first) % grid.period == 0
end

--- The sparsity in force after an update at a step.
-- @tparam table at
-- @treturn number
function Timing:target(at)
  local cfg = self.cfg
  if type(cfg.target) == "function" then
    local value = schedule.at(cfg.target, at, self.name .. ".target")
    if not (value >= 0 and value < 1) then
      error(("%s: target must be in [0, 1), got %g %s"):format(self.name, value,
        at.label or ("at step %d of %d"):format(at.step, at.steps)), 0)
    end
    return value
  end
  local grid = self:grid(at)
  if cfg.constant or not cfg.every or grid.last == grid.first then return cfg.target end
  local q = math.max(0, math.min(1, (at.step - grid.first) / (grid.last - grid.first)))
  return cfg.target + (cfg.initial - cfg.target) * (1 - q) ^ cfg.power
end

--- The sparsity at the end.
-- @treturn number
function Timing:final()
  if type(self.cfg.target) == "number" then return self.cfg.target end
  return self:target {step = 1000, steps = 1000, epoch = 0, epoch_steps = 1000, label = "in the end"}
end

--- What is in force after a step: nothing before the first update, then what the last update aimed at.
-- @tparam table at
-- @treturn number
function Timing:in_force(at)
  local grid = self:grid(at)
  if at.step < grid.first then return 0 end
  local step = math.min(grid.last, at.step - (at.step - grid.first) % grid.period)
  return self:target {step = step, steps = at.steps, epoch = at.epoch, epoch_steps = at.epoch_steps}
end

return Timing
