--- Write a data file: captions as ids, features in one piece, everything that training needs.
--
-- The layout, format "lacuna-data": attributes format, version, name, width (features per region),
-- fc_width, boxes (0 or 1); `features` [all regions, width] float32 or float16 in one piece; `boxes` [all
-- regions, 4] and `fc` [images, fc_width], which may be absent; `region_start` and `caption_start` [images + 1],
-- `split` [images] (0 train, 1 val, 2 test), `token_start` [captions + 1] and `tokens`, ids with bos and eos, all
-- int32; the texts `vocab` (as the tokenizer's text() writes it) and `images` (JSON: [{id, file, captions}, ...]).
-- `references`: the words of the captions, joined, a line for each, rare ones too; `frequencies`: the document
-- frequencies of the training images' n-grams as lac.text.frequencies writes them, where words that occur five times or
-- less in all captions are "UNK" and "<eos>" is behind each caption (Karpathy's "coco-train-words"). Both are texts,
-- which files of earlier programs do not have and whose lack earlier programs do not mind; the latter is absent where
-- no image is for training.
-- `encoder`, which may be absent, tells the encoder that made the features (train.sight).
-- A file of pictures has in place of features, boxes, fc, region_start, width, fc_width and boxes the attribute
-- `pictures`, the folder in which the images' files are.
--
-- Version 1 knows the word tokenizer only, and is still written for it; version 2 knows features only, likewise.
-- @module data.build
local lac = require "lac"
local blame = require "core.blame"
local config = require "core.config"
local tokenizer = require "data.tokenizer"

local build = {FORMAT = "lacuna-data", VERSION = 3, SPLITS = {"train", "val", "test"}}

local SPLIT_CODE = {}
for i, name in ipairs(build.SPLITS) do SPLIT_CODE[name] = i - 1 end

local RARE = 5 -- a word that occurs no more often in all captions is "UNK" in the document frequencies

local defaults = {
  dtype = "f32",                            -- of the features: "f32" or "f16"
  tokenizer = "word",                       -- its name, see data.tokenizer
  vocab_size = config.optional("number"),
  coverage = config.optional("number"),
  base = config.optional("number"),
  progress = config.optional("function"),   -- called with images done and images in all
}

-- Of the training captions.
local function build_vocab(source, cfg)
  if source.vocab then return source.vocab end
  local images, i, j = source.images, 1, 0
  local function next_caption()
    while images[i] do
      j = j + 1
      local text = images[i].split == "train" and images[i].tokens[j]
      if text then return text end
      i, j = i + 1, 0
    end
  end
  local words = tokenizer.build {kind = cfg.tokenizer, captions = next_caption, size = cfg.vocab_size,
    coverage = cfg.coverage, base = cfg.base}
  if words:is_empty() then error(source.name .. ": there is no word in the captions of training images", 0) end
  return words
end

local function write_ints(file, name, list)
  local scope <close> = lac.scope()
  file:write(name, lac.tensor(list, "i32"), {deflate = true})
end

local function write_captions(file, images, words)
  local captions, starts, tokens, splits = {0}, {0}, {}, {}
  for i, image in ipairs(images) do
    for c, text in ipairs(image.tokens) do
      local ids = image.ids and image.ids[c] or words:encode(text)
      table.move(ids, 1, #ids, #tokens + 1, tokens)
      starts[#starts + 1] = #tokens
    end
    captions[i + 1], splits[i] = #starts - 1, SPLIT_CODE[image.split]
  end
  write_ints(file, "caption_start", captions)
  write_ints(file, "token_start", starts)
  write_ints(file, "tokens", tokens)
  write_ints(file, "split", splits)
end

local function common_words(images)
  local counts, common = {}, {}
  for _, image in ipairs(images) do
    for _, text in ipairs(image.tokens) do
      for word in text:gmatch("%S+") do counts[word] = (counts[word] or 0) + 1 end
    end
  end
  for word, count in pairs(counts) do common[word] = count > RARE or nil end
  return common
end

-- What the rewards of self-critical training are computed with.
local function write_references(file, images)
  local lines, training = {}, {}
  for _, image in ipairs(images) do
    for _, text in ipairs(image.tokens) do lines[#lines + 1] = text:gsub("%s+", " ") .. "\n" end
    if image.split == "train" then training[#training + 1] = image.tokens end
  end
  file:write_text("references", table.concat(lines))
  if #training == 0 then return end
  file:write_text("frequencies", lac.text.frequencies.count(training, common_words(images)):text())
end

local function write_texts(file, images, words)
  local list = {}
  for i, image in ipairs(images) do
    list[i] = {id = image.id, file = image.file, captions = lac.json.array(image.captions)}
  end
  file:write_text("vocab", words:text())
  file:write_text("images", lac.json.encode(list))
end

-- The optional parts are there for all images or for none.
local function check_same(image, part, value, first)
  if (value ~= nil) == first then return end
  error(("image %s (%s) has %s%s, unlike those before it"):format(image.id, image.file,
    value and "" or "no ", part), 0)
end

-- Features, boxes and fc of one image into the file; returns its regions.
local function write_image(file, image, got, has, cfg)
  for _, part in ipairs {"boxes", "fc"} do
    if has[part] == nil then has[part] = got[part] ~= nil end
    check_same(image, part, got[part], has[part])
  end
  local good, message = pcall(file.append, file, "features", got.att, {dtype = cfg.dtype})
  if not good then error(("%s (image %s, %s)"):format(message, image.id, image.file), 0) end
  if got.boxes then file:append("boxes", got.boxes) end
  if got.fc then
    has.fc_width = has.fc_width or got.fc:numel()
    if got.fc:numel() ~= has.fc_width then
      error(("image %s (%s) has an fc of %d numbers, those before it have %d"):format(image.id, image.file,
        got.fc:numel(), has.fc_width), 0)
    end
    file:append("fc", got.fc:reshape(1, has.fc_width))
  end
  return got.att:shape(1)
end

-- take(image, what there is to see on it), and then done(), for the images of a source.
local function each(source, take, done)
  if source.each then
    return source.each(function(image, got)
      take(image, got)
      done()
    end)
  end
  for _, image in ipairs(source.images) do
    do
      local scope <close> = lac.scope()
      take(image, source.read(image))
    end
    done()
  end
end

-- Returns the images that have features, and their regions in all.
local function write_features(file, source, cfg)
  local starts, has, kept = {0}, {}, {}
  each(source, function(image, got)
    kept[#kept + 1] = image
    starts[#kept + 1] = starts[#kept] + write_image(file, image, got, has, cfg)
  end, function()
    if cfg.progress then cfg.progress(#kept, #source.images) end
  end)
  if #kept == 0 then error(source.name .. ": there is no image to write", 0) end
  write_ints(file, "region_start", starts)
  file:set_attr("", "width", source.width)
  file:set_attr("", "fc_width", has.fc_width or source.width)
  file:set_attr("", "boxes", has.boxes and 1 or 0)
  if source.encoder then file:set_attr("", "encoder", source.encoder) end
  return kept, starts[#starts]
end

-- What the images look like: features, or where their pictures are.
local function write_looks(file, source, cfg)
  if not source.pictures then return write_features(file, source, cfg) end
  file:set_attr("", "pictures", source.pictures)
  if cfg.progress then cfg.progress(#source.images, #source.images) end
  return source.images, 0
end

--- Write a data file; one that is there is replaced only when the new one is whole.
-- @tparam string path
-- @tparam table source name, images: list of {id, file, split = "train", "val" or "test", captions = {raw texts},
-- tokens = {their words, joined}}; width and read: image -> {att = tensor [n, width], boxes = tensor [n, 4] or nil, fc
-- = tensor or nil}, called once for each, in order, or in place of read each: take -> nothing, calls take(image, the
-- same), in order, and leaves the images out that it does not take; or, for a file of pictures, pictures: the folder
-- of their files. vocab, a tokenizer, the images' ids, a list for each of tokens, and encoder, a text that tells what
-- made the features, may be given too
-- @tparam[opt] table cfg see defaults
-- @treturn table {images =, captions =, regions = (0 for pictures), vocab = the tokenizer}
function build.write(path, source, cfg)
  cfg = config.merge(defaults, cfg, "data.build")
  if cfg.dtype ~= "f32" and cfg.dtype ~= "f16" then
    blame(('data.build: dtype must be "f32" or "f16", got "%s"'):format(cfg.dtype))
  end
  local words = build_vocab(source, cfg)
  local file <close> = lac.hdf5.create(path)
  file:set_attr("", "format", build.FORMAT)
  local least = words.kind == "word" and 1 or 2
  file:set_attr("", "version", source.pictures and build.VERSION or least)
  file:set_attr("", "name", source.name)
  local images, regions = write_looks(file, source, cfg)
  write_captions(file, images, words)
  write_texts(file, images, words)
  write_references(file, images)
  file:commit()
  local captions = 0
  for _, image in ipairs(images) do captions = captions + #image.tokens end
  return {images = #images, captions = captions, regions = regions, vocab = words}
end

return build
