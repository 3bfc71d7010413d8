--- A source of a data file: captions in Karpathy's layout, features in a file per image, or pictures.
-- @module data.karpathy
local lac = require "lac"
local disk = require "core.disk"
local annotations = require "data.annotations"
local features = require "data.features"
local Pictures = require "data.pictures"

local karpathy = {}

local ENDINGS = {".npz", ".npy"}

-- The image's file in a folder: named by its id or by the picture's file name.
local function find(folder, image)
  for _, name in ipairs {tostring(image.id), image.stem} do
    for _, ending in ipairs(ENDINGS) do
      local path = ("%s/%s%s"):format(folder, name, ending)
      if not name:find("/", 1, true) and disk.exists(path) then return path end -- never outside of the folder
    end
  end
end

-- image -> path, for all of them.
local function find_all(folder, images)
  local paths, missing = {}, {}
  for _, image in ipairs(images) do
    paths[image] = find(folder, image)
    if not paths[image] then missing[#missing + 1] = image end
  end
  local first = missing[1]
  if not first then return paths end
  local others = #missing - 1
  error(("%s: there is no %s.npz or %s.npy for image %s (%s)%s"):format(folder, first.id, first.id, first.id,
    first.file, others > 0 and (", and %d other image%s have none either"):format(others, others > 1 and "s" or "")
      or ""), 0)
end

-- The features of the images.
local function feature_source(cfg, images)
  local paths = find_all(cfg.features, images)
  local grid = cfg.boxes == features.GRID and cfg.boxes
  local boxes = cfg.boxes and not grid and find_all(cfg.boxes, images) or {}
  local width
  do
    local scope <close> = lac.scope()
    width = features.image(paths[images[1]], {}).att:shape(2)
  end
  return {width = width, images = images, read = function(image)
    return features.image(paths[image], {width = width, boxes = grid or boxes[image]})
  end}
end

-- The images whose pictures are there; their `file` is its path in the folder, below the image's own folder where the
-- JSON file names one and it lies there.
local function picture_source(cfg, images)
  local folder, kept = Pictures.folder(cfg.images), {}
  for _, image in ipairs(images) do
    local below = image.folder and image.folder ~= "" and image.folder .. "/" .. image.file
    if below and disk.exists(folder .. "/" .. below) then image.file = below end
  end
  local missing, sentence = Pictures.missing(folder, images)
  if sentence and not cfg.skip_missing then
    error(sentence .. "; --skip-missing leaves such images out", 0)
  end
  local gone = {}
  for _, i in ipairs(missing) do gone[i] = true end
  for i, image in ipairs(images) do
    if not gone[i] then kept[#kept + 1] = image end
  end
  if #kept == 0 then error(sentence, 0) end
  return {pictures = cfg.images, images = kept, left_out = #missing}
end

--- Open a source for `data.build`.
-- @tparam table cfg captions: the JSON file; features: folder of .npy or .npz files; boxes: folder, or features.GRID,
-- may be nil; or images, in place of features: folder of JPEG and PNG files; skip_missing: leave images without a
-- picture out; name of the data set, may be nil
-- @treturn table source; left_out: how many images were
-- @raise the file or folder and what is wrong; every image has features or a picture, or the first without is named
function karpathy.open(cfg)
  local images = annotations.images(cfg.captions)
  local source = (cfg.images and picture_source or feature_source)(cfg, images)
  source.name = cfg.name or cfg.captions:match("([^/]+)$"):gsub("%.json$", "")
  return source
end

return karpathy
