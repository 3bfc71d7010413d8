--- What a recipe would do, without doing it: schedules over time, what patterns match, sizes, and the differences of
-- two recipes.
-- @module train.plan
local lac = require "lac"
local schedule = require "optim.schedule"

local plan = {}

-- Values over the run: rows of {step, epoch, lr, ...} at even shares of every stage.
local function timeline(cfg, loop, points)
  local rows = {}
  for number, stage in ipairs(loop.stages) do
    loop:focus(stage)
    local steps = {}
    for i = 0, points do
      local step = math.max(1, math.floor(i / points * stage.steps + 0.5))
      if step ~= steps[#steps] then steps[#steps + 1] = step end
    end
    for _, step in ipairs(steps) do
      local at = {step = step, steps = stage.steps, epoch = (step - 1) // loop.epoch_steps,
                  epoch_steps = loop.epoch_steps, stage = stage.number, round = stage.round}
      local row = {stage = number, step = stage.first + step, epoch = at.epoch,
                   lr = loop.rate(cfg, stage.cfg, at),
                   sampling = schedule.at(stage.cfg.sampling, at, "sampling")}
      if loop.pruner and loop.pruner.forecast and stage.cfg.masks ~= "frozen" then
        at.step = step - 1
        for name, value in pairs(loop.pruner:forecast(at)) do row[name] = value end
      end
      rows[#rows + 1] = row
    end
  end
  return rows
end

local function count(model)
  local sizes = {parameters = 0, maskable = 0}
  for _, p in ipairs(model:parameters()) do
    sizes.parameters = sizes.parameters + p.param:numel()
    if p.param:prunable() then sizes.maskable = sizes.maskable + p.param:numel() end
  end
  return sizes
end

-- What each name pattern of the recipe matched.
local function matches(cfg, run)
  local select = require "core.select"
  local names, found = {}, {}
  for i, p in ipairs(run.model:parameters()) do names[i] = p.name end
  local function add(place, patterns)
    if type(patterns) == "string" then patterns = {patterns} end
    for _, pattern in ipairs(patterns) do
      local list = {}
      for _, name in ipairs(names) do
        if select.matches(pattern, name) then list[#list + 1] = name end
      end
      found[#found + 1] = {place = place, pattern = pattern, names = list}
    end
  end
  for i, group in ipairs(cfg.optim.groups or {}) do add(("optim.groups.%d"):format(i), group.match) end
  if cfg.prune and cfg.prune.freeze then add("prune.freeze", cfg.prune.freeze) end
  for i, stage in ipairs(cfg.stages) do
    add(("stages.%d.freeze"):format(i), stage.freeze)
    if type(stage.masks) == "table" then add(("stages.%d.masks"):format(i), stage.masks) end
  end
  return found
end

--- Time a few steps of a run; the model is changed.
-- @tparam train.run run
-- @tparam integer steps
-- @treturn table seconds per step, device bytes at most
local function measure(run, steps)
  run.loop:train_step() -- builds kernels
  run.loop:collect()
  local start = run.host.clock()
  for _ = 1, steps do run.loop:train_step() end
  run.loop:collect()
  return {seconds = (run.host.clock() - start) / steps, bytes = lac.device.memory().peak_bytes}
end

--- @tparam train.run run built, not started
-- @tparam[opt] table options points (10) per stage, measure (steps to time, 0: none)
-- @treturn table timeline, sizes, matches, losses (of each stage, in words), steps, epoch_steps, measured
-- @raise what a run would be refused with at its start
function plan.of(run, options)
  options = options or {}
  local loop = run.loop
  loop:check()
  local out = {timeline = timeline(run.cfg, loop, options.points or 10), sizes = count(run.model),
               matches = matches(run.cfg, run), losses = {}, steps = loop.total, epoch_steps = loop.epoch_steps}
  for i, loss in ipairs(run.losses) do out.losses[i] = loss:describe(run.cfg.data.batch) end
  local steps = math.min(options.measure or 0, loop.total - 1)
  if steps > 0 then out.measured = measure(run, steps) end
  return out
end

local function flatten(value, path, out)
  if type(value) == "table" and getmetatable(value) == nil then
    local above = path == "" and "" or path .. "."
    for key, item in pairs(value) do flatten(item, above .. tostring(key), out) end
    return out
  end
  out[path] = value
  return out
end

-- A value as text; two schedules are compared by what they give.
local function show(value, steps)
  if type(value) ~= "function" then return type(value) == "string" and ("%q"):format(value) or tostring(value) end
  local list = {}
  for i = 0, 4 do
    local step = math.max(1, i * steps // 4)
    local good, number = pcall(schedule.at, value, {step = step, steps = steps, epoch = 0})
    list[#list + 1] = good and ("%.4g"):format(number) or "?"
  end
  return "schedule " .. table.concat(list, " ")
end

--- Keys in which two configurations differ.
-- @tparam table a resolved
-- @tparam table b resolved
-- @treturn table list of {key, a, b}, texts; a schedule as its values at 0, 25, 50, 75 and 100 %
function plan.diff(a, b)
  local left, right, keys, rows = flatten(a, "", {}), flatten(b, "", {}), {}, {}
  for key in pairs(left) do keys[#keys + 1] = key end
  for key in pairs(right) do if left[key] == nil then keys[#keys + 1] = key end end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local x = left[key] == nil and "-" or show(left[key], 1000)
    local y = right[key] == nil and "-" or show(right[key], 1000)
    if x ~= y then rows[#rows + 1] = {key = key, a = x, b = y} end
  end
  return rows
end

return plan
