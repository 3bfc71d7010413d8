--- lacuna data: make a data file, look into one.
local lac = require "lac"
local disk = require "core.disk"
local bar = require "cli.bar"
local build = require "data.build"
local captions = require "data.captions"
local data_features = require "cli.data_features"
local karpathy = require "data.karpathy"
local plural = require "core.plural"
local references = require "data.references"
local shapes = require "data.shapes"
local tokenizer = require "data.tokenizer"
local options = require "cli.options"
local make_room = require "cli.make_room"

-- lacuna data build -----------------------------------------------------------------------------------

-- What a data file is made of, by the option that asks for it: `option`'s value and all arguments -> source, see
-- data.build. `with` are options that only this source knows.
local SOURCES = {
  {option = "captions", with = {"features", "boxes", "name", "images", "skip_missing"}, open = function(path, args)
    if (args.features == nil) == (args.images == nil) then
      options.wrong("--captions needs --features DIR, a folder with a file per image, or --images DIR, their pictures")
    end
    if args.images and args.boxes then options.wrong("--boxes goes with --features; pictures have none") end
    return karpathy.open {captions = path, features = args.features, boxes = args.boxes, name = args.name,
                          images = args.images, skip_missing = args.skip_missing}
  end},
  {option = "shapes", with = {"seed", "size", "pictures"}, open = function(count, args)
    return shapes.source {images = count, seed = args.seed, size = args.size, pictures = args.pictures}
  end},
}

local function find_source(args)
  local found, names = nil, {}
  for _, row in ipairs(SOURCES) do
    names[#names + 1] = "--" .. row.option
    if args[row.option] and found then
      options.wrong("--%s and --%s do not go together", found.option, row.option)
    end
    if args[row.option] then found = row end
  end
  if not found then
    options.wrong("data build needs %s; see lacuna data build --help", table.concat(names, " or "))
  end
  return found
end

local function open_source(args)
  local found = find_source(args)
  for _, row in ipairs(SOURCES) do
    for _, name in ipairs(row ~= found and row.with or {}) do
      if args[name] then options.wrong("--%s goes with --%s, not with --%s", name, row.option, found.option) end
    end
  end
  return found.open(args[found.option], args)
end

-- A line at every tenth of the images.
local function shapes_option(name, key, value, help)
  local low, high = table.unpack(shapes.LIMITS[key])
  return {name = name, value = value, type = "integer", min = low, max = high, help = help}
end

local BUILD = {
  summary = "make a data file",
  usage = "lacuna data build --captions FILE.json --features DIR | --captions FILE.json --images DIR | --shapes N "
    .. "-o DATA.h5",
  options = {
    {name = "captions", value = "FILE", help = "captions and splits in Karpathy's layout"},
    {name = "features", value = "DIR", help = "region features, a .npy or .npz file per image"},
    {name = "boxes", value = "DIR", help = "their boxes likewise, edges from 0 to 1; or grid: regions are cells"},
    {name = "images", value = "DIR", help = "in place of features: their pictures, JPEG or PNG"},
    {name = "skip-missing", help = "leave images out whose pictures are not there"},
    {name = "name", value = "NAME", help = "what the data set is called; else the JSON file's name"},
    shapes_option("shapes", "images", "N", "instead: N generated scenes of shapes, with captions"),
    shapes_option("seed", "seed", "N", ("which scenes (%d if not given)"):format(shapes.defaults.seed)),
    shapes_option("size", "size", "N", ("pixels along their side (%d if not given)"):format(shapes.defaults.size)),
    {name = "pictures", value = "DIR", help = "write their pictures too, into a folder that is there"},
    {name = "dtype", value = "TYPE", choices = {"f32", "f16"}, default = "f32", help = "features as f32 or f16"},
    {name = "tokenizer", value = "NAME", choices = tokenizer.NAMES, default = "word",
      help = "captions as ids of words, digits, characters or subwords"},
    {name = "vocab", value = "N", type = "integer", min = 5, default = 10001,
      help = "words (characters, subwords) at most, 4 special ones included"},
    {name = "base", value = "R", type = "integer", min = 2, max = tokenizer.LARGEST_BASE,
      help = ("of the digits of the radix tokenizer (%d if not given)"):format(tokenizer.BASE)},
    {name = "coverage", value = "X", type = "number", default = 0.9995,
      help = "share of the text whose characters are kept; 1 keeps every word"},
    {name = "output", short = "o", value = "FILE", help = "the data file to write"},
  },
  details = "A feature file is named by the image's id (cocoid, or the number behind the last _ of the file name) or\n"
    .. "by the file name without its ending. An .npz file holds feat (or features, or one array only) and may hold\n"
    .. "boxes, and fc, the vector of the whole image, which is the mean of the regions without it.\n"
    .. "With --boxes grid regions are the cells of a square grid, row by row, or of what an array [rows,\n"
    .. "columns, features] says (./grid is a folder of that name). The split restval becomes part of train. Words\n"
    .. "are taken from the training captions only.\n\n"
    .. "With --images the file holds no features but the names of the pictures and their folder, and models have an\n"
    .. "encoder that looks at them (model.encoder in a recipe); data.images = DIR says where they are by then.\n\n"
    .. "Tokenizers: word; radix, a word as digits to a base, for small classifiers; char; bpe and unigram, subwords\n"
    .. "as SentencePiece makes them. A model keeps the tokenizer of the data it is trained on.",
}

function BUILD.run(args)
  if not args.output then options.wrong("data build needs --output FILE, the data file to write") end
  if not (args.coverage > 0 and args.coverage <= 1) then
    options.wrong("--coverage must be above 0 and at most 1, got %s", args.coverage)
  end
  if args.base and args.tokenizer ~= "radix" then options.wrong("--base goes with --tokenizer radix") end
  local source = open_source(args)
  make_room(args.output)
  local shown <close> = bar(#source.images)
  local done = build.write(args.output, source, {dtype = args.dtype, tokenizer = args.tokenizer,
    vocab_size = args.vocab, coverage = args.coverage, base = args.base,
    progress = function(count) shown:update(count) end})
  shown:finish()
  print(("%s: %d images, %d captions, %s, %s"):format(args.output, done.images, done.captions, done.vocab:describe(),
    source.pictures and "pictures in " .. source.pictures
      or ("%d regions of %d features"):format(done.regions, source.width)))
  if (source.left_out or 0) > 0 then
    print(("left out: %s without a picture"):format(plural(source.left_out, "image")))
  end
end

-- lacuna data info ------------------------------------------------------------------------------------

local INFO = {
  summary = "look into a data file",
  usage = "lacuna data info DATA.h5",
  arguments = {name = "DATA", min = 1, max = 1},
}

local function print_rows(rows)
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  for _, row in ipairs(rows) do print(("%-" .. width .. "s  %s"):format(row[1], row[2])) end
end

-- What there is to see on the images.
local function look_rows(dataset)
  if dataset.has_pictures then
    local left = dataset:left_out()
    return {{"pictures", ("in %s%s"):format(dataset.looks.place,
      left > 0 and ("; %d more image%s none there"):format(left, left == 1 and " has" or "s have") or "")}}
  end
  local regions = dataset:regions()
  return {
    {"regions", ("%d in all; an image has %d at least, %.1f on average, %d at most"):format(regions.total, regions.min,
      regions.mean, regions.max)},
    {"features", ("%d per region, %s%s"):format(dataset.width, dataset.dtype,
      dataset.fc_width ~= dataset.width and (", %d per image"):format(dataset.fc_width) or "")},
    {"boxes", dataset.has_boxes and "yes" or "no"},
  }
end

-- What self-critical training finds in the file.
local function describe_frequencies(dataset)
  local file <close> = lac.hdf5.open(dataset.path, {verify = false})
  if not file:has "frequencies" then return "not counted; self-critical training does it when it starts" end
  local frequencies = references.frequencies(file, dataset)
  return ("%d, counted in %s"):format(frequencies:ngrams(), plural(#frequencies, "training image"))
end

function INFO.run(args)
  local dataset <close> = captions.open {path = args[1], missing = "skip"}
  local rows = {{"name", dataset.name}}
  for _, split in ipairs(build.SPLITS) do
    local count = 0
    for _, image in ipairs(dataset:references(split)) do count = count + #image.captions end
    rows[#rows + 1] = {split, ("%d images, %d captions"):format(dataset:size(split), count)}
  end
  local mean, most = dataset:caption_words()
  table.move({
    {"vocabulary", ("%s, %d of them special"):format(dataset.vocab:describe(), dataset.vocab.specials)},
    {"caption", ("%.1f %s on average, %d at most"):format(mean, dataset.vocab.unit, most)},
  }, 1, 2, #rows + 1, rows)
  rows[#rows + 1] = {"n-grams", describe_frequencies(dataset)}
  for _, row in ipairs(look_rows(dataset)) do rows[#rows + 1] = row end
  rows[#rows + 1] = {"file", ("%d bytes"):format(disk.size(args[1]))}
  print_rows(rows)
  local shown = 0
  for _, split in ipairs(build.SPLITS) do
    for _, image in ipairs(dataset:references(split)) do
      if shown == 3 then return end
      shown = shown + 1
      if shown == 1 then print() end
      print(("%s %s: %s"):format(split, image.id, image.captions[1]:gsub("%c", " ")))
    end
  end
end

-- All -------------------------------------------------------------------------------------------------

local PARTS = {build = BUILD, features = data_features.part, info = INFO}

local data = {
  summary = "make a data file from captions and features or pictures, or look into one",
  usage = "lacuna data build|features|info ...",
  arguments = {name = "build, features or info", min = 1},
  options_first = true,
  details = "lacuna data build --captions FILE.json --features DIR -o DATA.h5   " .. BUILD.summary .. "\n"
    .. "lacuna data build --captions FILE.json --images DIR -o DATA.h5     the same, of pictures\n"
    .. "lacuna data build --shapes N -o DATA.h5                            the same, of generated scenes\n"
    .. "lacuna data features --encoder ENCODER.h5 DATA.h5 -o FEATURES.h5   " .. data_features.part.summary .. "\n"
    .. "lacuna data info DATA.h5                                           " .. INFO.summary .. "\n\n"
    .. "lacuna data build --help, and so on, say more.",
}

function data.run(words)
  local part = PARTS[words[1]]
  if not part then
    options.wrong('data knows "build", "features" and "info", not "%s"; see lacuna data --help', words[1])
  end
  local args = options.parse("data " .. words[1], part, table.move(words, 2, #words, 1, {}))
  if args.help then
    io.write(options.help(part))
  else
    part.run(args)
  end
end

return data
