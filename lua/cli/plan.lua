--- lacuna plan: what a recipe would do.
local recipes = require "cli.recipes"
local options = require "cli.options"
local plan = require "train.plan"
local recipe = require "train.recipe"

local MOST_NAMES = 6 -- of those that a pattern matches

local command = {
  summary = "show what a recipe would do: schedules, sizes, what patterns match, time",
  usage = "lacuna plan RECIPE [key=value ...]\n       lacuna plan --diff RECIPE RECIPE",
  options = {
    {name = "diff", help = "print the keys in which two recipes differ"},
    {name = "points", value = "N", type = "integer", min = 1, max = 1000, default = 10, help = "rows per stage"},
    {name = "measure", value = "N", type = "integer", min = 0, default = 3,
      help = "steps to run for the estimate of time and memory; 0: none"},
    {name = "trust", help = "give the recipe all of Lua"},
  },
  arguments = {name = "RECIPE", min = 1},
}

local function resolve(path, overrides, trusted)
  local how = recipes.how {trusted = trusted, overrides = overrides}
  return recipe.resolve(recipe.sources(path, how), how)
end

local function print_diff(args)
  if #args ~= 2 then options.wrong("--diff needs two recipes; see lacuna plan --help") end
  local rows = plan.diff(resolve(args[1], {}, args.trust), resolve(args[2], {}, args.trust))
  if #rows == 0 then return print("no difference") end
  for _, row in ipairs(rows) do print(("%-28s %s -> %s"):format(row.key, row.a, row.b)) end
end

local function duration(seconds)
  if seconds < 90 then return ("%.0f s"):format(seconds) end
  if seconds < 5400 then return ("%.0f min"):format(seconds / 60) end
  return ("%.1f h"):format(seconds / 3600)
end

-- Names of the columns: those that every row has, then what the pruning method forecasts.
local function column_names(rows)
  local names, known, more = {"stage", "step", "epoch", "lr"}, {stage = true, step = true, epoch = true, lr = true}, {}
  for _, row in ipairs(rows) do
    for name, value in pairs(row) do
      if not known[name] and (name ~= "sampling" or value ~= 0) then
        known[name] = true
        more[#more + 1] = name
      end
    end
  end
  table.sort(more)
  return table.move(more, 1, #more, #names + 1, names)
end

local function print_timeline(rows)
  local names = column_names(rows)
  local lines, widths = {names}, {}
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(names) do
      local value = row[name]
      cells[i] = value == nil and "-" or (math.type(value) == "integer" and "%d" or "%.4g"):format(value)
    end
    lines[#lines + 1] = cells
  end
  for i = 1, #names do
    widths[i] = 0
    for _, cells in ipairs(lines) do widths[i] = math.max(widths[i], #cells[i]) end
  end
  for _, cells in ipairs(lines) do
    local out = {}
    for i, cell in ipairs(cells) do out[i] = (" "):rep(widths[i] - #cell) .. cell end
    print((table.concat(out, "  ")))
  end
end

-- Names, the first few where there are many.
local function name_list(names)
  local shown = table.concat(names, ", ", 1, math.min(#names, MOST_NAMES))
  return #names <= MOST_NAMES and shown or ("%s and %d more"):format(shown, #names - MOST_NAMES)
end

function command.run(args)
  if args.diff then return print_diff(args) end
  local cfg = resolve(args[1], table.move(args, 2, #args, 1, {}), args.trust)
  local run = require("train.run").plan(cfg, recipes.host())
  local found = plan.of(run, {points = args.points, measure = args.measure})
  print(("%s: %d steps, %d per epoch"):format(args[1], found.steps, found.epoch_steps))
  print(("%d parameters, %d of them in weights that pruning may touch"):format(found.sizes.parameters,
    found.sizes.maskable))
  for i, text in ipairs(found.losses) do print(("stage %d: %s"):format(i, text)) end
  for _, match in ipairs(found.matches) do
    print(("%s \"%s\" matches %s"):format(match.place, match.pattern, name_list(match.names)))
  end
  local measured = found.measured
  if measured then
    print(("about %s on this device without evaluations (%.0f ms a step), %.0f MB of device memory"):format(
      duration(measured.seconds * found.steps), 1000 * measured.seconds, measured.bytes / 1e6))
  end
  print()
  print_timeline(found.timeline)
  run:close()
end

return command
