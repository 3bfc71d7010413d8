--- lacuna caption: captions for region features.
local lac = require "lac"
local annotations = require "data.annotations"
local beam = require "train.beam"
local checkpoint = require "train.checkpoint"
local features = require "data.features"

local caption = {
  summary = "print captions for images given as region features",
  usage = "lacuna caption MODEL.h5 INPUT...",
  options = {
    {name = "beam", value = "N", type = "integer", min = 1, max = 64, default = 2, help = "beams; 1 is greedy"},
    {name = "batch", value = "N", type = "integer", min = 1, default = 50, help = "images at once"},
    {name = "length", value = "N", type = "integer", min = 1, max = 1000, help = "tokens per caption at most"},
    {name = "boxes", value = "WHERE", help = "boxes of the regions, for models that look at them"},
    {name = "json", help = 'print [{"image_id": ..., "caption": ...}, ...]'},
  },
  arguments = {name = "MODEL INPUT", min = 2},
  details = "An input is an array [regions, features]: .npy or .npz (one image each) or .h5 (a dataset per\n"
    .. "image). The image's name is the file's, or the dataset's.\n"
    .. "WHERE is a folder of .npy or .npz files named as the images, a .h5 file with a dataset per image, one such\n"
    .. "file where there is one image, or grid: the regions are the cells of a square grid, row by row. Else boxes\n"
    .. "are the array boxes or bbox of an .npz input. They are [regions, 4]: left, top, right, bottom, from 0 to 1.",
}

-- The best caption of each image, as ids.
local function decode(model, images, options)
  local scope <close> = lac.scope()
  local seen = model:encode(features.batch(images))
  if options.width == 1 then return beam.greedy(model, seen, options) end
  local best = {}
  for i, list in ipairs(beam.search(model, seen, options)) do
    best[i] = list[1]
  end
  return best
end

local function read_images(paths, model, boxes)
  local images = {}
  if boxes then features.check_where(boxes, #paths) end
  for _, path in ipairs(paths) do
    for _, image in ipairs(features.read(path, model.cfg.features, boxes)) do
      if model.needs_boxes and not image.boxes then
        error(path .. ": this model looks at the boxes of regions, and there are none; --boxes says where they are", 0)
      end
      images[#images + 1] = image
    end
  end
  return images
end

function caption.run(args)
  local found = checkpoint.load(args[1])
  if not found.vocab then
    error(args[1] .. ": there is no vocabulary in this model file; import it again with --vocab word.vocab", 0)
  end
  local options = {width = args.beam, length = args.length or found.config.decode.length, bos = found.vocab.bos,
                   eos = found.vocab.eos}
  if args.boxes and not found.model.needs_boxes then
    error(("%s: a model of the kind %s looks at no boxes; leave --boxes out"):format(args[1],
      found.config.model.name), 0)
  end
  local images = read_images(table.move(args, 2, #args, 1, {}), found.model, args.boxes)
  local results = {}
  for first = 1, #images, args.batch do
    local some = table.move(images, first, math.min(first + args.batch - 1, #images), 1, {})
    for i, best in ipairs(decode(found.model, some, options)) do
      results[#results + 1] = {image_id = annotations.id(some[i].id), caption = found.vocab:decode(best.ids)}
      if not args.json then print(("%s\t%s"):format(some[i].id:gsub("%c", "?"), results[#results].caption)) end
    end
  end
  if args.json then print(lac.json.encode(results)) end
end

return caption
