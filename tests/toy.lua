--- A data file and recipes so small that a run takes part of a second.
-- @module toy
local lac = require "lac"
local build = require "data.build"
local files = require "files"

local toy = {}

local COLOURS, THINGS = {"red", "blue", "green"}, {"dog", "cat", "bus", "tree"}

-- Image i shows a coloured thing; its features are one number for each word, and a little noise.
local function features(i)
  local rng = lac.rng(7):fork("image " .. i)
  local x = rng:uniform({3, 8}, 0, 0.1)
  local hot = {}
  for r = 1, 3 do
    hot[r] = {}
    for j = 1, 8 do hot[r][j] = (j == i % 3 + 1 or j == i % 4 + 4) and 1 or 0 end
  end
  return x + lac.tensor(hot)
end

--- A source for data.build.
-- @tparam[opt=40] integer count images: three of four train
function toy.source(count)
  local images = {}
  for i = 1, count or 40 do
    local phrase = COLOURS[i % 3 + 1] .. " " .. THINGS[i % 4 + 1]
    local captions = {"a " .. phrase, "there is a " .. phrase, "a " .. phrase .. " here", "one " .. phrase,
                      "this is a " .. phrase}
    images[i] = {id = i, file = i .. ".jpg", split = i % 8 == 0 and "test" or i % 8 == 4 and "val" or "train",
                 captions = captions, tokens = captions, at = i}
  end
  return {name = "toy", width = 8, images = images, read = function(image) return {att = features(image.at)} end}
end

--- Write the data file and return its path.
function toy.data(folder, count)
  local path = folder .. "/toy.h5"
  build.write(path, toy.source(count), {coverage = 1})
  return path
end

local RECIPE = [[
return {
  seed = 3,
  data = {path = "%s", batch = 5, captions_per_image = 2, length = 8},
  model = {embed = 8, hidden = 12, attention = 6, dropout = 0.1},
  optim = {lr = schedule.cosine {from = 2e-2}, clip_value = 0.1},
  stages = {{epochs = 6}},
  eval = {every = "10 steps", test_beam = 1, batch = 4},
  save = {every = "4 steps"},
  log = {every = 3},
}
]]

--- Write a recipe for the data file and return its path.
function toy.recipe(folder, data)
  return files.write(folder .. "/toy.lua", RECIPE:format(data or toy.data(folder)))
end

-- Three boxes for image i.
local function boxes(i)
  return lac.tensor {{0, 0, 1, 1}, {0.1, 0.2, 0.3 + i / 100, 0.4}, {0.5, i / 100, 0.9, 0.8}}
end

--- A recipe of a small transformer that looks at boxes, and its data file.
function toy.transformer(folder)
  local source, path = toy.source(), folder .. "/boxed.h5"
  local read = source.read
  function source.read(image)
    local found = read(image)
    found.boxes = boxes(image.at)
    return found
  end
  build.write(path, source, {coverage = 1})
  toy.recipe(folder, path)
  return files.write(folder .. "/boxed.lua", 'return {base = "toy", model = {name = "ort", size = 16, inner = 24, '
    .. 'layers = 2, heads = 2, dropout = 0.1, inner_dropout = 0.1}, optim = {lr = 3e-3}}')
end

--- One that prunes, based on it.
function toy.pruning(folder)
  toy.recipe(folder)
  return files.write(folder .. "/pruned.lua",
    'return {base = "toy", prune = {method = "supermask", target = 0.5, weight = 20, lr = 300}}')
end

return toy
