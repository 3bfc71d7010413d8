--- The references in a data file as self-critical training needs them, and their document frequencies.
--
-- Files of earlier programs have neither (data.build). Then the ids speak, and "UNK", which no caption of a model says,
-- stands for the words that they do not know.
-- @module data.references
local lac = require "lac"
local contents = require "data.contents"
local disk = require "core.disk"
local json = require "data.json"

local references = {}

local function decode(parts, caption)
  local from, to = parts.token_start[caption] + 1, parts.token_start[caption + 1]
  return (parts.vocab:decode(table.move(parts.tokens, from, to, 1, {})):gsub("<unk>", "UNK"))
end

-- The captions of all images, one behind the other.
local function read_all(file, parts)
  local all, count = {}, #parts.token_start - 1
  if not file:has "references" then
    for caption = 1, count do all[caption] = decode(parts, caption) end
    return all
  end
  for line in file:text("references"):gmatch("([^\n]*)\n") do all[#all + 1] = line end
  if #all ~= count then
    error(("%s: cannot be used: it has %d captions, but references for %d"):format(parts.path, count, #all), 0)
  end
  return all
end

--- The words of all captions, joined.
-- @param file the data file
-- @tparam table parts what it holds (data.contents, Dataset), and its path
-- @treturn table list of lists, in the order of the images in the file
function references.read(file, parts)
  local all, lists, starts = read_all(file, parts), {}, parts.caption_start
  for i in ipairs(parts.images) do lists[i] = table.move(all, starts[i] + 1, starts[i + 1], 1, {}) end
  return lists
end

--- Document frequencies of the training images: those in the file or, where there are none, those of `lists`.
-- @param file, parts as for read
-- @tparam[opt] table lists what read() gave
-- @treturn lac.text.frequencies
function references.frequencies(file, parts, lists)
  if file:has "frequencies" then
    local good, result = pcall(lac.text.frequencies.parse, file:text("frequencies"))
    if good then return result end
    error(("%s: cannot be used: %s"):format(parts.path, result), 0)
  end
  local training = {}
  lists = lists or references.read(file, parts)
  for i, at in ipairs(parts.members.train) do training[i] = lists[at] end
  if #training == 0 then
    error(parts.path .. ": has no training image, so there are no document frequencies for CIDEr-D", 0)
  end
  return lac.text.frequencies.count(training)
end

--- Document frequencies for CIDEr-D from a data file, or from JSON as
-- {"ref_len": images, "document_frequency": {"a man": images that have it, ...}}.
-- @tparam string path
-- @treturn lac.text.frequencies
-- @raise the file and what is wrong with it
function references.open_frequencies(path)
  if not disk.is_hdf5(path) then
    local good, result = pcall(lac.text.frequencies.of, json(path))
    if good then return result end
    error(("%s: %s; lacuna takes a data file, or JSON of document frequencies"):format(path, result), 0)
  end
  local file <close>, parts = contents.open(path, true)
  parts.path = path
  return references.frequencies(file, parts)
end

return references
