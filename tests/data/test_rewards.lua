local lac = require "lac"
local build = require "data.build"
local captions = require "data.captions"
local check = require "check"
local files = require "files"
local references = require "data.references"

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

-- Run fn with data files being written as `change` says: text name -> text -> another text, or nil for none.
local function with_changed_texts(change, fn)
  local create = lac.hdf5.create
  lac.hdf5.create = function(path)
    local file = create(path)
    local function method(name)
      return function(_, ...) return file[name](file, ...) end
    end
    local front = setmetatable({}, {__index = function(_, name) return method(name) end,
                                    __close = function() file:close() end})
    function front.write_text(_, name, text)
      if change[name] then text = change[name](text) end
      if text then file:write_text(name, text) end
    end
    return front
  end
  local good, message = pcall(fn)
  lac.hdf5.create = create
  if not good then error(message, 0) end
end

local function nothing() return nil end

local function with_data(options, fn)
  return files.with_folder(function(folder)
    local path = folder .. "/small.h5"
    with_changed_texts(options.change or {}, function()
      build.write(path, options.source or source(), {coverage = 1, vocab_size = options.vocab_size})
    end)
    local dataset <close> = captions.open {path = path, batch = 2, captions_per_image = 2}
    return fn(dataset)
  end)
end

-- The words of all images, and of those for training.
local function texts_of(images)
  local lists, training = {}, {}
  for i, image in ipairs(images) do
    lists[i] = image.tokens
    if image.split == "train" then training[#training + 1] = image.tokens end
  end
  return lists, training
end

local WEIGHTS = {cider = 1, bleu = {0, 0, 0, 1}}

-- What the data file should give for captions of the images with these numbers.
local function expected(known, images, texts)
  local lists, training = texts_of(source().images)
  local rewards <close> = lac.text.rewards(lists, {cider = 1, bleu = {0, 0, 0, 1},
                                                   frequencies = lac.text.frequencies.count(training, known)})
  return rewards:score(images, texts)
end

-- The words that are there more than five times.
local KNOWN = {}
for word in ("a red cat there is on the street"):gmatch("%a+") do KNOWN[word] = true end

function T.images_of_a_batch_are_scored_by_their_numbers()
  with_data({}, function(dataset)
    local lists = texts_of(source().images)
    local rewards <close> = dataset:rewards(WEIGHTS)
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
      check.close(scores, expected(KNOWN, batch.images, texts), 1e-12)
      check.yes(scores[1] > 2, "a reference itself has a reward of only " .. scores[1])
    end
    local scope <close> = lac.scope() -- luacheck: ignore 211
    check.equal(dataset:evaluation("val", 2)().images, {3})
  end)
end

function T.references_have_the_words_that_ids_lose()
  with_data({vocab_size = 9}, function(dataset)
    check.equal(dataset:contents()[4].tokens, {"a red bus", "there is a red bus on the street"})
    local rewards <close> = dataset:rewards(WEIGHTS)
    local texts = {"there is a red bus on the street", "a blue cat", "a green UNK"}
    check.close(rewards:score({4, 5, 3}, texts), expected(KNOWN, {4, 5, 3}, texts), 1e-12)
  end)
end

function T.files_of_earlier_programs_are_scored_by_their_ids()
  with_data({change = {references = nothing, frequencies = nothing}}, function(dataset)
    local rewards <close> = dataset:rewards(WEIGHTS)
    local texts = {"there is a red bus on the street", "a blue cat"}
    check.close(rewards:score({4, 5}, texts), expected(nil, {4, 5}, texts), 1e-12)
    local _, text = check.run("data info " .. dataset.path)
    check.yes(text:find("\nn%-grams +not counted; "), text)
  end)
  with_data({vocab_size = 9, change = {references = nothing, frequencies = nothing}}, function(dataset)
    check.equal(dataset:contents()[4].tokens[1], "a red UNK") -- and the model says <unk>
    local rewards <close> = dataset:rewards {bleu = {1, 0, 0, 0}}
    check.close(rewards:score({4, 4}, {"a red <unk>", "a red UNK"}), {2 / 3, 1}, 1e-6)
  end)
end

function T.an_image_without_a_place_in_training_has_no_frequencies()
  local given = source()
  for _, image in ipairs(given.images) do image.split = "test" end
  given.vocab = require "data.vocab".from_words {"a"}
  files.with_folder(function(folder)
    local path = folder .. "/small.h5"
    build.write(path, given, {})
    check.fails("small.h5: has no training image", references.open_frequencies, path)
  end)
end

function T.damaged_references_are_named()
  with_data({change = {references = function(text) return text:gsub("\n.-\n", "\n", 1) end}}, function(dataset)
    check.fails("small.h5: cannot be used: it has 12 captions, but references for 11", dataset.rewards, dataset,
      WEIGHTS)
  end)
  with_data({change = {frequencies = function(text) return text .. "x a dog\n" end}}, function(dataset)
    check.fails('small.h5: cannot be used: document frequencies: line %d+ is "x a dog"', dataset.rewards, dataset,
      WEIGHTS)
  end)
end

function T.a_wrong_weight_is_refused_by_its_name()
  with_data({}, function(dataset)
    check.fails('"cidre".*did you mean "cider"', dataset.rewards, dataset, {cidre = 1})
    check.fails("cider or a part of bleu needs a weight", dataset.rewards, dataset, {})
  end)
end

function T.frequencies_are_read_from_a_data_file_or_from_json()
  local _, training = texts_of(source().images)
  local counted = lac.text.frequencies.count(training, KNOWN)
  with_data({}, function(dataset)
    check.equal(references.open_frequencies(dataset.path):text(), counted:text())
  end)
  files.with_folder(function(folder)
    local path = files.write(folder .. "/df.json", lac.json.encode(counted:table()))
    check.equal(references.open_frequencies(path):text(), counted:text())
    check.fails("df.json: document frequencies: ref_len must be a number, it is a nil.*takes a data file",
      references.open_frequencies, files.write(path, "[1]"))
    check.fails("df.json: not readable as JSON", references.open_frequencies, files.write(path, "{"))
    check.fails("no.h5: No such file", references.open_frequencies, folder .. "/no.h5")
  end)
end

return T
