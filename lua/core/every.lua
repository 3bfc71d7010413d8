--- How often: "6000 steps", "1 epoch", "10 %", "5 minutes", or a number of steps.
-- @module core.every
local suggest = require "core.suggest"

local every = {}

local UNITS = {step = "steps", steps = "steps", epoch = "epochs", epochs = "epochs", ["%"] = "%",
               second = "seconds", seconds = "seconds", minute = "minutes", minutes = "minutes",
               hour = "hours", hours = "hours"}
local SECONDS = {seconds = 1, minutes = 60, hours = 3600}

--- @tparam string|number value
-- @tparam string name of the setting, for messages
-- @treturn number amount, above 0
-- @treturn string "steps", "epochs", "%" (of the stage), "seconds", "minutes" or "hours"
function every.parse(value, name)
  local number, unit = value, "steps"
  if type(value) == "string" then
    number, unit = value:match("^%s*([%d.]+)%s*(%S*)%s*$")
    number, unit = tonumber(number), unit == "" and "steps" or unit
  end
  if not number or not (number > 0 and number < math.huge) then
    error(('%s: expected something like "6000 steps", "1 epoch", "10 %%" or "5 minutes", got "%s"'):format(name,
      tostring(value)), 0)
  end
  if not UNITS[unit] then
    local names = {}
    for known in pairs(UNITS) do names[#names + 1] = known end
    error(('%s: there is no unit "%s"%s'):format(name, unit, suggest.hint(unit, names)), 0)
  end
  return number, UNITS[unit]
end

--- A question "is it time?", asked after every step.
-- @tparam string|number value
-- @tparam table run steps = of the stage, epoch_steps = steps of an epoch, clock = function -> seconds
-- @tparam string name of the setting
-- @treturn function (step) -> boolean; counted in steps it depends on the step alone, counted in time on when it
-- last said yes
function every.due(value, run, name)
  local number, unit = every.parse(value, name)
  if SECONDS[unit] then
    local period, last = number * SECONDS[unit], run.clock()
    return function()
      if run.clock() - last < period then return false end
      last = run.clock()
      return true
    end
  end
  local scale = unit == "epochs" and run.epoch_steps or unit == "%" and run.steps / 100 or 1
  local period = math.max(1, number * scale)
  return function(step) return step > 0 and step // period > (step - 1) // period end
end

return every
