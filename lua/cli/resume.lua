--- lacuna resume: go on with a run exactly where it stopped.
local options = require "cli.options"
local recipes = require "cli.recipes"
local Folder = require "train.folder"
local Run = require "train.run"

local resume = {
  summary = "go on with a run exactly where it stopped",
  usage = "lacuna resume RUN [data.path=FILE] [data.images=DIR]",
  options = {
    {name = "trust", help = "give the recipe all of Lua, as lacuna run --trust does"},
  },
  arguments = {name = "RUN", min = 1, max = 3},
  details = "RUN is the folder that lacuna run made. The recipe is the one kept there, and on the same device the\n"
    .. "rest of the run is the same bit for bit as if it had never stopped. At most the work since last.h5 was\n"
    .. "written is done again. data.path=FILE and data.images=DIR say where the data file and its pictures are\n"
    .. "now, if they were moved.",
}

function resume.run(args)
  local overrides = table.move(args, 2, #args, 1, {})
  for _, word in ipairs(overrides) do
    if not (word:find("^data%.path=.") or word:find("^data%.images=.")) then
      options.wrong('"%s": the only things that can be changed are data.path=FILE and data.images=DIR', word)
    end
  end
  local run = Run.resume(args[1], recipes.how {trusted = args.trust, overrides = overrides}, recipes.host())
  if run then return recipes.go(run) end
  print(args[1] .. " is finished:")
  recipes.report(args[1], Folder(args[1]):read_json("result.json"))
end

return resume
