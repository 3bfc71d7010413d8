--- Captions by image, from the JSON files in which they are handed around.
-- @module data.annotations
local lac = require "lac"
local json = require "data.json"
local suggest = require "core.suggest"

local annotations = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

-- What was found instead, for a message.
local function seen(value)
  if value == nil then return "missing" end
  if value == lac.json.null then return "null" end
  return type(value) == "number" and tostring(value) or "a " .. type(value)
end

--- An image's id: whole numbers as integers, also where they are written as text (7, 7.0, "7"); other names, such
-- as "007", stay text.
-- @param value string or number
-- @treturn ?integer|string nil for anything else
function annotations.id(value)
  if type(value) == "number" then return math.tointeger(value) end
  if type(value) ~= "string" then return nil end
  local number = math.tointeger(tonumber(value))
  return number and tostring(number) == value and number or value
end

local function check_id(path, value, place)
  local id = annotations.id(value)
  if id == nil then
    fail(path, "%s: the image id must be a whole number or a name, it is %s", place, seen(value))
  end
  return id
end

local function check_caption(path, value, place)
  if type(value) ~= "string" then fail(path, "%s: the caption must be a text, it is %s", place, seen(value)) end
  return value
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

-- MS-COCO: {"annotations": [{"image_id", "caption"}, ...]}.
local function read_coco(path, value)
  local found = {}
  for i, row in ipairs(value.annotations) do
    local place = "annotation " .. i
    if type(row) ~= "table" then fail(path, "%s is not an object", place) end
    local id = check_id(path, row.image_id, place)
    found[id] = found[id] or {}
    table.insert(found[id], check_caption(path, row.caption, place))
  end
  return found
end

-- Of "val2014/COCO_val2014_000000391895.jpg" the name without its ending.
local function stem(name)
  name = name:match("([^/]+)$") or name
  return name:match("^(.+)%.[^.]*$") or name
end

-- Karpathy: the number behind the last "_" of COCO_val2014_000000391895.jpg, or the name without its ending.
local function karpathy_id(image)
  if image.cocoid then return image.cocoid end
  if type(image.filename) ~= "string" then return image.imgid end
  local name = stem(image.filename)
  return math.tointeger(tonumber(name:match("_(%d+)$"))) or name
end

-- Karpathy: {"images": [{"filename", "sentences": [{"raw"}, ...]}, ...]} -> list of {id, captions, place, row}.
local function karpathy_images(path, value)
  local found, known = {}, {}
  for i, row in ipairs(value.images) do
    local place = "image " .. i
    if type(row) ~= "table" or not is_list(row.sentences) then fail(path, "%s has no sentences", place) end
    local id, list = check_id(path, karpathy_id(row), place), {}
    if known[id] then fail(path, "%s has the id %s, as one before it", place, id) end
    for j, sentence in ipairs(row.sentences) do
      list[j] = check_caption(path, type(sentence) == "table" and sentence.raw or nil, place .. ", sentence " .. j)
    end
    found[i], known[id] = {id = id, captions = list, place = place, row = row}, true
  end
  return found
end

local function read_karpathy(path, value)
  local found = {}
  for _, image in ipairs(karpathy_images(path, value)) do found[image.id] = image.captions end
  return found
end

-- {"391895": ["a man ...", ...], ...}
local function read_plain(path, value)
  local found = {}
  for key, texts in pairs(value) do
    local id, place = annotations.id(key), "image " .. tostring(key)
    if not is_list(texts) then fail(path, "%s: expected a list of captions, it is %s", place, seen(texts)) end
    found[id] = {}
    for j, text in ipairs(texts) do found[id][j] = check_caption(path, text, place) end
  end
  return found
end

local SPLITS = {train = "train", restval = "train", val = "val", test = "test"}

local function check_split(path, got, place)
  if SPLITS[got] then return SPLITS[got] end
  fail(path, "%s: the split must be train, restval, val or test, it is %s", place,
    type(got) == "string" and ('"%s"%s'):format(got, suggest.hint(got, {"train", "restval", "val", "test"}))
      or seen(got))
end

-- The words of a sentence, joined.
local function check_tokens(path, sentence, place)
  local tokens = sentence.tokens
  if not is_list(tokens) then fail(path, "%s: the tokens must be a list, they are %s", place, seen(tokens)) end
  for _, token in ipairs(tokens) do
    if type(token) ~= "string" then fail(path, "%s: a token must be a text, one is %s", place, seen(token)) end
  end
  return table.concat(tokens, " ")
end

--- Read Karpathy's data set as what a model is trained with. restval belongs to train.
-- @tparam string path
-- @treturn table list of {id =, file = name as written, stem = file without folder and ending, folder = where the file
-- lies in a larger folder, if it is said, split = "train", "val" or "test", captions = {raw texts}, tokens = {their
-- words, joined}}, in the order of the file
-- @raise the file, the image and what is wrong
function annotations.images(path)
  local value = json(path)
  if type(value) ~= "table" or not is_list(value.images) then
    fail(path, 'expected {"images": [{"filename", "split", "sentences": [{"raw", "tokens"}, ...]}, ...]}')
  end
  local images = {}
  for i, image in ipairs(karpathy_images(path, value)) do
    local file = type(image.row.filename) == "string" and image.row.filename or tostring(image.id)
    local place = ("%s (%s)"):format(image.place, file)
    if #image.captions == 0 then fail(path, "%s has no captions", place) end
    local tokens = {}
    for j, sentence in ipairs(image.row.sentences) do
      tokens[j] = check_tokens(path, sentence, ("%s, sentence %d"):format(place, j))
    end
    images[i] = {id = image.id, file = file, stem = stem(file), captions = image.captions, tokens = tokens,
                 folder = type(image.row.filepath) == "string" and image.row.filepath or nil,
                 split = check_split(path, image.row.split, place)}
  end
  if #images == 0 then fail(path, "there is no image in it") end
  return images
end

--- Read references: MS-COCO's annotations, Karpathy's data set, or lists of captions by image id.
-- @tparam string path
-- @treturn table image id -> list of captions as written
-- @raise the file and what is wrong
function annotations.references(path)
  local value = json(path)
  if type(value) == "table" and is_list(value.annotations) then return read_coco(path, value) end
  if type(value) == "table" and is_list(value.images) and type(value.images[1]) == "table"
    and value.images[1].sentences then return read_karpathy(path, value) end
  if type(value) ~= "table" or is_list(value) then
    fail(path, 'expected references as {"annotations": [{"image_id", "caption"}, ...]}, as {"images": '
      .. '[{"filename", "sentences"}, ...]} or as {image id: [captions]}')
  end
  return read_plain(path, value)
end

--- Read the captions of a model: [{"image_id": 391895, "caption": "a man ..."}, ...].
-- @tparam string path
-- @treturn table list of {id, caption}, as they come
-- @raise the file and what is wrong, also where an image has two
function annotations.captions(path)
  local value, found, first = json(path), {}, {}
  if not is_list(value) or not value[1] then
    fail(path, 'expected captions as [{"image_id": ..., "caption": ...}, ...]%s',
      is_list(value) and "; there is none" or "")
  end
  for i, row in ipairs(value) do
    local place = "caption " .. i
    if type(row) ~= "table" then fail(path, "%s is not an object", place) end
    local id = check_id(path, row.image_id, place)
    if first[id] then fail(path, "image %s has two captions, numbers %d and %d", id, first[id], i) end
    first[id] = i
    found[i] = {id = id, caption = check_caption(path, row.caption, place)}
  end
  return found
end

return annotations
