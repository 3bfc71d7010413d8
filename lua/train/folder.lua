--- The folder of a run: what is in it, and how it is written.
--
--     recipe.lua, base.lua, base-2.lua ...   the recipe as run, and what it is based on
--     config.json                            everything it came to, and the overrides
--     device.json                            program, device and driver
--     log.jsonl, events.out.tfevents.lacuna  numbers over time
--     val_beam_1/, test_beam_2/              captions and scores of each evaluation, scores.csv
--     sparsity.csv, layers.csv               per layer, of the pruned model; layers.csv as train.ledger
--     init.h5, step_500.h5                   weights before training, and at the steps of save.keep
--     last.h5, best.h5, best_sparse.h5       models; last.h5 holds all that resuming needs
--     result.json                            when the run is finished
--     failed.txt                             why it failed, as part of a sweep
-- @module train.folder
local lac = require "lac"
local disk = require "core.disk"
local class = require "core.class"
local json = require "data.json"

local Folder = class("Folder")

--- @tparam string path
function Folder:init(path)
  self.path = path
end

--- The path of something in it.
function Folder:at(name)
  return self.path .. "/" .. name
end

function Folder:has(name)
  return disk.exists(self:at(name))
end

function Folder:read(name)
  return disk.read(self:at(name))
end

--- Write a text: a reader sees the old or the new, never half.
function Folder:write(name, text)
  lac.files.write(self:at(name), text)
end

function Folder:write_json(name, value)
  self:write(name, lac.json.encode(value) .. "\n")
end

--- The value in a JSON file of the folder.
function Folder:read_json(name)
  local value = json(self:at(name))
  if type(value) ~= "table" then error(("%s: holds no JSON object"):format(self:at(name)), 0) end
  return value
end

--- The overrides that the run was started with.
-- @treturn table list of "key=value"
function Folder:overrides()
  local overrides = self:read_json("config.json").overrides
  for i, word in pairs(type(overrides) == "table" and overrides or {false}) do
    if math.type(i) ~= "integer" or type(word) ~= "string" then
      error(self:at "config.json" .. ": overrides must be a list of texts", 0)
    end
  end
  return overrides
end

--- Add a line to a table in a text file, with a heading where the file is new; lines that begin with the same field
-- (a step done again after a resume) are replaced.
function Folder:add_row(name, heading, row)
  local lines, key = {heading}, row:match("^[^,]*,")
  if self:has(name) then
    for line in self:read(name):gmatch("[^\n]+") do
      if line ~= heading and line:sub(1, #key) ~= key then lines[#lines + 1] = line end
    end
  end
  lines[#lines + 1] = row
  self:write(name, table.concat(lines, "\n") .. "\n")
end

--- Remove what a killed process left half-written.
-- @tparam table names of the files in it
function Folder:tidy(names)
  for _, name in ipairs(names) do
    if name:find("%.tmp%-%d+$") then os.remove(self:at(name)) end
  end
end

--- The texts of the recipe as kept here, the recipe first.
-- @treturn table list of {path, text}
function Folder:recipe_texts()
  local list = {{path = self:at("recipe.lua"), text = self:read("recipe.lua")}}
  local name = "base.lua"
  while self:has(name) do
    list[#list + 1] = {path = self:at(name), text = self:read(name)}
    name = ("base-%d.lua"):format(#list)
  end
  return list
end

--- Keep the texts of a recipe.
-- @tparam table sources as from train.recipe
function Folder:keep_recipe(sources)
  for i, source in ipairs(sources) do
    self:write(i == 1 and "recipe.lua" or i == 2 and "base.lua" or ("base-%d.lua"):format(i - 1), source.text)
  end
end

return Folder
