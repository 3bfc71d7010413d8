--- The runs of a grid, one after the other, each in a folder of its own below one folder.
--
-- What is done is seen from the folders alone: a point with a result.json is finished, one with a config.json is
-- resumed, any other is started. A point whose folder another process holds is left to it and looked at again
-- later, so that several processes with one folder share the work. A run that fails leaves its sentence in
-- failed.txt and the others go on; the next sweep tries it again.
-- @module train.sweep
local lac = require "lac"
local class = require "core.class"
local keys = require "core.keys"
local Folder = require "train.folder"
local Loop = require "train.loop"
local Run = require "train.run"
local grid = require "train.grid"
local plan = require "train.plan"
local recipe = require "train.recipe"
local run_state = require "train.state"

local Sweep = class("Sweep")

local PAUSE = 5 -- seconds between looks at what other processes hold
local HELD = "is held by another process" -- how lac.files.lock says it

--- @tparam table cfg points (from train.grid); sources of the recipe; how, as for recipe.resolve; host = function ->
-- a new host for train.run; stop() -> whether the user asked to end; sleep(seconds); say(text); finished(point), called
-- after every run that this process has finished
function Sweep:init(cfg)
  for key, value in pairs(cfg) do self[key] = value end
  self.state, self.failures = {}, {} -- by the name of the point
end

local function how_with(how, words)
  local out = {}
  for key, value in pairs(how) do out[key] = value end
  out.overrides = table.move(words, 1, #words, 1, {})
  return out
end

-- Looking --------------------------------------------------------------------------------------------

local function is_held(folder)
  local good, lock = pcall(lac.files.lock, folder:at "lock")
  if good then lock:close() end
  return not good and lock:find(HELD, 1, true) ~= nil
end

local function one_line(text)
  return (text:gsub("%s*\n%s*", " "):gsub("%s+$", ""))
end

--- What has become of a point.
-- @treturn string "done", "running" (another process holds it), "failed", "begun" or "new"
-- @treturn ?string why it failed
function Sweep.look(point)
  local folder = Folder(point.path)
  if folder:has "result.json" then return "done" end
  if folder:has "lock" and is_held(folder) then return "running" end
  if folder:has "failed.txt" then return "failed", one_line(folder:read "failed.txt") end
  return folder:has "config.json" and "begun" or "new"
end

local MOVES = {["prune.start"] = true, ["data.path"] = true, ["data.images"] = true} -- may lie elsewhere by now

--- Raise where a folder holds a run of other settings than the point's: the recipe was changed since.
function Sweep:check_same(point)
  local folder = Folder(point.path)
  if not folder:has "config.json" then return end
  local good, kept = pcall(function()
    local texts = recipe.again(folder:recipe_texts(), self.how.compile)
    return recipe.resolve(texts, how_with(self.how, folder:overrides()))
  end)
  if not good then return end -- a result stays one; resuming says what is wrong
  local now = recipe.resolve(self.sources, how_with(self.how, point.overrides))
  for _, row in ipairs(plan.diff(kept, now)) do
    if not MOVES[row.key] and not row.key:find("^save%.keep") then -- that is for check_keeps
      error(("%s was run with %s = %s, and the recipe now says %s; choose another --out, or remove that folder"):format(
        point.path, row.key, row.a, row.b), 0)
    end
  end
end

-- Steps that a resolved recipe trains; nil where its data cannot be opened, as the run itself will say.
local function length_of(cfg)
  local opened, dataset = pcall(require("data." .. cfg.data.name).open, recipe.own(cfg.data))
  if not opened then return nil end
  local pruner = cfg.prune and require("prune." .. cfg.prune.method).new(recipe.own(cfg.prune))
  local good, _, total = pcall(Loop.length, cfg, dataset, pruner)
  dataset:close()
  return good and total or nil
end

-- Steps that are behind a run; 0 where nothing is saved.
local function steps_done(folder)
  if folder:has "result.json" then return math.huge end
  if not folder:has "last.h5" then return 0 end
  local scope <close> = lac.scope()
  local good, tree = pcall(run_state.read, folder:at "last.h5")
  return good and tree and tree.loop.step or 0
end

-- The steps whose weights a run was told to keep, as a set.
local function kept_steps(folder)
  local cfg, steps = folder:read_json("config.json").recipe, {}
  local list = type(cfg) == "table" and type(cfg.save) == "table" and cfg.save.keep
  for _, step in ipairs(type(list) == "table" and list or {}) do steps[math.tointeger(step) or step] = true end
  return steps
end

--- Raise where others are to go back to steps of this point (prune.rewind) that it does not have, or whose weights are
-- gone.
function Sweep:check_keeps(point)
  if not point.rewinds then return end
  local total = length_of(recipe.resolve(self.sources, how_with(self.how, point.overrides)))
  local folder = Folder(point.path)
  local begun = folder:has "config.json"
  local kept, done = begun and kept_steps(folder) or {}, begun and steps_done(folder) or 0
  for _, step in ipairs(keys(point.rewinds)) do
    if total and step > total then
      error(("prune.rewind: %s goes back to step %d, but %s, which it starts from, ends after %d"):format(
        point.rewinds[step], step, point.name, total), 0)
    end
    if done >= step and not kept[step] and not folder:has(("step_%d.h5"):format(step)) then
      error(("prune.rewind: %s goes back to step %d, and %s has passed that step without keeping its weights; remove "
        .. "that folder, so that it is made anew, or choose another --out"):format(point.rewinds[step], step,
        point.path), 0)
    end
  end
end

-- What a begun run is to keep besides what it was told: overrides.
local function more_to_keep(point, folder)
  if not point.rewinds then return {} end
  local steps = kept_steps(folder)
  for step in pairs(point.rewinds) do steps[step] = true end
  return {grid.keep_word(steps)}
end

-- Running --------------------------------------------------------------------------------------------

-- Run a point to its end; false when stopped.
function Sweep:train(point)
  local folder = Folder(point.path)
  local how, host = how_with(self.how, point.overrides), self.host()
  local run
  if folder:has "config.json" then
    how.overrides = more_to_keep(point, folder)
    run = Run.resume(point.path, how, host)
    if not run then return true end
  else
    run = Run.start(point.path, self.sources, how, host)
  end
  os.remove(folder:at "failed.txt")
  local good, result = pcall(run.go, run)
  if not good then host.progress:finish() end
  run:close()
  if not good then error(result, 0) end
  return result ~= nil
end

function Sweep:fail(point, message)
  message = one_line(tostring(message):gsub("^%[lacuna%]/[^:]+:%d+: ", ""))
  self.state[point.name] = "failed"
  table.insert(self.failures, {point = point, message = message})
  self.say(("%s failed: %s"):format(point.name, message))
  pcall(function() -- a full disk may be what made it fail
    lac.files.make_folder(point.path)
    Folder(point.path):write("failed.txt", message .. "\n")
  end)
  collectgarbage() -- what a run that was not even built has left on the device, its lock too
  collectgarbage()
end

-- Do what can be done for a point now; whether it is settled.
function Sweep:try(point, number)
  local state = Sweep.look(point)
  if state == "running" then return false end
  if state ~= "done" then
    local needed = point.needs and self.state[point.needs]
    if point.needs and not needed then return false end
    if needed == "failed" then
      self:fail(point, ("%s, the run that it starts from, failed"):format(point.needs))
      return true
    end
    self.say(("run %d of %d: %s%s"):format(number, #self.points, point.name, state == "begun" and ", goes on" or ""))
    local good, finished = pcall(self.train, self, point)
    if not good and tostring(finished):find(HELD, 1, true) then return false end -- it was quicker
    if not good then
      self:fail(point, finished)
      return true
    end
    if not finished then return nil end
    self.finished(point)
  end
  self.state[point.name] = "done"
  return true
end

-- One look at every open point; those that are still open, nil when stopped.
function Sweep:round(open)
  local left = {}
  for _, item in ipairs(open) do
    if self.stop() then return nil end
    local settled = self:try(item.point, item.number)
    if settled == nil then return nil end
    if not settled then left[#left + 1] = item end
  end
  return left
end

--- Run all.
-- @treturn boolean false when stopped; the run of that moment is saved
function Sweep:go()
  local open, told = {}, false
  for i, point in ipairs(self.points) do open[i] = {point = point, number = i} end
  while #open > 0 do
    local left = self:round(open)
    if not left then return false end
    if #left == #open then
      if not told then
        self.say(("waiting for other processes, which hold %s%s"):format(left[1].point.name,
          #left > 1 and (", and %d runs more to look at"):format(#left - 1) or ""))
      end
      told = true
      self.sleep(PAUSE)
    end
    open = left
  end
  return true
end

return Sweep
