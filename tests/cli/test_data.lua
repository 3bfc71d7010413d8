local lac = require "lac"
local captions = require "data.captions"
local check = require "check"
local files = require "files"

local T = {}

-- Images 1.jpg, 2.jpg, ...: a caption of two each, in turn of the splits.
local function images(count)
  local list = {}
  for i = 1, count do
    local split = ({"train", "restval", "val", "test"})[(i - 1) % 4 + 1]
    list[i] = {filename = i .. ".jpg", split = split, sentences = {
      {raw = "A Cat, number " .. i, tokens = {"a", "cat", "number", tostring(i)}}, {raw = "Dog!", tokens = {"dog"}}}}
  end
  return list
end

-- A folder with set.json and the folder att with 1.npy, ...; fn gets the folder's path.
local function with_set(list, fn)
  return files.with_folder(function(folder)
    assert(os.execute("mkdir " .. folder .. "/att " .. folder .. "/box"))
    files.write(folder .. "/set.json", lac.json.encode {images = list})
    for i = 1, #list do
      files.write(("%s/att/%d.npy"):format(folder, i), files.npy({2, 3}, {i, 2, 3, 4, 5, 6}))
    end
    return fn(folder)
  end)
end

local function run_build(folder, options, before)
  return check.run(("data build --captions %s/set.json --features %s/att -o %s/set.h5 %s"):format(folder, folder,
    folder, options or ""), before)
end

-- Building -------------------------------------------------------------------------------------------------

function T.a_set_is_built_and_described()
  with_set(images(10), function(folder)
    local status, text = run_build(folder, "--coverage 1")
    check.equal(status, 0)
    check.yes(text:find("set.h5: 10 images, 20 captions, 14 words, 20 regions of 3 features", 1, true), text)
    check.yes(text:find("100 %%  10/10[^\n]*\n"), text)
    status, text = check.run("data info " .. folder .. "/set.h5")
    check.equal(status, 0)
    check.equal((text:gsub("%d+ bytes", "N bytes")), [[
name        set
train       6 images, 12 captions
val         2 images, 4 captions
test        2 images, 4 captions
vocabulary  14 words, 4 of them special
caption     2.5 words on average, 4 at most
n-grams     16, counted in 6 training images
regions     20 in all; an image has 2 at least, 2.0 on average, 2 at most
features    3 per region, f32
boxes       no
file        N bytes

train 1: A Cat, number 1
train 2: A Cat, number 2
train 5: A Cat, number 5
]])
  end)
end

function T.words_are_taken_from_the_training_captions()
  with_set(images(4), function(folder)
    run_build(folder, "--coverage 1 --vocab 7 --name mine")
    local d <close> = captions.open {path = folder .. "/set.h5"}
    check.equal({d.name, d.vocab:size()}, {"mine", 7})
    check.equal({d.vocab:piece(4), d.vocab:piece(5), d.vocab:piece(6)}, {"▁a", "▁cat", "▁dog"})
  end)
end

function T.features_may_be_npz_with_boxes_and_named_by_file_or_id()
  local list = images(3)
  list[1].filename, list[2].filename, list[3].filename = "v/COCO_val_000000000007.jpg", "b.jpg", "x/0003.png"
  list[2].cocoid = 12
  with_set(list, function(folder)
    local att = folder .. "/att"
    local boxes = files.npy({1, 4}, {0, 0.25, 0.5, 1})
    files.npz(att .. "/7.npz", {feat = files.npy({1, 3}, {1, 2, 3}), bbox = boxes})
    files.npz(att .. "/b.npz", {features = files.npy({1, 3}, {4, 5, 6}), boxes = boxes})
    files.npz(att .. "/0003.npz", {feat = files.npy({1, 3}, {7, 8, 9}), boxes = boxes})
    local status, text = run_build(folder)
    check.yes(status == 0, text)
    local d <close> = captions.open {path = folder .. "/set.h5", batch = 2}
    check.equal({d.has_boxes, d:ids("train")}, {true, {7, 12}})
    check.equal(d:ids("val"), {"0003"})
    local scope <close> = lac.scope()
    local batch = d:evaluation("train")()
    check.equal(batch.att, {{{1, 2, 3}}, {{4, 5, 6}}})
    check.equal(batch.boxes, {{{0, 0.25, 0.5, 1}}, {{0, 0.25, 0.5, 1}}})
  end)
end

function T.a_vector_of_the_whole_image_may_lie_beside_the_features()
  with_set(images(3), function(folder)
    local att = folder .. "/att"
    for i = 1, 3 do
      os.remove(("%s/%d.npy"):format(att, i))
      files.npz(("%s/%d.npz"):format(att, i), {feat = files.npy({1, 3}, {i, 2, 3}), fc = files.npy({2}, {i, -i})})
    end
    local status, text = run_build(folder)
    check.yes(status == 0, text)
    do
      local d <close> = captions.open {path = folder .. "/set.h5", batch = 2}
      local scope <close> = lac.scope()
      check.equal({d.width, d.fc_width}, {3, 2})
      check.equal(d:evaluation("train")().fc, {{1, -1}, {2, -2}})
    end
    files.npz(att .. "/2.npz", {feat = files.npy({1, 3}, {1, 2, 3}), fc = files.npy({3}, {1, 2, 3})})
    status, text = run_build(folder)
    check.yes(status == 1 and text:find "image 2 .* has an fc of 3 numbers, those before it have 2", text)
    files.npz(att .. "/2.npz", {feat = files.npy({1, 3}, {1, 2, 3}), fc = files.npy({2}, {1, 1 / 0})})
    status, text = run_build(folder)
    check.yes(status == 1 and text:find "2%.npz: its fc holds numbers that are not finite", text)
  end)
end

function T.boxes_of_a_grid_are_its_cells()
  with_set(images(3), function(folder)
    local flat = {}
    for i = 1, 27 do flat[i] = i end
    files.write(folder .. "/att/1.npy", files.npy({9, 3}, flat))                       -- a square
    files.write(folder .. "/att/2.npy", files.npy({1, 2, 3}, {1, 2, 3, 4, 5, 6}))      -- a row of two
    files.write(folder .. "/att/3.npy", files.npy({4, 3}, table.move(flat, 1, 12, 1, {})))
    local status, text = run_build(folder, "--boxes grid")
    check.yes(status == 0, text)
    local d <close> = captions.open {path = folder .. "/set.h5", batch = 2}
    local scope <close> = lac.scope()
    local batch = d:evaluation "train"()
    check.equal({d.has_boxes, batch.regions}, {true, {9, 2}})
    local x = 1 / 3
    check.close(batch.boxes:select(1, 1), {{0, 0, x, x}, {x, 0, 2 * x, x}, {2 * x, 0, 1, x}, {0, x, x, 2 * x},
      {x, x, 2 * x, 2 * x}, {2 * x, x, 1, 2 * x}, {0, 2 * x, x, 1}, {x, 2 * x, 2 * x, 1}, {2 * x, 2 * x, 1, 1}}, 1e-6)
    check.equal(batch.boxes:select(1, 2):slice(1, 1, 2), {{0, 0, 0.5, 1}, {0.5, 0, 1, 1}})
    check.equal(d:evaluation "val"().boxes, {{{0, 0, 0.5, 0.5}, {0.5, 0, 1, 0.5}, {0, 0.5, 0.5, 1}, {0.5, 0.5, 1, 1}}})
  end)
end

function T.the_aerial_photographs_are_built_as_they_are()
  local json = check.shared "data/ucm-captions/dataset_ucm.json"
  local grid = check.shared("data/ucm-features/grid/0001.npz"):match("^(.*)/")
  files.with_folder(function(folder)
    local path = folder .. "/ucm.h5"
    local status, text = check.run(("data build --captions %s --features %s --dtype f16 --coverage 1 -o %s"):format(
      json, grid, path))
    check.yes(status == 0, text)
    local d <close> = captions.open {path = path}
    check.equal({d:size("train"), d:size("val"), d:size("test"), d:steps()}, {1680, 210, 210, 112})
    check.equal({d.width, d.dtype}, {512, "f16"})
    local scope <close> = lac.scope()
    local batch = d:batch(1, 0, 57)
    for i, id in ipairs(batch.ids) do -- a float16 in the source: nothing may change
      local want = lac.npz.read(("%s/%s.npz"):format(grid, id)).feat
      check.yes(batch.att:select(1, i):contiguous():tobytes() == want:tobytes(), "image " .. id .. " differs")
      check.close(batch.fc:select(1, i), want:mean(1), 1e-5)
    end
  end)
end

function T.five_coco_photographs_are_built_with_their_boxes()
  local json = check.shared "data/coco5/dataset_coco_testing.json"
  local bu = json:match("^(.*)/") .. "/bu/"
  files.with_folder(function(folder)
    local status, text = check.run(("data build --captions %s --features %scocobu_att --boxes %scocobu_box_relative "
      .. "-o %s/c.h5"):format(json, bu, bu, folder))
    check.yes(status == 0, text)
    local d <close> = captions.open {path = folder .. "/c.h5", batch = 3}
    local scope <close> = lac.scope()
    local batch = d:batch(1, 0, 1)
    for i, id in ipairs(batch.ids) do
      local att = lac.npy.read(bu .. "cocobu_att/" .. id .. ".npy")
      local regions = att:shape(1)
      check.equal(batch.att:select(1, i):slice(1, 1, regions):contiguous():tobytes(), att:tobytes())
      check.close(batch.boxes:select(1, i):slice(1, 1, regions),
        lac.npy.read(bu .. "cocobu_box_relative/" .. id .. ".npy"), 1e-6)
      check.close(batch.fc:select(1, i), lac.npy.read(bu .. "cocobu_fc/" .. id .. ".npy"), 1e-4)
    end
  end)
end

-- What is refused ------------------------------------------------------------------------------------------

-- Change a set with damage(list, folder), build: exit status 1, one sentence, no file.
local function refused(damage, pattern, options)
  local list = images(6)
  local change_files = damage(list)
  with_set(list, function(folder)
    if change_files then change_files(folder) end
    local status, text = run_build(folder, (options or ""):gsub("FOLDER", folder) .. "")
    text = text:gsub("^%d+ %%  %d/%d\n", "") -- how far it came
    check.equal(status, 1)
    check.yes(text:find("^lacuna: [^\n]+\n$"), text)
    check.yes(text:find(pattern), "wanted " .. pattern .. ", got " .. text)
    check.yes(not files.exists(folder .. "/set.h5"))
  end)
end

-- Damage that only writes a file.
local function writes(name, bytes)
  return function()
    return function(folder) files.write(folder .. "/" .. name, bytes) end
  end
end

function T.json_cut_short_is_refused()
  local text = lac.json.encode {images = images(6)}
  refused(writes("set.json", text:sub(1, #text // 2)), "set.json: not readable as JSON: line 1, column %d+")
  refused(writes("set.json", "[]"), "set.json: expected {\"images\"")
  refused(writes("set.json", '{"images": []}'), "set.json: there is no image in it")
end

function T.missing_features_are_named_and_counted()
  refused(function()
    return function(folder) os.remove(folder .. "/att/2.npy") end
  end, "att: there is no 2.npz or 2.npy for image 2 %(2.jpg%)\n")
  refused(function()
    return function(folder) for i = 2, 4 do os.remove(folder .. "/att/" .. i .. ".npy") end end
  end, "for image 2 %(2.jpg%), and 2 other images have none either")
  refused(function() end, "box: there is no 1.npz or 1.npy .*, and 5 other images have none either",
    "--boxes FOLDER/box")
end

function T.features_that_are_no_numbers_are_refused()
  refused(writes("att/3.npy", files.npy({2, 3}, {1, 2, 3, 4, 0 / 0, 6})),
    "att/3.npy: region 2, feature 2 is %-?nan; features must be finite")
  refused(writes("att/1.npy", files.npy({2, 3}, {1, 2, 3, 4, 5, math.huge})), "att/1.npy: region 2, feature 3 is inf")
  refused(writes("att/1.npy", files.npy({2, 3}, {1, 2, 3, 4, 5, 6}):sub(1, -5)), "att/1.npy: npy: truncated")
end

function T.regions_that_are_no_grid_are_refused()
  refused(function() end, "att/1.npy: 2 regions are no square grid of cells; an array %[rows, columns, features%] says",
    "--boxes grid")
end

function T.features_of_another_shape_are_refused()
  refused(writes("att/4.npy", files.npy({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})),
    "att/4.npy: a region has 4 features, but the images before it have 3")
  refused(writes("att/4.npy", files.npy({3}, {1, 2, 3})), "att/4.npy: region features have two dimensions")
  refused(writes("att/1.npy", files.npy({0, 3}, {})), "att/1.npy: there is no region in it")
end

-- Boxes for all six images; the fifth has the given ones.
local function boxes(shape, values)
  return function()
    return function(folder)
      for i = 1, 6 do
        files.write(("%s/box/%d.npy"):format(folder, i), files.npy({2, 4}, {0, 0, 1, 1, 0, 0, 0.5, 1}))
      end
      files.write(folder .. "/box/5.npy", files.npy(shape, values))
    end
  end
end

function T.boxes_that_do_not_fit_are_refused()
  local with = "--boxes FOLDER/box"
  refused(boxes({1, 4}, {0, 0, 1, 1}), "box/5.npy: there are 1 boxes for 2 regions", with)
  refused(boxes({2, 2}, {0, 0, 1, 1}), "box/5.npy: boxes have the shape %[regions, 4%], these have %[2, 2%]", with)
  refused(boxes({2, 4}, {0, 0, 1, 1, 3, 4, 200, 100}), "box/5.npy: box 2 has an edge at 3.0; edges are relative", with)
  refused(boxes({2, 4}, {0, 0, 1, 0 / 0, 0, 0, 0, 0}), "box/5.npy: box 1 has an edge at %-?nan", with)
end

function T.records_that_cannot_be_used_are_refused()
  refused(function(list) list[3].sentences = lac.json.array {} end, "set.json: image 3 %(3.jpg%) has no captions")
  refused(function(list) list[3].sentences = nil end, "set.json: image 3 has no sentences")
  refused(function(list) list[3].sentences[2].tokens = nil end,
    "set.json: image 3 %(3.jpg%), sentence 2: the tokens must be a list, they are missing")
  refused(function(list) list[3].sentences[2].tokens = {"a", 7} end, "sentence 2: a token must be a text, one is 7")
  refused(function(list) list[3].sentences[1].raw = nil end, "image 3, sentence 1: the caption must be a text")
  refused(function(list) list[5].filename = "2.jpg" end, "set.json: image 5 has the id 2, as one before it")
  refused(function(list) list[5].split = "vall" end,
    'image 5 %(5.jpg%): the split must be train, restval, val or test, it is "vall"; did you mean "val"')
  refused(function(list) list[5].split = nil end, "image 5 %(5.jpg%): the split must be .*, it is missing")
end

function T.a_full_disk_is_a_sentence_and_leaves_the_old_file()
  with_set(images(6), function(folder)
    local values = {}
    for k = 1, 30000 do values[k] = k end
    for i = 1, 6 do files.write(("%s/att/%d.npy"):format(folder, i), files.npy({100, 300}, values)) end
    files.write(folder .. "/set.h5", "old")
    -- files of 400 KiB at most: the rows are 720 kB
    local script = files.write(folder .. "/limited.sh", "trap '' XFSZ\nulimit -f 400\nexec \"$@\"\n")
    local status, text = run_build(folder, "", "bash " .. script)
    check.equal(status, 1)
    check.yes(text:find("lacuna: [^\n]*set.h5: cannot write 'features': File too large %(image 4, 4.jpg%)\n$"), text)
    check.equal(files.read(folder .. "/set.h5"), "old")
    local pipe <close> = assert(io.popen("ls " .. folder))
    check.equal(pipe:read("a"), "att\nbox\nlimited.sh\nset.h5\nset.json\n")
  end)
end

function T.wrong_options_are_refused()
  local function wrong(arguments, pattern)
    local status, text = check.run("data " .. arguments)
    check.equal(status, 2)
    check.yes(text:find(pattern), text)
  end
  wrong("", "build, features or info is missing; see lacuna data %-%-help")
  wrong("bild", 'data knows "build", "features" and "info", not "bild"')
  wrong("build -o x.h5", "data build needs %-%-captions")
  wrong("build --captions x.json -o x.h5", "%-%-captions needs %-%-features DIR")
  wrong("build --captions x.json --features y", "data build needs %-%-output FILE")
  wrong("build --captions x.json --features y -o z --coverage 2", "%-%-coverage must be above 0 and at most 1")
  wrong("build --captions x.json --features y -o z --dtype f8", '%-%-dtype must be one of f32, f16, got "f8"')
  wrong("build --bokses x", 'there is no option "%-%-bokses"; did you mean "%-%-boxes"')
  wrong("build --captions x.json --features y --images z -o u", "%-%-captions needs %-%-features DIR")
  wrong("build --captions x.json --images y --boxes grid -o z", "%-%-boxes goes with %-%-features")
  wrong("build --shapes 10 --images y -o z", "%-%-images goes with %-%-captions, not with %-%-shapes")
  wrong("features x.h5", "data features needs %-%-encoder FILE")
  wrong("features x.h5 --encoder y", "data features needs %-%-output FILE")
  wrong("info", "DATA is missing; see lacuna data info %-%-help")
end

function T.help_is_printed_for_both()
  for words, usage in pairs {["--help"] = "lacuna data build|features|info",
                             ["build --help"] = "lacuna data build --captions",
                             ["features --help"] = "lacuna data features --encoder",
                             ["info --help"] = "lacuna data info DATA.h5"} do
    local status, text = check.run("data " .. words)
    check.equal(status, 0)
    check.yes(text:find("usage: " .. usage, 1, true), text)
  end
end

function T.a_damaged_data_file_is_a_sentence()
  with_set(images(4), function(folder)
    run_build(folder)
    local bytes = files.read(folder .. "/set.h5")
    files.write(folder .. "/cut.h5", bytes:sub(1, 5000))
    local status, text = check.run("data info " .. folder .. "/cut.h5")
    check.equal(status, 1)
    check.yes(text:find("^lacuna: [^\n]*cut.h5: is truncated: 5000 of %d+ bytes are there\n$"), text)
  end)
end

return T
