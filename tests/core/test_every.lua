local check = require "check"
local every = require "core.every"

local T = {}

-- The steps of a run of 20, 6 an epoch, at which it is time.
local function steps(value)
  local found = {}
  local due = every.due(value, {steps = 20, epoch_steps = 6, clock = function() return 0 end}, "x")
  for step = 1, 20 do
    if due(step) then found[#found + 1] = step end
  end
  return found
end

function T.a_number_counts_steps()
  check.equal(steps(7), {7, 14})
  check.equal(steps("7 steps"), {7, 14})
  check.equal(steps("7"), {7, 14})
end

function T.epochs_and_shares_of_the_stage_are_counted_in_steps()
  check.equal(steps("1 epoch"), {6, 12, 18})
  check.equal(steps("0.5 epochs"), {3, 6, 9, 12, 15, 18})
  check.equal(steps("25 %"), {5, 10, 15, 20})
end

function T.a_period_shorter_than_a_step_is_every_step()
  check.equal(#steps(0.1), 20)
end

function T.times_are_counted_from_the_last_yes()
  local now = 0
  local due = every.due("2 minutes", {steps = 20, epoch_steps = 6, clock = function() return now end}, "x")
  local said = {}
  for step = 1, 6 do
    now = now + 50
    said[step] = due(step)
  end
  check.equal(said, {false, false, true, false, false, true})
end

function T.what_is_not_understood_is_quoted()
  check.fails('x: expected something like "6000 steps".*got "soon"', every.parse, "soon", "x")
  check.fails('got "0 steps"', every.parse, "0 steps", "x")
  check.fails('x: there is no unit "epohcs"; did you mean "epochs"', every.parse, "3 epohcs", "x")
end

return T
