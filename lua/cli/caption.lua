--- lacuna caption: captions for pictures or region features.
local lac = require "lac"
local album = require "data.album"
local annotations = require "data.annotations"
local checkpoint = require "train.checkpoint"
local decode = require "train.decode"
local decoding = require "cli.decoding"
local features = require "data.features"

local caption = {
  summary = "print captions for pictures, or for images given as region features",
  usage = "lacuna caption MODEL.h5 INPUT...",
  options = decoding.options({
    {name = "batch", value = "N", type = "integer", min = 1, default = 50, help = "images at once"},
  }, {
    {name = "boxes", value = "WHERE", help = "boxes of the regions, for models that look at them"},
    {name = "json", help = 'print [{"image_id": ..., "caption": ...}, ...]'},
  }),
  arguments = {name = "MODEL INPUT", min = 2},
  details = "A model with an encoder looks at pictures, JPEG or PNG. Else, or instead, an input is an array\n"
    .. "[regions, features]: .npy or .npz (one image each) or .h5 (a dataset per image). Its name is the file's, or\n"
    .. "the dataset's. Pictures that cannot be read are named at the end, and the others captioned. The array fc\n"
    .. "of an .npz file is the vector of the whole image, for models that look at one; else that is the mean of the\n"
    .. "regions.\n"
    .. "WHERE is a folder of .npy or .npz files named as the images, a .h5 file with a dataset per image, one such\n"
    .. "file where there is one image, or grid: the regions are the cells of a square grid, row by row. Else boxes\n"
    .. "are the array boxes or bbox of an .npz input. They are [regions, 4]: left, top, right, bottom, from 0 to 1.\n"
    .. "An image has a line for each caption drawn (--sample), or for the best caption of each of --groups, the best\n"
    .. "of all first.",
}

local function read_images(paths, model, boxes)
  local images = {}
  if boxes then features.check_where(boxes, #paths) end
  for _, path in ipairs(paths) do
    for _, image in ipairs(features.read(path, model.cfg, boxes)) do
      if model.needs_boxes and not image.boxes then
        error(path .. ": this model looks at the boxes of regions, and there are none; --boxes says where they are", 0)
      end
      images[#images + 1] = image
    end
  end
  return images
end

local FEATURES = {npy = true, npz = true, h5 = true, hdf5 = true}
local PICTURES = {jpg = true, jpeg = true, png = true}

-- Inputs that are pictures, and those that are features.
local function sort_inputs(args, model)
  local pictures, others = {}, {}
  for i = 2, #args do
    local ending = (args[i]:match("%.(%w+)$") or ""):lower()
    if PICTURES[ending] and not model.encoder then
      error(("%s: %s looks at region features, not at pictures; a model with an encoder (model.encoder in its recipe) "
        .. "looks at those"):format(args[i], args[1]), 0)
    end
    table.insert(model.encoder and not FEATURES[ending] and pictures or others, args[i])
  end
  return pictures, others
end

-- say(name, captions) for each picture that can be read; returns what is wrong with the others.
local function caption_pictures(model, paths, args, options, say)
  local batches <close> = album.batches(paths, model.encoder.pictures, math.min(args.batch, #paths))
  local all_problems = {}
  while true do
    local scope <close> = lac.scope()
    local pictures, numbers, problems = batches:next()
    if pictures == nil then return all_problems end
    table.move(problems, 1, #problems, #all_problems + 1, all_problems)
    for i, list in ipairs(pictures and decode.captions(model, model:encode {pictures = pictures}, options) or {}) do
      say(album.name(paths[numbers[i]]), list)
    end
  end
end

local function caption_features(model, paths, args, options, say)
  local images = read_images(paths, model, args.boxes)
  for first = 1, #images, args.batch do
    local scope <close> = lac.scope()
    local some = table.move(images, first, math.min(first + args.batch - 1, #images), 1, {})
    local seen = model:encode(features.batch(some))
    for i, list in ipairs(decode.captions(model, seen, options)) do say(some[i].id, list) end
  end
end

function caption.run(args)
  decoding.check(args)
  local found = checkpoint.load(args[1])
  if not found.vocab then
    error(args[1] .. ": there is no vocabulary in this model file; import it again with --vocab word.vocab", 0)
  end
  local options = decoding.settings(args, found, args[1])
  if args.boxes and not found.model.needs_boxes then
    error(("%s: a model of the kind %s looks at no boxes; leave --boxes out"):format(args[1],
      found.config.model.name), 0)
  end
  local results, problems = {}, {}
  local function say(name, list)
    for _, said in ipairs(list) do
      results[#results + 1] = {image_id = annotations.id(name), caption = found.vocab:decode(said.ids)}
      if not args.json then print(("%s\t%s"):format(name:gsub("%c", "?"), results[#results].caption)) end
    end
  end
  local pictures, others = sort_inputs(args, found.model)
  if #pictures > 0 then problems = caption_pictures(found.model, pictures, args, options, say) end
  caption_features(found.model, others, args, options, say)
  if args.json then print(lac.json.encode(lac.json.array(results))) end
  for _, problem in ipairs(problems) do io.stderr:write("lacuna: ", problem, "\n") end
  return #problems > 0 and 1 or 0
end

return caption
