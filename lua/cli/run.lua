--- lacuna run: a recipe that trains, or any Lua script with `lac` and the library's modules.
local disk = require "core.disk"
local native = require "cli.native"
local options = require "cli.options"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"

local run = {
  summary = "train as a recipe says, or run a Lua script; restricted unless --trust is given",
  usage = "lacuna run [--trust] RECIPE [key=value ...]\n       lacuna run [--trust] SCRIPT [ARGUMENT...]",
  options = {
    {name = "out", value = "FOLDER", help = "where the run goes (default runs/<the recipe's folder>-<name>)"},
    {name = "trust", help = "give the script all of Lua: files, processes, native modules"},
    {name = "memory", value = "MIB", type = "integer", min = 1, default = 4096,
      help = "what Lua values may take, tensors not counted"},
    {name = "steps", value = "N", type = "integer", min = 1,
      help = "end a script after N Lua instructions"},
  },
  arguments = {name = "RECIPE", min = 1},
  options_first = true,
  details = "A file that returns a table is a recipe: what it says is trained, evaluated and exported into a run\n"
    .. "folder. key=value changes it, as in optim.lr=0.001, stages.1.epochs=3 or prune.target=0.95; lacuna plan\n"
    .. "shows what would happen. Ctrl-C saves and ends, a second one ends at once; lacuna resume goes on.\n"
    .. "A script (- for standard input) gets its arguments as ... and in the table arg. Globals are `lac`,\n"
    .. "`schedule` and `clock()` (seconds), and the library comes through require. Restricted means: no io, os,\n"
    .. "debug, package, files through lac, bytecode or modules from elsewhere.",
}

local function read_script(path)
  if path == "-" then return io.read("a"), "=stdin" end
  return disk.read(path, "the script"), "@" .. path
end

local function globals(args)
  local script = {[0] = args[1]}
  table.move(args, 2, #args, 1, script)
  return {clock = native.clock, arg = script}
end

-- runs/ucm-updown for recipes/ucm/updown.lua, with a number where that is taken.
local function choose_folder(path)
  local name = "runs/" .. recipe.name_of(path)
  local folder, n = name, 1
  while true do
    if not disk.exists(folder .. "/config.json") then return folder end
    n = n + 1
    folder = ("%s-%d"):format(name, n)
  end
end

local function train(args, how, source)
  local Run = require "train.run"
  local sources = recipe.sources(source, how)
  local folder = args.out or choose_folder(source.path)
  local started = Run.start(folder, sources, how, recipes.host())
  io.stderr:write(("lacuna: the run goes to %s\n"):format(folder))
  return recipes.go(started)
end

function run.run(args)
  local text, name = read_script(args[1])
  local words = table.move(args, 2, #args, 1, {})
  local how = recipes.how {trusted = args.trust, overrides = words, globals = globals(args),
                            memory = args.memory}
  local chunk, why = how.script(text, name)
  if not chunk then error(why, 0) end
  native.steps(args.steps or 0)
  local value = chunk(table.unpack(words))
  native.steps(0)
  if type(value) == "table" and (value.base or value.stages or value.model) then
    return train(args, how, {path = args[1], text = text, value = value})
  end
  if args.out then options.wrong("--out is for recipes; %s is a script, it returns no table", args[1]) end
end

return run
