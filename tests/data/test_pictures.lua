local lac = require "lac"
local build = require "data.build"
local captions = require "data.captions"
local check = require "check"
local files = require "files"
local pictures = require "pictures"

local T = {}

local SPEC = {size = 8, resize = 12, grid = "half_pixel", keep_aspect = false}

-- 16 images: 12 train, 2 val, 2 test. fn gets the data set and where its pictures are.
local function with_data(options, fn)
  return files.with_folder(function(folder)
    local path, place = pictures.data(folder, 16)
    local cfg = {path = path, batch = 4, captions_per_image = 2}
    for key, value in pairs(options) do cfg[key] = value end
    local dataset <close> = captions.open(cfg)
    dataset:use_pictures(SPEC)
    return fn(dataset, place, cfg)
  end)
end

local function take(dataset, seed, epoch, index)
  local scope <close> = lac.scope()
  local batch = dataset:batch(seed, epoch, index)
  return {ids = batch.ids, pictures = batch.pictures:totable(), words = batch.words:totable(), rows = batch.rows,
          members = batch.members:totable(), att = batch.att, fc = batch.fc}
end

local function evaluate(dataset, split, size)
  local next_batch, out = dataset:evaluation(split, size), {}
  while true do
    local scope <close> = lac.scope()
    local batch = next_batch()
    if not batch then return out end
    out[#out + 1] = {ids = batch.ids, pictures = batch.pictures:totable()}
  end
end

-- Where the green half of a picture ends: the columns that are green, from the left; negative from the right.
local function green(picture)
  local count = 0
  for _, pixel in ipairs(picture[1]) do count = count + (pixel[2] > 0.5 and 1 or 0) end
  return picture[1][1][2] > 0.5 and count or -count
end

function T.a_batch_holds_the_pictures_of_its_images()
  with_data({}, function(d)
    check.equal({d.has_pictures, d.has_boxes, d.width, d:regions()}, {true, false, nil, nil})
    check.equal({d:size("train"), d:size("val"), d:size("test"), d:steps(), d:left_out()}, {12, 2, 2, 3, 0})
    for index = 1, 3 do
      local batch = take(d, 1, 0, index)
      check.equal({#batch.ids, batch.rows, batch.att, batch.fc}, {4, 8, nil, nil})
      for i, id in ipairs(batch.ids) do
        check.equal({#batch.pictures[i], #batch.pictures[i][8], #batch.pictures[i][1][1]}, {8, 8, 3})
        check.close(batch.pictures[i][8][8], {10 * (id - 100) / 255, 0, 0}, 1e-6)
        check.equal(green(batch.pictures[i]), 4) -- columns 2 to 9 of 12
      end
    end
  end)
end

function T.evaluation_gives_the_middle_in_the_order_of_the_file()
  with_data({augment = true}, function(d)
    local batches = evaluate(d, "test", 1)
    check.equal({batches[1].ids, batches[2].ids, #batches}, {{108}, {116}, 2})
    for _, batch in ipairs(evaluate(d, "train", 5)) do
      for i in ipairs(batch.ids) do check.equal(green(batch.pictures[i]), 4) end
    end
  end)
end

function T.augmented_batches_depend_on_their_three_numbers_only()
  with_data({augment = true}, function(d, _, cfg)
    local wanted = {}
    for epoch = 0, 1 do
      for index = 1, 3 do wanted[#wanted + 1] = take(d, 3, epoch, index) end
    end
    local other <close> = captions.open(cfg)
    other:use_pictures(SPEC)
    for _, k in ipairs {5, 1, 1, 6, 2, 4, 3, 5} do -- as after a resume, and against what is prefetched
      check.equal(take(other, 3, (k - 1) // 3, (k - 1) % 3 + 1), wanted[k])
      if k % 2 == 0 then evaluate(other, "val", 1) end
    end
  end)
end

function T.augmentation_shows_every_cut_and_both_sides()
  with_data({augment = true}, function(d)
    local seen = {}
    for epoch = 0, 24 do
      for index = 1, 3 do
        for _, picture in ipairs(take(d, 1, epoch, index).pictures) do seen[green(picture)] = true end
      end
    end
    for n = 2, 6 do check.yes(seen[n] and seen[n - 8], n .. " green columns were never seen") end
    check.equal({seen[1], seen[7]}, {nil, nil})
  end)
end

function T.how_pictures_are_read_may_change()
  with_data({}, function(d)
    take(d, 1, 0, 1) -- the next is on order
    d:use_pictures({size = 4, resize = 4, grid = "legacy"})
    check.equal(#take(d, 1, 0, 2).pictures[1], 4)
  end)
end

-- What is not there ------------------------------------------------------------------------------------

function T.missing_pictures_are_named_at_opening()
  with_data({}, function(_, place, cfg)
    os.remove(place .. "/7.png")
    check.fails("pictures: there is no picture 7%.png %(image 107%); data%.missing = \"skip\"", captions.open, cfg)
    os.remove(place .. "/9.png")
    os.remove(place .. "/12.png")
    check.fails("7%.png %(image 107%), and 2 others of 16 are missing; data.missing", captions.open, cfg)
  end)
end

function T.missing_pictures_are_left_out_where_the_recipe_allows_it()
  with_data({}, function(_, place, cfg)
    for _, i in ipairs {7, 9, 12} do os.remove(("%s/%d.png"):format(place, i)) end
    cfg.missing = "skip"
    local d <close> = captions.open(cfg)
    d:use_pictures(SPEC)
    check.equal({d:size("train"), d:size("val"), d:left_out(), d:steps()}, {10, 1, 3, 2})
    check.equal(d:ids("val"), {104})
    check.equal(#evaluate(d, "train")[1].ids, 10)
    check.equal(#take(d, 1, 0, 2).ids, 4)
  end)
end

function T.the_folder_may_lie_elsewhere()
  with_data({}, function(_, place, cfg)
    assert(os.rename(place, place .. ".moved"))
    check.fails("pictures: there is no such folder of pictures; data.images says where the pictures of .* are",
      captions.open, cfg)
    cfg.missing = "skip"
    check.fails("there is no such folder", captions.open, cfg)
    cfg.images = place .. ".moved"
    captions.open(cfg):close()
  end)
end

function T.a_folder_is_found_beside_the_data_file()
  files.with_folder(function(folder)
    lac.files.make_folder(folder .. "/set/some")
    files.write(folder .. "/set/some/1.png", pictures.png(2, 2, function() return 1, 2, 3 end))
    build.write(folder .. "/set/x.h5", {name = "x", pictures = "some", images = {
      {id = 1, file = "1.png", split = "train", captions = {"A."}, tokens = {"a"}}}})
    local d <close> = captions.open {path = folder .. "/set/x.h5", batch = 1}
    d:use_pictures(SPEC)
    check.close(take(d, 1, 0, 1).pictures[1][3][3], {1 / 255, 2 / 255, 3 / 255}, 1e-6)
  end)
end

function T.names_that_lead_out_of_the_folder_are_refused()
  files.with_folder(function(folder)
    lac.files.make_folder(folder .. "/in")
    files.write(folder .. "/1.png", "x")
    for _, name in ipairs {"../1.png", folder .. "/1.png", "", "a/../../1.png"} do
      build.write(folder .. "/x.h5", {name = "x", pictures = folder .. "/in", images = {
        {id = 1, file = name, split = "train", captions = {"A."}, tokens = {"a"}}}})
      check.fails("there is no picture", captions.open, {path = folder .. "/x.h5"})
    end
  end)
end

-- What cannot be read ----------------------------------------------------------------------------------

function T.a_broken_picture_ends_the_run_with_its_name()
  with_data({batch = 12}, function(d, place)
    local bytes = files.read(place .. "/3.png")
    files.write(place .. "/3.png", bytes:sub(1, #bytes // 2))
    check.fails("pictures/3%.png: is cut off.*; data.missing = \"skip\" .* goes on", take, d, 1, 0, 1)
    check.fails("pictures/3%.png: is cut off", evaluate, d, "train")
    files.write(place .. "/4.png", "hello")
    check.fails("4%.png: is neither a JPEG nor a PNG picture", evaluate, d, "val")
  end)
end

function T.broken_pictures_are_left_out_where_the_recipe_allows_it()
  with_data({batch = 12, missing = "skip"}, function(d, place)
    local told = {}
    function d.note(_, text) told[#told + 1] = text:match("[^/]+$") end
    local whole = take(d, 1, 0, 1)
    files.write(place .. "/3.png", "")
    files.write(place .. "/12.png", "hello")
    local reduced
    for epoch = 0, 2 do
      reduced = take(d, 1, epoch, 1)
      check.equal({#reduced.ids, #reduced.pictures, reduced.rows, #reduced.members}, {11, 11, 22, 11})
      for i, id in ipairs(reduced.ids) do
        check.close(reduced.pictures[i][8][8], {10 * (id - 100) / 255, 0, 0}, 1e-6)
      end
    end
    check.equal(#whole.ids, 12)
    check.equal({#evaluate(d, "val", 1), evaluate(d, "val")[1].ids}, {1, {104}})
    table.sort(told)
    check.equal(told, {"12.png: is neither a JPEG nor a PNG picture; it begins with \"hello\"",
                       "3.png: is empty, so no picture"}) -- once each
    for i = 1, 16 do files.write(("%s/%d.png"):format(place, i), "") end
    d:use_pictures(SPEC)
    check.fails("no picture of this training batch can be read", take, d, 1, 0, 1)
    check.equal(evaluate(d, "test"), {})
  end)
end

function T.wrong_use_is_a_sentence()
  with_data({}, function(_, _, cfg)
    local d <close> = captions.open(cfg)
    check.fails("this is a data file of pictures; a model that looks at them has an encoder", take, d, 1, 0, 1)
    check.fails("size must be", d.use_pictures, d, {size = 0})
    cfg.missing = "never"
    check.fails('data.missing must be "error" or "skip", got "never"', captions.open, cfg)
  end)
end

-- The reader -------------------------------------------------------------------------------------------

function T.a_reader_gives_what_was_ordered_and_says_what_could_not_be_read()
  files.with_folder(function(folder)
    local good = files.write(folder .. "/good.jpg", pictures.png(4, 2, function(x) return 60 * x, 0, 255 end))
    local reader <close> = lac.pictures {size = 2, resize = 4, threads = 2}
    reader:order {{path = good, x = 0, y = 1}, {path = folder .. "/none.jpg"}, {path = good, x = 1, flip = true}}
    local x <close>, errors = reader:take()
    check.equal(x:shape(), {3, 2, 2, 3})
    local blue, red = 1, 60 / 255
    check.close(x:totable()[1][1], {{0, 0, blue}, {red, 0, blue}}, 1e-6)
    check.close(x:totable()[3][1], {{3 * red, 0, blue}, {2 * red, 0, blue}}, 1e-6)
    check.equal(x:totable()[2], {{{0, 0, 0}, {0, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}})
    check.yes(errors[2]:find("none%.jpg: cannot open: No such file") and not errors[1] and not errors[3])
    check.fails("no batch was ordered", reader.take, reader)
    reader:order {{path = good}}
    local y <close>, none = reader:take()
    check.equal({y:numel(), none}, {12, nil})
  end)
end

function T.readers_refuse_what_makes_no_sense()
  for pattern, cfg in pairs {["unknown key sice"] = {sice = 4}, ["size must be from 1 to 8192, got 0"] = {size = 0},
      ["resize must be from the size, 9"] = {size = 9, resize = 8},
      ["grid must be half_pixel or legacy"] = {grid = "x"},
      ["size must be a whole number, got 1.5"] = {size = 1.5}, ["threads must be at most"] = {threads = 9999}} do
    check.fails(pattern, lac.pictures, cfg)
  end
  local reader <close> = lac.pictures {size = 2}
  check.fails("a picture at least is needed", reader.order, reader, {})
  check.fails("request 1 is no table", reader.order, reader, {"x.jpg"})
  check.fails("request 1 has no path", reader.order, reader, {{}})
  check.fails("x must be a number from 0 to 1, got 1.5", reader.order, reader, {{path = "a", x = 1.5}})
  reader:close()
  check.fails("closed picture reader", reader.take, reader)
end

return T
