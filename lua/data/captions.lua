--- Read a data file (data.build): batches for training, references and batches for evaluation.
--
--     local dataset <close> = captions.open {path = "data.h5", batch = 15}
--     for index = 1, dataset:steps() do
--       local tape <close> = lac.tape()
--       local batch = dataset:batch(seed, epoch, index)
--
-- A batch depends on nothing but its three numbers, so a position in training is two of them. Threads read the
-- features or pictures of the batch that is likely to be asked for next, while the model works on this one.
-- @module data.captions
local lac = require "lac"
local blame = require "core.blame"
local build = require "data.build"
local class = require "core.class"
local config = require "core.config"
local contents = require "data.contents"
local lesson = require "data.lesson"
local Pictures = require "data.pictures"
local references = require "data.references"
local Regions = require "data.regions"
local rewards = require "data.rewards"
local suggest = require "core.suggest"

local Dataset = class("Dataset")

local defaults = {
  path = "",
  length = config.optional("number"), -- ids at most per caption, bos and eos included; if not given, what is usual
                                      -- for the tokenizer (18 words, 26 digits of base 768, 60 characters)
  captions_per_image = 5,   -- in a training batch; drawn again where an image has fewer
  batch = 15,               -- images in a training batch
  verify = true,            -- the checksum too, which reads the whole file once; else only its length
  images = config.optional("string"), -- folder of the pictures; that which the data file names unless given
  augment = false,          -- training pictures are cut and flipped at random, else cut out of the middle
  missing = "error",        -- where a picture is not there or cannot be read; "skip" goes on without the image
}

-- Opening --------------------------------------------------------------------------------------------

-- What reads the features of the images, or their pictures; images without one have no place in the splits.
local function open_looks(self, file, cfg)
  if not self.has_pictures then
    if cfg.augment then
      error(("data.augment: %s holds features, which cannot be cut or flipped; give the run a data file of pictures, "
        .. "or leave augment out"):format(self.path), 0)
    end
    self.looks = Regions {path = self.path, file = file, starts = self.region_start}
    for _, key in ipairs {"width", "fc_width", "dtype"} do self[key] = self.looks[key] end
    return
  end
  self.looks = Pictures {path = self.path, folder = cfg.images or self.pictures, images = self.images,
                         missing = cfg.missing, note = function(text) self:note(text) end}
  for _, split in ipairs(build.SPLITS) do
    local here = {}
    for _, at in ipairs(self.members[split]) do
      if not self.looks.gone[at] then here[#here + 1] = at end
    end
    self.members[split] = here
  end
end

function Dataset:init(cfg)
  local file <close>, parts = contents.open(cfg.path, cfg.verify)
  for key, value in pairs(parts) do self[key] = value end
  self.length, self.per_image, self.batch_images = cfg.length, cfg.captions_per_image, cfg.batch
  self.augment = cfg.augment
  self.length = self.length or self.vocab.usual_length
  open_looks(self, file, cfg)
  self.ordered, self.orders = nil, {} -- key of the batch on order; orders of the latest epochs
end

function Dataset:__tostring()
  return ("data set %s: %d, %d and %d images"):format(self.name, self:size("train"), self:size("val"),
    self:size("test"))
end

--- Stop the threads and close the file; idempotent.
function Dataset:close()
  self.looks:close()
end
Dataset.__close = Dataset.close

--- Where has_pictures: how they are read, before the first batch and whenever it changes.
-- @tparam table spec size, resize, grid, keep_aspect: `pictures` of an encoder, see lac.pictures
function Dataset:use_pictures(spec)
  self.ordered = nil
  self.looks:use(spec)
end

--- Told of every picture that is left out while training or evaluating; to be replaced.
function Dataset.note(_, _) end

--- @treturn integer images left out so far by data.missing = "skip": from the start those whose pictures are not there,
-- and then those whose pictures turned out to be unreadable
function Dataset:left_out()
  return self.looks.left_out or 0
end

--- @treturn string the numbers of the images whose pictures were not there from the start: batches depend on these too
function Dataset:absent()
  return table.concat(self.looks.missing_images or {}, " ")
end

-- What is in it --------------------------------------------------------------------------------------

local function members(self, split)
  if not self.members[split] then
    blame(('data: there is no split "%s"%s; there are %s'):format(tostring(split),
      suggest.hint(tostring(split), build.SPLITS), table.concat(build.SPLITS, ", ")))
  end
  return self.members[split]
end

--- Images of a split: "train", "val" or "test".
function Dataset:size(split)
  return #members(self, split)
end

--- @treturn table list of the ids of a split's images, in the order of the file
function Dataset:ids(split)
  local ids = {}
  for i, at in ipairs(members(self, split)) do ids[i] = self.images[at].id end
  return ids
end

--- @treturn table id -> its image's number in the file, as rewards count, of a split
function Dataset:numbers(split)
  local numbers = {}
  for _, at in ipairs(members(self, split)) do numbers[self.images[at].id] = at end
  return numbers
end

--- @treturn table list of {id =, captions = {texts as written}} of a split, in the order of the file
function Dataset:references(split)
  local list = {}
  for i, at in ipairs(members(self, split)) do
    list[i] = {id = self.images[at].id, captions = self.images[at].captions}
  end
  return list
end

--- What scores captions of the images of this file, as self-critical training does.
-- @tparam table cfg weights: cider, a number; bleu, a list of four; 0 where not given
-- @treturn lac.text.rewards to be closed; images are named by their numbers in the file, as in batch.images
function Dataset:rewards(cfg)
  return rewards.open(self, cfg)
end

--- @treturn ?table total, min, mean and max of the images' numbers of regions; nil where there are pictures
function Dataset:regions()
  return not self.has_pictures and self.looks:counts() or nil
end

--- @treturn number words (digits, characters, pieces) of a caption on average, runs of unknown ones counted as one
-- @treturn integer those of the longest
function Dataset:caption_words()
  local starts, most = self.token_start, 0
  for i = 2, #starts do most = math.max(most, starts[i] - starts[i - 1] - 2) end
  return #self.tokens / (#starts - 1) - 2, most
end

--- Training batches per epoch; what does not fill the last is left out, other images in every epoch.
function Dataset:steps()
  return #self.members.train // self.batch_images
end

--- What tells this file's contents from those of any other: the line with its length and checksum.
-- @treturn string
function Dataset:fingerprint()
  local file <close> = assert(io.open(self.path, "rb"))
  return file:read(512):match("^[^%z]*")
end

-- Features and pictures ------------------------------------------------------------------------------

local function order(self, key, images, rng)
  self.ordered = nil -- should ordering fail
  self.looks:order(images, rng)
  self.ordered = key
end

-- What there is to see on images; `key` names this batch among all that can be on order. Images without are taken out
-- of the list.
local function fetch(self, key, images, rng)
  if self.ordered ~= key then order(self, key, images, rng) end
  self.ordered = nil
  local batch = self.looks:take(images)
  batch.ids, batch.images = {}, images
  for i, at in ipairs(images) do batch.ids[i] = self.images[at].id end
  return batch
end

-- Training -------------------------------------------------------------------------------------------

-- The generator of an epoch and the order of its images; the last two asked for are kept.
local function epoch_order(self, seed, epoch)
  for _, known in ipairs(self.orders) do
    if known.seed == seed and known.epoch == epoch then return known end
  end
  local rng, train = lac.rng(seed):fork("data"):fork(("epoch %d"):format(epoch)), self.members.train
  local fresh = {seed = seed, epoch = epoch, rng = rng,
                 images = rng:shuffle(table.move(train, 1, #train, 1, {}))}
  self.orders = {fresh, self.orders[1]}
  return fresh
end

local function batch_images(self, seed, epoch, index)
  local first = (index - 1) * self.batch_images + 1
  return table.move(epoch_order(self, seed, epoch).images, first, first + self.batch_images - 1, 1, {})
end

-- Captions of an image as numbers: each once in random order, and again from the start where there are too few.
local function draw_captions(self, rng, at)
  local first, count = self.caption_start[at], self.caption_start[at + 1] - self.caption_start[at]
  local all = {}
  for i = 1, count do all[i] = first + i end
  rng:fork(at):shuffle(all)
  for i = count + 1, self.per_image do all[i] = all[i - count] end
  for i = count, self.per_image + 1, -1 do all[i] = nil end
  return all
end

-- What teacher forcing wants of these captions, by their numbers.
local function make_words(self, captions, batch)
  local starts, lengths = {}, {}
  for r, caption in ipairs(captions) do
    starts[r] = self.token_start[caption]
    lengths[r] = self.vocab:kept(self.token_start[caption + 1] - starts[r], self.length)
  end
  for key, value in pairs(lesson(self.tokens, starts, lengths, self.per_image)) do batch[key] = value end
end

local function key_of(seed, epoch, index)
  return ("train %d %d %d"):format(seed, epoch, index)
end

-- What pictures are cut and flipped with.
local function augmentation(self, seed, epoch)
  return self.augment and epoch_order(self, seed, epoch).rng or nil
end

--- A training batch of B images with K captions each.
-- @tparam integer seed
-- @tparam integer epoch from 0
-- @tparam integer index 1 to steps()
-- @treturn table att [B, S, width] padded to the most regions S, fc [B, fc_width], mask [B, S] (1 for a region),
-- boxes [B, S, 4] or nil; regions: how many each image has, a list; or, where has_pictures, in place of these pictures
-- [B, size, size, 3], RGB from 0 to 1, B being smaller where some are left out; ids: the images'; images: their numbers
-- in the file, from 1 (see rewards); rows = B * K captions, and of their words what data.lesson says. The tensors
-- belong to the current tape or scope.
function Dataset:batch(seed, epoch, index)
  local steps = self:steps()
  if math.type(seed) ~= "integer" or math.type(epoch) ~= "integer" then
    blame(("data: seed and epoch must be whole numbers, got %s and %s"):format(tostring(seed), tostring(epoch)))
  end
  if math.type(index) ~= "integer" or index < 1 or index > steps then
    blame(("data: there is no training batch %s; %d images make %d of %d"):format(tostring(index),
      self:size("train"), steps, self.batch_images))
  end
  local images, captions = batch_images(self, seed, epoch, index), {}
  local batch = fetch(self, key_of(seed, epoch, index), images, augmentation(self, seed, epoch))
  if #images == 0 then error(self.path .. ": no picture of this training batch can be read", 0) end
  local rng = epoch_order(self, seed, epoch).rng
  for _, at in ipairs(images) do
    table.move(draw_captions(self, rng, at), 1, self.per_image, #captions + 1, captions)
  end
  make_words(self, captions, batch)
  batch.rows = #captions
  if index < steps then index = index + 1 else epoch, index = epoch + 1, 1 end
  order(self, key_of(seed, epoch, index), batch_images(self, seed, epoch, index), augmentation(self, seed, epoch))
  return batch
end

-- Evaluation -----------------------------------------------------------------------------------------

-- Batches of images, `size` at a time, as evaluation() and all() give them.
local function through(self, name, images, size)
  local at = 1
  local function cut()
    return table.move(images, at, math.min(at + size - 1, #images), 1, {})
  end
  local function key()
    return ("%s %d %d"):format(name, size, at)
  end
  return function()
    while at <= #images do
      local here = cut()
      local batch = fetch(self, key(), here)
      at = at + size
      if at <= #images then order(self, key(), cut()) end
      if #here > 0 then return batch end
    end
  end
end

--- The images of a split in the order of the file, in batches of `size`; the last may be smaller. Those whose pictures
-- are left out are missing.
--
--     local next_batch = dataset:evaluation("val", 50)
--     while true do
--       local scope <close> = lac.scope()          -- the tensors of a batch belong to it
--       local batch = next_batch()
--       if not batch then break end
-- @tparam string split
-- @tparam[opt=50] integer size images per batch
-- @treturn function -> {att, fc, mask, boxes, regions, ids, images} as for training, or nil after the last
function Dataset:evaluation(split, size)
  return through(self, "evaluate " .. tostring(split), members(self, split), size or 50)
end

--- The same of all images, in the order of the file.
function Dataset:all(size)
  local images = {}
  for _, split in ipairs(build.SPLITS) do
    table.move(self.members[split], 1, #self.members[split], #images + 1, images)
  end
  table.sort(images)
  return through(self, "all", images, size or 50)
end

--- All images as a source of a data file has them, with the ids of their captions.
-- @treturn table list of {id, file, split, captions, tokens, ids}, in the order of the file
function Dataset:contents()
  local file <close> = lac.hdf5.open(self.path, {verify = false})
  local list, words = {}, references.read(file, self)
  for _, split in ipairs(build.SPLITS) do
    for _, at in ipairs(self.members[split]) do
      local image, all = self.images[at], {}
      for caption = self.caption_start[at] + 1, self.caption_start[at + 1] do
        local first = self.token_start[caption]
        all[#all + 1] = table.move(self.tokens, first + 1, self.token_start[caption + 1], 1, {})
      end
      list[#list + 1] = {id = image.id, file = image.file, split = split, captions = image.captions,
                         tokens = words[at], ids = all, at = at}
    end
  end
  table.sort(list, function(a, b) return a.at < b.at end)
  return list
end

local captions = {defaults = defaults}

--- Open a data file. Its checksum is verified unless told otherwise, and its parts are checked against each other.
-- @tparam table cfg see defaults; path is required
-- @treturn Dataset name, vocab, width, fc_width and has_boxes describe it
-- @raise the file and what is wrong with it
function captions.open(cfg)
  cfg = config.merge(defaults, cfg, "data")
  if cfg.path == "" then blame("data.path, the data file, is missing") end
  for _, key in ipairs {"length", "captions_per_image", "batch"} do
    local least = key == "length" and 2 or 1
    if cfg[key] and (math.type(cfg[key]) ~= "integer" or cfg[key] < least) then
      blame(("data.%s must be a whole number, at least %d, got %s"):format(key, least, cfg[key]))
    end
  end
  if cfg.missing ~= "error" and cfg.missing ~= "skip" then
    blame(('data.missing must be "error" or "skip", got "%s"'):format(cfg.missing))
  end
  return Dataset(cfg)
end

return captions
