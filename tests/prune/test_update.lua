--- What an update costs, and what stops it.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"

local T = {}

-- How often a function waits for the device: transfers to the host, and from it, end when the queue has run.
local function waits(fn)
  lac.device.profile(true)
  local good, message = pcall(fn)
  local count = 0
  for _, row in ipairs(lac.device.profile_rows()) do
    if row.name == "(read)" or row.name == "(write)" then count = count + row.calls end
  end
  lac.device.profile(false)
  if not good then error(message, 0) end
  return count
end

local CASES = {
  {"gradual", {target = 0.5, first = 1, last = 90, every = 1, least = 0}},
  {"gradual", {target = 0.5, first = 1, last = 90, every = 1, least = 0, scope = "erk"}},
  {"gradual", {target = 0.5, first = 1, last = 90, every = 1, least = 0, scope = "normalised"}},
  {"movement", {target = 0.5, first = 1, last = 90, every = 1, least = 0}},
  {"rigl", {target = 0.5, every = 1, last = 90, least = 0}},
  {"set", {target = 0.5, every = 1, last = 90, least = 0}},
  {"score", {score = "fabs(w)", layout = "2:4", first = 1, every = 1}},
  {"score", {score = "s", accumulate = "s + w * g", first = 1, every = 1, target = 0.5, layout = "2x2"}},
  {"score", {target = 0.9, gate = {cut = 0.5}}},
  {"str", {target = 0.5, first = 1, last = 90, every = 1, least = 0}},
}

function T.an_update_waits_for_the_device_at_most_once()
  for _, case in ipairs(CASES) do
    local model = bare.random_model({{4, 8}, {6, 12}}, 71)
    local training <close> = bare.training(model, case[1], case[2])
    training.pruner:begin(training:view())
    for step = 1, 2 do -- the first builds what is kept
      local pruner, at = training.pruner, bare.at(step)
      if pruner.judge then pruner:judge(1) end -- a gate goes on
      if pruner.prepare then pruner:prepare(at) end
      bare.backward(model, bare.random_gradients(model, 72, step))
      local count = waits(function()
        if pruner.before_step then pruner:before_step(model, at, training.optimiser) end
        pruner:update(model, at)
      end)
      check.yes(count <= 1, ("%s waits %d times"):format(case[1], count))
      check.yes(step == 1 or case[1] == "str" or count == 1, case[1] .. " does not look for NaN")
      model:zero_grad()
    end
  end
end

function T.a_score_that_is_no_number_is_named()
  local model = bare.model {{"a", {{1, 2}}}, {"b", {{-1, 4}}}}
  local training <close> = bare.training(model, "score", {score = "log(w)", target = 0.5})
  check.fails("the score of 1 weights of b is not a number", training.pruner.begin, training.pruner, training:view())
end

return T
