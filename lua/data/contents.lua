--- What a data file (data.build) holds beside features, read and checked: its parts fit each other.
-- @module data.contents
local lac = require "lac"
local build = require "data.build"
local tokenizer = require "data.tokenizer"

local contents = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local function check_format(file, path)
  local format, version = file:attr("", "format"), file:attr("", "version")
  if format ~= build.FORMAT then
    fail(path, "is no data file of lacuna (its format is %s); lacuna data build makes one",
      format and ('"' .. tostring(format) .. '"') or "not given")
  end
  if math.type(version) ~= "integer" or version < 1 or version > build.VERSION then
    fail(path, "has version %s of the data format, this program reads versions 1 to %d; build it again",
      tostring(version), build.VERSION)
  end
end

local function read_ints(file, name)
  local x <close> = file:read(name)
  if x:dtype() ~= "i32" then error("holds no whole numbers in " .. name, 0) end
  return x:totable()
end

-- Where each part begins: from 0 to the number of all, none shorter than `least`.
local function read_starts(file, name, count, total, least)
  local starts = read_ints(file, name)
  local right = #starts == count + 1 and starts[1] == 0 and (not total or starts[#starts] == total)
  for i = 2, right and #starts or 0 do right = right and starts[i] - starts[i - 1] >= least end
  if not right then error(name .. " does not fit the other parts", 0) end
  return starts
end

local function check_images(images, captions)
  for i, image in ipairs(images) do
    local count = captions[i + 1] - captions[i]
    if type(image) ~= "table" or type(image.captions) ~= "table" or #image.captions ~= count then
      error(("image %d does not have %d captions"):format(i, count), 0)
    end
    for _, text in ipairs(image.captions) do
      if type(text) ~= "string" then error(("image %d has a caption that is no text"):format(i), 0) end
    end
  end
end

local function split_images(codes, count)
  local members = {}
  for i, name in ipairs(build.SPLITS) do members[name], members[i] = {}, name end
  if #codes ~= count then error("split does not fit the other parts", 0) end
  for i, code in ipairs(codes) do
    if not members[code + 1] then error(("image %d is in no known split"):format(i), 0) end
    table.insert(members[members[code + 1]], i)
  end
  return members
end

local function is_of_pictures(file)
  return type(file:attr("", "pictures")) == "string"
end

local function read_parts(file)
  local self = {}
  local images = lac.json.decode(file:text("images"))
  if type(images) ~= "table" then error("its list of images is not readable", 0) end
  local count = #images
  if count == 0 then error("there is no image in it", 0) end
  self.vocab = tokenizer.parse(file:text("vocab"))
  self.images = images
  self.members = split_images(read_ints(file, "split"), count)
  self.tokens = read_ints(file, "tokens")
  self.caption_start = read_starts(file, "caption_start", count, nil, 1)
  self.token_start = read_starts(file, "token_start", self.caption_start[count + 1], #self.tokens, 2)
  if not is_of_pictures(file) then self.region_start = read_starts(file, "region_start", count, nil, 1) end
  check_images(images, self.caption_start)
  local size = self.vocab:size()
  for _, id in ipairs(self.tokens) do
    if id < 0 or id >= size then error(("it has the id %d, but %d words"):format(id, size), 0) end
  end
  return self
end

local function open_file(path, verify)
  local opened, file = pcall(lac.hdf5.open, path, {verify = verify})
  if opened then return file end
  error((file:gsub("No such file or directory$", "%0; lacuna data build makes a data file")), 0)
end

--- Open a data file.
-- @tparam string path
-- @tparam boolean verify the checksum too, else only the length
-- @treturn file to be closed
-- @treturn table path, name, vocab, images (as in the file), members (of each split, numbers of images), tokens,
-- caption_start, token_start and region_start (see data.build; the last is nil for pictures), has_boxes, has_pictures,
-- pictures: their folder or nil; encoder: what tells the encoder that made its features, nil where it is not known
-- @raise the file and what is wrong with it
function contents.open(path, verify)
  local file = open_file(path, verify)
  local good, result = pcall(function()
    check_format(file, path)
    local fine, parts = pcall(read_parts, file)
    if not fine then fail(path, "cannot be used: %s", (tostring(parts):gsub("^%S-:%d+: ", ""))) end
    return parts
  end)
  if not good then
    file:close()
    error(result, 0)
  end
  result.path = path
  result.name, result.has_boxes = tostring(file:attr("", "name")), file:attr("", "boxes") == 1
  result.has_pictures = is_of_pictures(file)
  result.pictures = result.has_pictures and file:attr("", "pictures") or nil
  local encoder = file:attr("", "encoder")
  result.encoder = type(encoder) == "string" and encoder or nil
  return file, result
end

return contents
