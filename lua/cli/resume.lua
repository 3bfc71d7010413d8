--- lacuna resume: go on with a run exactly where it stopped.
local options = require "cli.options"
local recipes = require "cli.recipes"
local Folder = require "train.folder"
local Run = require "train.run"

local resume = {
  summary = "go on with a run exactly where it stopped",
  usage = "lacuna resume RUN [data.path=FILE]",
  options = {
    {name = "trust", help = "give the recipe all of Lua, as lacuna run --trust does"},
  },
  arguments = {name = "RUN", min = 1, max = 2},
  details = "RUN is the folder that lacuna run made. The recipe is the one kept there, and on the same device the\n"
    .. "rest of the run is the same bit for bit as if it had never stopped. At most the work since last.h5 was\n"
    .. "written is done again. data.path=FILE says where the data file is now, if it was moved.",
}

function resume.run(args)
  if args[2] and not args[2]:find("^data%.path=.") then
    options.wrong('"%s": the only thing that can be changed is data.path=FILE', args[2])
  end
  local run = Run.resume(args[1], recipes.how {trusted = args.trust, overrides = {args[2]}}, recipes.host())
  if run then return recipes.go(run) end
  print(args[1] .. " is finished:")
  recipes.report(args[1], Folder(args[1]):read_json("result.json"))
end

return resume
