local lac = require "lac"
local check = require "check"
local files = require "files"
local build = require "data.build"
local captions = require "data.captions"
local cider = require "metrics.cider"
local raster = require "data.raster"
local shapes = require "data.shapes"

local T = {}

local function read(source, index)
  local got = source.read(source.images[index])
  local att <close> = got.att
  local boxes <close> = got.boxes
  return att:totable(), boxes:totable()
end

function T.an_image_does_not_depend_on_how_many_there_are()
  local few, many = shapes.source {images = 10, seed = 4}, shapes.source {images = 40, seed = 4}
  for i = 1, 10 do check.equal(few.images[i], many.images[i]) end
  read(many, 33) -- nor on what was read before
  check.equal({read(few, 7)}, {read(many, 7)})
  check.equal({read(few, 7)}, {read(few, 7)})
end

function T.another_seed_gives_other_images()
  local one, two = shapes.source {images = 10, seed = 1}, shapes.source {images = 10, seed = 2}
  local same = 0
  for i = 1, 10 do
    if one.images[i].captions[1] == two.images[i].captions[1] then same = same + 1 end
  end
  check.yes(same < 3)
end

function T.images_are_split_eight_to_one_to_one_and_name_their_parts()
  local source, counts = shapes.source {images = 200}, {train = 0, val = 0, test = 0}
  check.equal(source.name, "shapes")
  for i, image in ipairs(source.images) do
    counts[image.split] = counts[image.split] + 1
    check.equal(image.id, i)
    check.equal(#image.captions, 5)
    for j = 1, 5 do check.equal(image.captions[j], image.tokens[j] .. " .") end
  end
  check.equal(counts, {train = 160, val = 20, test = 20})
  check.equal(source.images[1].file, "shapes_000001.ppm")
end

-- The pixels that a scene's objects change, as a list of positions in parts of the side.
local function changed(drawn, size)
  local empty = {}
  for key, value in pairs(drawn) do empty[key] = value end
  empty.objects = {}
  local with, without, list = raster.paint(drawn, size), raster.paint(empty, size), {}
  for i = 1, size * size do
    if with[i] ~= without[i] then
      list[#list + 1] = {((i - 1) % size + 0.5) / size, ((i - 1) // size + 0.5) / size}
    end
  end
  return list
end

-- A smooth edge reaches half a pixel beyond the shape.
local function holds(box, p)
  local edge = 0.5 / 64
  return p[1] >= box[1] - edge and p[1] <= box[3] + edge and p[2] >= box[2] - edge and p[2] <= box[4] + edge
end

function T.each_box_holds_an_object_and_together_they_hold_all()
  local source = shapes.source {images = 60, seed = 3}
  for i = 1, 60 do
    local drawn = shapes.scene(3, i)
    local att, boxes = read(source, i)
    check.equal(#att, #drawn.objects + 1)
    check.equal(boxes[1], {0.0, 0.0, 1.0, 1.0})
    local points = changed(drawn, 64)
    for _, p in ipairs(points) do
      local found = false
      for b = 2, #boxes do found = found or holds(boxes[b], p) end
      check.yes(found, ("image %d: a pixel at %.2f, %.2f is in no box"):format(i, p[1], p[2]))
    end
    for _, o in ipairs(drawn.objects) do
      local best = math.huge -- how far the tightest box around the object reaches beyond it
      for b = 2, #boxes do
        local box = boxes[b]
        local gaps = {o.x - o.r - box[1], o.y - o.r - box[2], box[3] - o.x - o.r, box[4] - o.y - o.r}
        if math.min(table.unpack(gaps)) > -1e-6 then best = math.min(best, math.max(table.unpack(gaps))) end
      end
      check.yes(best < 0.021, ("image %d: an object has no box of its own"):format(i))
    end
  end
end

function T.features_are_finite_and_between_0_and_1_at_every_size()
  for _, size in ipairs {32, 64, 96, 131} do
    local source = shapes.source {images = 10, size = size}
    for i = 1, 10 do
      local att = read(source, i)
      for _, row in ipairs(att) do
        check.equal(#row, source.width)
        for _, v in ipairs(row) do check.yes(v >= 0 and v <= 1.0001) end
      end
    end
  end
end

function T.pictures_of_two_sizes_show_the_same()
  local small, large = shapes.source {images = 10, size = 64}, shapes.source {images = 10, size = 128}
  for i = 1, 10 do
    local _, a = read(small, i)
    local _, b = read(large, i)
    check.equal(a, b)
  end
  check.equal(small.images, large.images)
end

-- How many single objects have the same `key` as the one whose features first .. last are nearest.
local function agree(rows, key, first, last)
  local right = 0
  for i, row in ipairs(rows) do
    local best, name = math.huge, nil
    for j, other in ipairs(rows) do
      local d = 0
      for k = first, last do d = d + (row.features[k] - other.features[k]) ^ 2 end
      if i ~= j and d < best then best, name = d, other.object[key] end
    end
    if name == row.object[key] then right = right + 1 end
  end
  return right
end

function T.features_tell_colours_and_shapes_apart()
  local source, rows = shapes.source {images = 600, seed = 8}, {}
  for i = 1, 600 do
    local objects = shapes.scene(8, i).objects
    if #objects == 1 then rows[#rows + 1] = {object = objects[1], features = read(source, i)[2]} end
  end
  check.yes(#rows > 50, #rows .. " images of one object")
  check.yes(agree(rows, "shape", 1, 64) > 0.8 * #rows, "shape: " .. agree(rows, "shape", 1, 64) .. " of " .. #rows)
  check.yes(agree(rows, "colour", 65, 128) > 0.8 * #rows,
    "colour: " .. agree(rows, "colour", 65, 128) .. " of " .. #rows)
end

-- CIDEr of captions against those of images, each a list of texts.
local function score(hypotheses, references)
  local corpus <close> = lac.text.corpus(hypotheses, references)
  return cider.score(corpus).corpus
end

function T.one_caption_for_all_is_no_good_where_another_of_the_same_image_is()
  local images = shapes.source {images = 300, seed = 6}.images
  local first, others, all = {}, {}, {}
  for i, image in ipairs(images) do
    first[i], others[i], all[i] = image.tokens[1], table.move(image.tokens, 2, 5, 1, {}), image.tokens
  end
  check.yes(score(first, others) > 3.5)
  for i = 1, 60 do
    local same = {}
    for j = 1, #images do same[j] = images[i].tokens[1] end
    check.yes(score(same, all) < 0.6, images[i].tokens[1])
  end
end

function T.pictures_are_written_as_ppm_when_an_image_is_read()
  files.with_folder(function(folder)
    local source = shapes.source {images = 10, size = 40, pictures = folder}
    read(source, 3)
    check.equal(files.read(folder .. "/shapes_000003.ppm"),
      "P6\n40 40\n255\n" .. shapes.picture(shapes.scene(1, 3), 40))
    check.yes(not files.exists(folder .. "/shapes_000001.ppm"))
    check.equal(#shapes.picture(shapes.scene(1, 1)), 64 * 64 * 3)
  end)
end

function T.a_picture_that_cannot_be_written_is_named()
  files.with_folder(function(folder)
    local source = shapes.source {images = 10, pictures = folder .. "/none"}
    check.fails("^cannot write .*/none/shapes_000001.ppm: No such file", source.read, source.images[1])
    os.execute("ln -s /dev/full '" .. folder .. "/shapes_000001.ppm'")
    source = shapes.source {images = 10, pictures = folder}
    check.fails("^cannot write .*shapes_000001.ppm: No space left", source.read, source.images[1])
  end)
end

function T.bad_settings_are_refused()
  check.fails("data.shapes: images must be a whole number from 10 to 100000, got 9$", shapes.source, {images = 9})
  check.fails("data.shapes: size must be a whole number from 32 to 1024, got 31$", shapes.source, {size = 31})
  check.fails("data.shapes: size must be a whole number from 32 to 1024, got 1025$", shapes.picture,
    shapes.scene(1, 1), 1025)
  check.fails("data.shapes: seed must be a whole number .*, got 1.5$", shapes.source, {seed = 1.5})
  check.fails("data.shapes: seed .*, got %-1$", shapes.source, {seed = -1})
  check.fails('data.shapes: unknown key "image"; did you mean "images"', shapes.source, {image = 100})
end

function T.a_source_becomes_a_data_file()
  files.with_folder(function(folder)
    local path, source = folder .. "/shapes.h5", shapes.source {images = 30}
    build.write(path, source)
    local dataset <close> = captions.open {path = path, batch = 4}
    check.equal({dataset.name, dataset.width, dataset:size("train"), dataset:size("val"), dataset:size("test")},
      {"shapes", source.width, 24, 3, 3})
    check.equal(dataset:references("val")[1].captions, source.images[9].captions)
    local scope <close> = lac.scope()
    local batch = dataset:batch(1, 0, 1)
    check.equal(batch.att:shape(3), source.width)
    check.yes(batch.boxes)
  end)
end

return T
