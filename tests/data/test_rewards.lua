local lac = require "lac"
local build = require "data.build"
local captions = require "data.captions"
local check = require "check"
local files = require "files"

local T = {}

-- Images 1 to 6, one of them for validation; image i has captions about `WORDS[i]`.
local WORDS = {"red dog", "blue dog", "green cat", "red bus", "blue cat", "red cat"}

local function source()
  local images = {}
  for i, words in ipairs(WORDS) do
    local tokens = {"a " .. words, "there is a " .. words .. " on the street"}
    images[i] = {id = "image " .. i, file = i .. ".jpg", split = i == 3 and "val" or "train",
                 captions = {tokens[1]:upper() .. ".", tokens[2]}, tokens = tokens}
  end
  return {name = "small", width = 2, images = images, read = function() return {att = lac.zeros {1, 2}} end}
end

local function with_data(options, fn)
  return files.with_folder(function(folder)
    local path = folder .. "/small.h5"
    build.write(path, source(), options)
    local dataset <close> = captions.open {path = path, batch = 2, captions_per_image = 2}
    return fn(dataset)
  end)
end

function T.images_of_a_batch_are_scored_by_their_numbers()
  with_data({coverage = 1}, function(dataset)
    local lists = {}
    for i, image in ipairs(source().images) do lists[i] = image.tokens end
    local training = table.move(lists, 4, 6, 3, {lists[1], lists[2]})
    local rewards <close> = dataset:rewards {cider = 1, bleu = {0, 0, 0, 1}}
    local other <close> = lac.text.rewards(lists, {cider = 1, bleu = {0, 0, 0, 1},
                                                   frequencies = lac.text.frequencies.count(training)})
    check.equal(#rewards, 6)
    for index = 1, dataset:steps() do
      local scope <close> = lac.scope() -- luacheck: ignore 211
      local batch = dataset:batch(1, 0, index)
      local ids, texts = {}, {}
      for i, number in ipairs(batch.images) do
        ids[i], texts[i] = "image " .. number, lists[number][2]
      end
      check.equal(ids, batch.ids)
      local scores = rewards:score(batch.images, texts)
      check.close(scores, other:score(batch.images, texts), 1e-12)
      check.yes(scores[1] > 2, "a reference itself has a reward of only " .. scores[1])
    end
    check.equal(dataset:evaluation("val", 2)().images, {3})
  end)
end

return T
