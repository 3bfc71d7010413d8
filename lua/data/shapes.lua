--- A data set of rendered scenes with captions made by a grammar: nothing to download, any number of images.
--
-- Image i of a seed is always the same, however many there are; of every ten the ninth is for validation and the
-- tenth for testing. A region per object, in random order, and one for the whole picture, which comes first.
-- @module data.shapes
local lac = require "lac"
local config = require "core.config"
local crop = require "data.crop"
local grammar = require "data.grammar"
local raster = require "data.raster"
local scene = require "data.scene"
local whole = require "core.whole"

local shapes = {}

--- images: how many; size: pixels along a picture's side; pictures: a folder into which the picture of every image
-- that is read is written, by its file name.
shapes.defaults = {images = 2500, seed = 1, size = 64, pictures = config.optional("string")}

--- Least and largest settings. Ten images have all three splits; below 32 pixels small shapes are blots.
shapes.LIMITS = {images = {10, 100000}, seed = {0, math.maxinteger}, size = {32, raster.LARGEST}}

local JITTER = 0.02 -- of the side: how far a detected box may reach beyond its object, on each side

local function check(cfg)
  for _, key in ipairs {"images", "seed", "size"} do
    whole(cfg, {key}, "data.shapes", table.unpack(shapes.LIMITS[key]))
    cfg[key] = math.tointeger(cfg[key])
  end
  return cfg
end

--- The scene of image `index`; see data.scene.
function shapes.scene(seed, index)
  return scene.new(seed, index)
end

local function part(seed, index, name)
  return lac.rng(seed):fork("shapes." .. name):fork(index)
end

--- The five captions of image `index`, lower-case words.
function shapes.captions(seed, index)
  return grammar.captions(scene.new(seed, index), part(seed, index, "captions"))
end

-- What a detector would say: a box around each object, a little too large, clipped to the picture.
local function boxes(objects, rng)
  local list = {}
  local function beyond()
    return JITTER * rng:below(1024) / 1024
  end
  for i, o in ipairs(objects) do
    list[i] = {math.max(0, o.x - o.r - beyond()), math.max(0, o.y - o.r - beyond()),
      math.min(1, o.x + o.r + beyond()), math.min(1, o.y + o.r + beyond())}
  end
  rng:shuffle(list)
  table.insert(list, 1, {0, 0, 1, 1})
  return list
end

local function write(path, pixels, size)
  local file, why = io.open(path, "wb")
  if not file then error("cannot write " .. why, 0) end
  local good
  good, why = file:write(("P6\n%d %d\n255\n"):format(size, size), raster.bytes(pixels, size))
  local closed, late = file:close()
  if not (good and closed) then error(("cannot write %s: %s"):format(path, why or late), 0) end
end

--- A scene as a picture.
-- @tparam table drawn a scene
-- @tparam[opt=64] integer size pixels along a side
-- @treturn string red, green, blue bytes, row by row
function shapes.picture(drawn, size)
  size = check(config.merge(shapes.defaults, {size = size}, "data.shapes")).size
  return raster.bytes(raster.paint(drawn, size), size)
end

local SPLITS = {[8] = "val", [9] = "test"}

local function describe(seed, index)
  local tokens = shapes.captions(seed, index)
  local raw = {}
  for i, text in ipairs(tokens) do raw[i] = text .. " ." end
  return {
    id = index, file = ("shapes_%06d.ppm"):format(index), split = SPLITS[(index - 1) % 10] or "train",
    captions = raw, tokens = tokens,
  }
end

--- A source of images for data.build.
-- @tparam[opt] table cfg see defaults
-- @treturn table {name, width, images = list of {id, file, split, captions, tokens}, read = function(image) ->
-- {att = tensor [regions, width], boxes = tensor [regions, 4]}}
-- @raise a setting outside its limits
function shapes.source(cfg)
  cfg = check(config.merge(shapes.defaults, cfg, "data.shapes"))
  local images, pixels = {}, {}
  for i = 1, cfg.images do images[i] = describe(cfg.seed, i) end
  local function read(image)
    local drawn, att = scene.new(cfg.seed, image.id), {}
    raster.paint(drawn, cfg.size, pixels)
    if cfg.pictures then write(cfg.pictures .. "/" .. image.file, pixels, cfg.size) end
    local list = boxes(drawn.objects, part(cfg.seed, image.id, "boxes"))
    for i, box in ipairs(list) do att[i] = crop.features(pixels, cfg.size, box, i == 1) end
    return {att = lac.tensor(att), boxes = lac.tensor(list)}
  end
  return {name = "shapes", width = crop.WIDTH, images = images, read = read}
end

return shapes
