--- The recipes that come with the program.
local lac = require "lac"
local check = require "check"
local files = require "files"
local native = require "cli.native"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"

local T = {}

local ROOT = check.settings.root .. "/recipes"

-- Paths of the recipes in folders of recipes/; scripts, which return no table, are not among them.
local function paths()
  local list, how = {}, recipes.how {trusted = true}
  for _, folder in ipairs(assert(native.list(ROOT))) do
    for _, file in ipairs(native.list(ROOT .. "/" .. folder) or {}) do
      local path = ROOT .. "/" .. folder .. "/" .. file
      if file:find("%.lua$") and files.read(path):find("\nreturn {") then
        check.yes(how.compile(files.read(path), "@" .. path))
        list[#list + 1] = path
      end
    end
  end
  return list
end

function T.every_recipe_resolves()
  local list = paths()
  check.yes(#list >= 16, #list .. " recipes")
  for _, path in ipairs(list) do
    local how = recipes.how {trusted = true}
    local cfg = recipe.resolve(recipe.sources(path, how), how)
    check.yes(cfg.data.path, path .. " names no data")
  end
end

function T.a_recipe_that_prunes_differs_from_its_dense_twin_in_nothing_else()
  for _, name in ipairs {"shapes/updown", "ucm/updown", "ucm/ort"} do
    local status, text = check.run(("plan --diff %s/%s.lua %s/%s-supermask.lua"):format(ROOT, name, ROOT, name))
    check.equal(status, 0)
    check.yes(text:find("prune.target +%- %-> 0.9\n"), text)
    for line in text:gmatch("[^\n]+") do check.yes(line:find("^prune%."), line) end
  end
end

function T.the_recipes_of_shapes_train()
  files.with_folder(function(folder)
    check.equal(check.run(("data build --shapes 30 -o %s/s.h5"):format(folder)), 0)
    for _, name in ipairs {"updown", "updown-supermask", "ort", "softattention"} do
      local status, text = check.run(("run --out %s/%s %s/shapes/%s.lua data.path=%s/s.h5 stages.1.steps=3"):format(
        folder, name, ROOT, name, folder))
      check.yes(status == 0, text)
      local result = lac.json.decode(files.read(("%s/%s/result.json"):format(folder, name)))
      check.yes(result.test.CIDEr >= 0)
    end
  end)
end

return T
