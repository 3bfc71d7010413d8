local check = require "check"
local schedule = require "optim.schedule"

local T = {}

-- The values of a schedule over a run of `steps` updates, five to an epoch.
local function values(s, steps)
  local list = {}
  for k = 1, steps do list[k] = schedule.at(s, {step = k, steps = steps, epoch = (k - 1) // 5}) end
  return list
end

function T.numbers_and_constants_stay()
  check.equal(values(0.5, 3), {0.5, 0.5, 0.5})
  check.equal(values(schedule.constant(0.25), 2), {0.25, 0.25})
end

function T.cosine_has_taken_its_first_step_at_the_first_update_and_ends_at_the_last()
  local got = values(schedule.cosine {from = 0.01, to = 1e-5}, 4)
  for k = 1, 4 do check.close(got[k], (0.01 - 1e-5) * (1 + math.cos(math.pi * k / 4)) / 2 + 1e-5, 1e-12) end
  check.close(got[4], 1e-5, 1e-12)
  check.close(schedule.at(schedule.cosine {from = 1}, {step = 9, steps = 4, epoch = 0}), 0, 1e-12) -- past the end
end

function T.linear_moves_between_start_and_stop()
  check.close(values(schedule.linear {from = 1, to = 0.5}, 4), {0.875, 0.75, 0.625, 0.5}, 1e-12)
  check.close(values(schedule.linear {from = 1, start = 0.25, stop = 0.75}, 4), {1, 0.5, 0, 0}, 1e-12)
end

function T.steps_come_every_few_epochs()
  local got = values(schedule.step {from = 1, rate = 0.5, every = 2}, 30) -- epochs 0 .. 5
  check.equal({got[1], got[6], got[10], got[11], got[20], got[21], got[30]}, {1, 1, 1, 0.5, 0.5, 0.25, 0.25})
  check.equal(values(schedule.step {from = 1, rate = 0.5, every = 1, start = -1}, 20)[20], 1)
  local late = values(schedule.step {from = 1, rate = 0.5, every = 1, start = 2}, 20)
  check.equal({late[15], late[16]}, {1, 0.5}) -- epoch 2 is not after the start
end

function T.noam_peaks_where_the_warm_up_ends()
  local s = schedule.noam {size = 512}
  local function at(k) return schedule.at(s, {step = k, steps = 10 ^ 6, epoch = 0}) end
  check.close(at(10000), 4.4194e-4, 1e-8)
  check.close(at(1), 512 ^ -0.5 * 1e-6, 1e-12)
  check.close(at(40000), at(10000) / 2, 1e-12)
end

function T.warm_up_leads_to_another_schedule()
  check.close(values(schedule.warmup {steps = 4, to = 2}, 6), {0.5, 1, 1.5, 2, 2, 2}, 1e-12)
  local cosine = schedule.cosine {from = 1}
  local got, plain = values(schedule.warmup {steps = 2, to = cosine}, 4), values(cosine, 4)
  check.close(got, {plain[1] / 2, plain[2], plain[3], plain[4]}, 1e-12)
end

function T.any_function_of_progress_will_do()
  check.close(values(function(t) return (1 - t) ^ 2 end, 4), {0.5625, 0.25, 0.0625, 0}, 1e-12)
  check.equal(values(function(_, at) return at.epoch end, 6), {0, 0, 0, 0, 0, 1})
end

function T.what_is_no_number_is_refused_by_name()
  local at = {step = 3, steps = 9, epoch = 0}
  check.fails("optim.lr: must be a finite number, got a nil at step 3 of 9", schedule.at, function() end, at,
              "optim.lr")
  check.fails("must be a finite number, got %-?nan", schedule.at, function() return 0 / 0 end, at)
  check.fails("must be a finite number, got inf", schedule.at, 1 / 0, at)
  check.fails("must be a finite number, got a string", schedule.at, "x", at)
end

function T.settings_are_checked()
  check.fails("schedule.cosine: needs from", schedule.cosine, {})
  check.fails('schedule.cosine: unknown key "form"; did you mean "from"', schedule.cosine, {form = 1})
  check.fails("schedule.linear: start must be below stop, got 0.5 and 0.5", schedule.linear,
              {from = 1, start = 0.5, stop = 0.5})
  check.fails("schedule.step: every must be above 0", schedule.step, {from = 1, every = 0})
  check.fails("schedule.noam: size and warmup must be above 0", schedule.noam, {size = 0})
  check.fails("schedule.warmup: needs to", schedule.warmup, {steps = 3})
  check.fails("schedule.constant: needs a number", schedule.constant, {})
end

function T.a_cubic_rises_fast_and_flattens_between_moments_in_epochs_percent_or_steps()
  local cubic = schedule.cubic {to = 0.8, start = 1, stop = "50 %"}
  local function at(step) return schedule.at(cubic, {step = step, steps = 100, epoch = 0, epoch_steps = 10}) end
  check.close({at(1), at(10), at(30), at(50), at(100)}, {0, 0, 0.7, 0.8, 0.8}, 1e-12)
  check.fails("stop: there is no unit", schedule.cubic, {to = 1, stop = "5 kilometres"})
  check.fails("schedule.cubic: needs to", schedule.cubic, {})
end

return T
