--- Runs of recipes inside this process, stopped after any step, and comparisons of what they leave.
-- @module runs
local lac = require "lac"
local check = require "check"
local files = require "files"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"
local Run = require "train.run"

local runs = {}

-- What train.run wants of the program: silent, and asked to stop once `stop` steps are done.
local function quiet(stop)
  local host, done = recipes.host(), 0
  host.said = {}
  host.print = function(text) table.insert(host.said, text) end
  host.stop = function() return stop ~= nil and done >= stop end
  host.progress = {start = function() end, finish = function() end, note = function() end,
                   update = function(_, step) done = step end}
  return host
end

local function go(run, stop)
  local good, result = pcall(run.go, run)
  run:close()
  if not good then error(result, 0) end
  check.equal(result ~= nil, stop == nil)
  return result
end

--- Start a run.
-- @tparam string path of the recipe
-- @tparam string folder
-- @tparam[opt] table overrides
-- @tparam[opt] integer stop after so many steps
-- @treturn ?table the result, nil when stopped
function runs.start(path, folder, overrides, stop)
  local how = recipes.how {trusted = true, overrides = overrides or {}}
  return go(Run.start(folder, recipe.sources(path, how), how, quiet(stop)), stop)
end

--- Go on with it.
function runs.resume(folder, stop)
  return go(Run.resume(folder, recipes.how {trusted = true}, quiet(stop)), stop)
end

--- The run of a recipe before its first step: run:begin() is what comes next. Close it.
function runs.build(path, folder, overrides)
  local how = recipes.how {trusted = true, overrides = overrides or {}}
  return Run(require "train.folder" (folder), recipe.resolve(recipe.sources(path, how), how), quiet())
end

--- Whether two model files hold the same bits in every tensor, those of the training state included.
function runs.check_same_model(one, two)
  local a <close> = lac.hdf5.open(one)
  local b <close> = lac.hdf5.open(two)
  check.equal(a:names(), b:names())
  local count = 0
  for _, name in ipairs(a:names()) do
    if not name:find("^/?config") and not name:find("^/?vocab") and not name:find("tree$") then
      local scope <close> = lac.scope()
      local x, y = a:read(name), b:read(name)
      check.equal(x:shape(), y:shape())
      check.yes(x:tobytes() == y:tobytes(), name .. " differs")
      count = count + 1
    end
  end
  check.yes(count > 0, "no tensor was compared")
end

--- The lines of a log without the times in them.
function runs.lines_without_times(path)
  return (files.read(path):gsub('"time": %d+', ""))
end

--- Whether two finished runs have the same models, numbers and result.
function runs.check_same(one, two)
  for _, name in ipairs {"last.h5", "best.h5", "best_sparse.h5"} do
    check.equal(files.exists(one .. "/" .. name), files.exists(two .. "/" .. name))
    if files.exists(one .. "/" .. name) then runs.check_same_model(one .. "/" .. name, two .. "/" .. name) end
  end
  check.equal(runs.lines_without_times(one .. "/log.jsonl"), runs.lines_without_times(two .. "/log.jsonl"))
  check.equal(files.read(one .. "/val_beam_1/scores.csv"), files.read(two .. "/val_beam_1/scores.csv"))
  check.equal(files.read(one .. "/result.json"), files.read(two .. "/result.json"))
end

return runs
