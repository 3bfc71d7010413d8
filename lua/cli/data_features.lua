--- lacuna data features: what an encoder makes of pictures, kept in a file.
local lac = require "lac"
local album = require "data.album"
local bar = require "cli.bar"
local build = require "data.build"
local cached = require "data.cached"
local captions = require "data.captions"
local checkpoint = require "train.checkpoint"
local features = require "data.features"
local make_room = require "cli.make_room"
local native = require "cli.native"
local options = require "cli.options"
local plural = require "core.plural"

local part = {
  summary = "keep what an encoder makes of pictures",
  usage = "lacuna data features --encoder ENCODER.h5 DATA.h5|DIR|PICTURE... -o FEATURES.h5",
  options = {
    {name = "encoder", value = "FILE", help = "an encoder file, or a model with an encoder"},
    {name = "output", short = "o", value = "FILE", help = "the file to write"},
    {name = "boxes", value = "grid", choices = {"grid"}, help = "write boxes too: the positions as cells of a grid"},
    {name = "dtype", value = "TYPE", choices = {"f32", "f16"}, default = "f32", help = "features as f32 or f16"},
    {name = "batch", value = "N", type = "integer", min = 1, default = 16, help = "pictures at once"},
    {name = "images", value = "DIR", help = "where the pictures of DATA.h5 are"},
    {name = "skip-missing", help = "leave images of DATA.h5 out whose pictures are not there or cannot be read"},
  },
  arguments = {name = "DATA.h5, DIR or PICTURE", min = 1},
  details = "Of a data file of pictures (lacuna data build --images) it makes one of features, with the same\n"
    .. "captions, for a model whose encoder is frozen: it then looks at pictures once, and not in every epoch. They\n"
    .. "are cut out of the middle. Of a folder, or of picture files, it makes a file with a dataset [rows, columns,\n"
    .. "features] per picture, which lacuna caption reads.",
}

-- A data file of a data file.
local function keep_data(path, encoder, args)
  local dataset <close> = captions.open {path = path, images = args.images,
    missing = args.skip_missing and "skip" or nil}
  if not dataset.has_pictures then error(path .. ": this data file holds features already", 0) end
  function dataset.note(_, text) io.stderr:write("lacuna: ", text, "\n") end
  dataset:use_pictures(encoder.pictures)
  local source = cached.source(dataset, {width = encoder.features, encode = encoder, batch = args.batch,
    encoder = encoder:fingerprint(),
    boxes = args.boxes and features.grid(table.unpack(encoder.positions)) or nil})
  local shown <close> = bar(#source.images)
  local done = build.write(args.output, source, {dtype = args.dtype,
    progress = function(count) shown:update(count) end})
  shown:update(#source.images) -- those left out are done with too
  shown:finish()
  print(("%s: %d images, %d captions, %d positions of %d features"):format(args.output, done.images, done.captions,
    done.regions, encoder.features))
  if dataset:left_out() > 0 then
    print(("left out: %s without a picture that can be read"):format(plural(dataset:left_out(), "image")))
  end
end

local ENDINGS = {jpg = true, jpeg = true, png = true}

-- The pictures that are meant: a folder stands for those in it.
local function list_pictures(args)
  local paths = {}
  for _, path in ipairs(args) do
    local names = native.list(path)
    if not names then
      paths[#paths + 1] = path
    else
      table.sort(names)
      for _, name in ipairs(names) do
        if ENDINGS[(name:match("%.(%a+)$") or ""):lower()] then paths[#paths + 1] = path .. "/" .. name end
      end
    end
  end
  if #paths == 0 then error(args[1] .. ": there is no JPEG or PNG file in it", 0) end
  local known = {}
  for _, path in ipairs(paths) do
    local name = album.name(path)
    if known[name] then
      error(("%s and %s have the same name, so they cannot be in one file"):format(known[name], path), 0)
    end
    known[name] = path
  end
  return paths
end

-- A file with a dataset per picture.
local function keep_pictures(args, encoder)
  if args.boxes then
    options.wrong("--boxes goes with a data file; of these, lacuna caption --boxes grid finds the cells itself")
  end
  if encoder.grid ~= #encoder.stages then
    error("the image vector of this encoder is not the mean of its positions, so that these do not suffice; keep its "
      .. "features in a data file", 0)
  end
  local paths, rows, columns = list_pictures(args), table.unpack(encoder.positions)
  local file <close> = lac.hdf5.create(args.output)
  local shown <close> = bar(#paths)
  local batches <close> = album.batches(paths, encoder.pictures, args.batch)
  while true do
    local scope <close> = lac.scope()
    local pictures, numbers, problems = batches:next()
    if pictures == nil then break end
    if problems[1] then error(problems[1], 0) end
    local att = encoder(pictures)
    for i, number in ipairs(numbers) do
      file:write(album.name(paths[number]), att:select(1, i):reshape(rows, columns, encoder.features))
    end
    shown:update(numbers[#numbers])
  end
  file:commit()
  shown:finish()
  print(("%s: %d pictures, %d positions of %d features each"):format(args.output, #paths, rows * columns,
    encoder.features))
end

-- What is written takes the place of what is there, which must not be what it is made of.
local function check_output(args)
  for _, path in ipairs {args.encoder, table.unpack(args)} do
    if native.same_file(path, args.output) then
      error(("%s: this is what the features are made of; --output must be another file"):format(args.output), 0)
    end
  end
end

function part.run(args)
  if not args.encoder then options.wrong("data features needs --encoder FILE") end
  if not args.output then options.wrong("data features needs --output FILE, the file to write") end
  check_output(args)
  local encoder = checkpoint.load_encoder(args.encoder)
  make_room(args.output)
  if args[1]:find("%.h5$") or args[1]:find("%.hdf5$") then
    if args[2] then options.wrong('one data file at a time: "%s" is one too many', args[2]) end
    return keep_data(args[1], encoder, args)
  end
  keep_pictures(args, encoder)
end

return {part = part}
