--- Writes small PNG files, for tests that look at pictures.
-- @module pictures
local lac = require "lac"
local build = require "data.build"
local checkpoint = require "train.checkpoint"
local files = require "files"
local Small = require "models.encoders.small"

local pictures = {}

local crcs = {}
for n = 0, 255 do
  local c = n
  for _ = 1, 8 do c = c & 1 == 1 and 0xedb88320 ~ c >> 1 or c >> 1 end
  crcs[n] = c
end

local function chunk(kind, body)
  local crc = 0xffffffff
  for i = 1, 4 + #body do
    local byte = i <= 4 and kind:byte(i) or body:byte(i - 4)
    crc = crcs[(crc ~ byte) & 255] ~ crc >> 8
  end
  return string.pack(">I4", #body) .. kind .. body .. string.pack(">I4", crc ~ 0xffffffff)
end

-- Bytes as a zlib stream that compresses nothing.
local function stored(bytes)
  local a, b, blocks = 1, 0, {"\x78\x01"}
  for i = 1, #bytes do
    a = (a + bytes:byte(i)) % 65521
    b = (b + a) % 65521
  end
  for from = 1, #bytes, 65535 do
    local part = bytes:sub(from, from + 65534)
    blocks[#blocks + 1] = string.pack("<BI2I2", from + 65535 > #bytes and 1 or 0, #part, ~#part & 0xffff) .. part
  end
  return table.concat(blocks) .. string.pack(">I4", b << 16 | a)
end

--- The bytes of a PNG.
-- @tparam integer width
-- @tparam integer height
-- @tparam function colour (column, row), from 0 -> red, green, blue
function pictures.png(width, height, colour)
  local rows = {}
  for y = 0, height - 1 do
    local row = {"\0"}
    for x = 0, width - 1 do row[x + 2] = string.char(colour(x, y)) end
    rows[y + 1] = table.concat(row)
  end
  return "\x89PNG\r\n\x1a\n" .. chunk("IHDR", string.pack(">I4I4BBBBB", width, height, 8, 2, 0, 0, 0))
    .. chunk("IDAT", stored(table.concat(rows))) .. chunk("IEND", "")
end

local COLOURS, THINGS = {"red", "blue", "green"}, {"dog", "cat", "bus", "tree"}

--- A folder with pictures 1.png ... and a data file of them: image i is 12 x 12 and red by 10 * i, its left half green.
-- Every eighth is for testing, the fourth of each eight for validation; there are three captions of each.
-- @tparam string folder
-- @tparam integer count at most 25
-- @treturn string path of the data file
-- @treturn string the folder of the pictures
function pictures.data(folder, count)
  local images, place = {}, folder .. "/pictures"
  lac.files.make_folder(place)
  for i = 1, count do
    local phrase = COLOURS[i % 3 + 1] .. " " .. THINGS[i % 4 + 1]
    local captions = {"a " .. phrase, "there is a " .. phrase, "one " .. phrase .. " here"}
    images[i] = {id = 100 + i, file = i .. ".png", captions = captions, tokens = captions,
                 split = i % 8 == 0 and "test" or i % 8 == 4 and "val" or "train"}
    files.write(place .. "/" .. i .. ".png", pictures.png(12, 12, function(x)
      return 10 * i, x < 6 and 255 or 0, 0
    end))
  end
  build.write(folder .. "/pictures.h5", {name = "small", images = images, pictures = place}, {coverage = 1})
  return folder .. "/pictures.h5", place
end

--- An encoder file for such a recipe, with random values.
-- @tparam string folder
-- @tparam integer seed of the values
-- @tparam[opt] table more settings over the recipe's
-- @treturn string path of the file
function pictures.encoder(folder, seed, more)
  local cfg, path = {size = 32, resize = 36, channels = {4, 6}}, ("%s/encoder-%d.h5"):format(folder, seed)
  for key, value in pairs(more or {}) do cfg[key] = value end
  local encoder = Small(cfg)
  encoder:initialise(lac.rng(seed))
  cfg.name = "small"
  checkpoint.save(path, {model = encoder, config = {kind = "encoder", model = cfg}})
  encoder:close()
  return path
end

--- A recipe for a data file of pictures: an encoder of four channels and a small decoder.
-- @tparam string folder
-- @tparam string data
-- @tparam[opt=""] string more further keys
-- @treturn string path of the recipe
function pictures.recipe(folder, data, more)
  return files.write(folder .. "/pictures.lua", ([[
return {
  seed = 3,
  data = {path = "%s", batch = 4, captions_per_image = 2, length = 8, augment = true},
  model = {embed = 8, hidden = 12, attention = 6, dropout = 0.1,
           encoder = {name = "small", size = 32, resize = 36, channels = {4, 6}}},
  optim = {lr = 1e-2},
  stages = {{epochs = 3}},
  eval = {every = "5 steps", test_beam = 1, batch = 4},
  save = {every = "2 steps"},
  %s
}
]]):format(data, more or ""))
end

return pictures
