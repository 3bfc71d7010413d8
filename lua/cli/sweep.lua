--- lacuna sweep: the grid of runs of a recipe, and the table that compares them.
local native = require "cli.native"
local recipes = require "cli.recipes"
local Sweep = require "train.sweep"
local comparison = require "train.comparison"
local grid = require "train.grid"
local recipe = require "train.recipe"

local sweep = {
  summary = "run a recipe at every point of a grid, and compare the results",
  usage = "lacuna sweep RECIPE key=a,b,c ... [--out FOLDER] [--list]",
  options = {
    {name = "out", value = "FOLDER", help = "where the runs go (default runs/<the recipe's folder>-<name>-sweep)"},
    {name = "list", help = "print the runs and what has become of them, run nothing"},
    {name = "trust", help = "give the recipe all of Lua, as lacuna run --trust does"},
  },
  arguments = {name = "RECIPE", min = 1},
  details = "Every combination of the values is a run, in a folder of its own below FOLDER; the last key changes\n"
    .. "fastest. A value may be Lua with commas inside brackets or quotes. All are checked before the first one\n"
    .. "starts. Where a method starts from another run (a dense one, say), that run is made first, once for all\n"
    .. "that share it. After each run table.md, table.csv and chart.svg compare all finished runs in FOLDER, those\n"
    .. "of earlier sweeps too.\n"
    .. "Ctrl-C saves and ends; the same command goes on. Processes with the same FOLDER, on other machines too,\n"
    .. "share the work. A run that fails leaves failed.txt and the others go on; the same command tries it again.",
}

local STATES = {done = "finished", running = "held by another process", begun = "begun", new = "to do"}

local function print_list(points)
  local width = 0
  for _, point in ipairs(points) do width = math.max(width, #point.name) end
  for _, point in ipairs(points) do
    local state, why = Sweep.look(point)
    local word = state == "failed" and "failed: " .. why or STATES[state]
    print(point.name .. (" "):rep(width + 2 - #point.name) .. word)
  end
end

local function say(text)
  io.stderr:write("lacuna: ", text, "\n")
end

-- Write the comparison of what is finished; nil where that is nothing.
local function compare(folder)
  return comparison.write(folder, native.list(folder) or {})
end

local function compare_early(folder)
  local good, message = pcall(compare, folder)
  if not good then say(message) end
end

local function report(folder, failures)
  local text = compare(folder)
  if text then
    io.write(text)
    print(("\n%s/table.md, table.csv and chart.svg hold this"):format(folder))
  end
  if #failures == 0 then return 0 end
  say(#failures == 1 and "one run failed:" or ("%d runs failed:"):format(#failures))
  for _, failure in ipairs(failures) do io.stderr:write(("  %s: %s\n"):format(failure.point.name, failure.message)) end
  return 1
end

function sweep.run(args)
  local axes = grid.parse(table.move(args, 2, #args, 1, {}))
  local how = recipes.how {trusted = args.trust}
  local sources = recipe.sources(args[1], how)
  local folder = args.out and args.out:gsub("(.)/+$", "%1") or ("runs/%s-sweep"):format(recipe.name_of(args[1]))
  local points = grid.points(sources, axes, folder, how)
  local runs = Sweep {
    points = points, sources = sources, how = how, host = recipes.host, stop = native.interrupted,
    sleep = native.sleep, say = say, finished = function() compare_early(folder) end,
  }
  for _, point in ipairs(points) do
    runs:check_same(point)
    runs:check_keeps(point)
  end
  if args.list then return print_list(points) end
  say(("%d runs go to %s"):format(#points, folder))
  native.watch()
  if not runs:go() then
    say("stopped and saved; the same command goes on")
    return 130
  end
  return report(folder, runs.failures)
end

return sweep
