local lac = require "lac"
local captions = require "data.captions"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local pictures = require "pictures"

local T = {}

-- A folder with set.json of 8 images and pictures/1.png ..., the second of which lies in a folder of its own.
local function with_set(fn)
  return files.with_folder(function(folder)
    local list = {}
    lac.files.make_folder(folder .. "/pictures/deep")
    for i = 1, 8 do
      local split = ({"train", "restval", "val", "test"})[(i - 1) % 4 + 1]
      list[i] = {filename = i .. ".png", split = split, filepath = i == 2 and "deep" or "", sentences = {
        {raw = "A Cat, number " .. i, tokens = {"a", "cat", "number", tostring(i)}},
        {raw = "Dog!", tokens = {"dog"}}}}
      files.write(("%s/pictures/%s%d.png"):format(folder, i == 2 and "deep/" or "", i),
        pictures.png(5, 4, function(x) return 30 * i, 50 * x, 0 end))
    end
    files.write(folder .. "/set.json", lac.json.encode {images = list})
    return fn(folder)
  end)
end

local function build(folder, options)
  return check.run(("data build --captions %s/set.json --images %s/pictures -o %s/set.h5 %s"):format(folder, folder,
    folder, options or ""))
end

-- A model of a small encoder, saved; or the encoder alone.
local function save_encoder(folder, more)
  local cfg = {name = "small", size = 32, resize = 36, channels = {4, 6}}
  for key, value in pairs(more or {}) do cfg[key] = value end
  local encoder = checkpoint.encoder(cfg, "test")
  encoder:initialise(lac.rng(5))
  checkpoint.save(folder .. "/encoder.h5", {model = encoder, config = {kind = "encoder", model = cfg}})
  return encoder:eval(), folder .. "/encoder.h5"
end

-- Building -----------------------------------------------------------------------------------------------

function T.a_set_of_pictures_is_built_and_described()
  with_set(function(folder)
    local status, text = build(folder, "--coverage 1")
    check.equal(status, 0)
    check.yes(text:find("set.h5: 8 images, 16 captions, 12 words, pictures in " .. folder, 1, true), text)
    status, text = check.run("data info " .. folder .. "/set.h5")
    check.equal(status, 0)
    check.yes(text:find("pictures    in " .. folder .. "/pictures\n", 1, true), text)
    local d <close> = captions.open {path = folder .. "/set.h5"}
    check.equal(d:contents()[2].file, "deep/2.png")
    check.equal({d:contents()[4].id, d:contents()[4].captions, d:contents()[4].tokens[2]},
      {4, {"A Cat, number 4", "Dog!"}, "dog"})
  end)
end

function T.missing_pictures_are_named_or_left_out()
  with_set(function(folder)
    os.remove(folder .. "/pictures/5.png")
    os.remove(folder .. "/pictures/6.png")
    local status, text = build(folder)
    check.equal(status, 1)
    check.yes(text:find("there is no picture 5.png (image 5), and 1 other of 8 is missing; --skip", 1, true), text)
    check.yes(not files.exists(folder .. "/set.h5"))
    status, text = build(folder, "--skip-missing")
    check.equal(status, 0)
    check.yes(text:find("6 images, 12 captions", 1, true), text)
    check.yes(text:find("left out: 2 images without a picture", 1, true), text)
    os.remove(folder .. "/pictures/7.png")
    text = select(2, check.run("data info " .. folder .. "/set.h5"))
    check.yes(text:find("pictures; 1 more image has none there", 1, true), text)
  end)
end

-- Features -----------------------------------------------------------------------------------------------

function T.features_of_a_data_file_are_those_that_the_encoder_gives()
  with_set(function(folder)
    build(folder)
    local encoder, path = save_encoder(folder)
    local status, text = check.run(("data features --encoder %s %s/set.h5 -o %s/f.h5 --boxes grid --batch 3"):format(
      path, folder, folder))
    check.equal(status, 0)
    check.yes(text:find("f.h5: 8 images, 16 captions, 512 positions of 6 features", 1, true), text)
    local seen <close> = captions.open {path = folder .. "/set.h5", batch = 2}
    local kept <close> = captions.open {path = folder .. "/f.h5", batch = 2}
    seen:use_pictures(encoder.pictures)
    check.equal({kept.width, kept.fc_width, kept.has_boxes, kept.vocab:text()}, {6, 6, true, seen.vocab:text()})
    for index = 1, 2 do
      local scope <close> = lac.scope()
      local a, b = seen:batch(1, 0, index), kept:batch(1, 0, index)
      check.equal({a.ids, a.words:totable(), a.targets:totable()}, {b.ids, b.words:totable(), b.targets:totable()})
      local att, fc = encoder(a.pictures)
      check.close(b.att, att:totable(), 1e-5) -- batches of another size
      check.close(b.fc, fc:totable(), 1e-5)
      check.equal(b.boxes:totable()[1][64], {0.875, 0.875, 1, 1})
    end
    check.equal(kept:ids("val"), seen:ids("val"))
    encoder:close()
  end)
end

function T.features_leave_out_pictures_that_are_missing_or_broken()
  with_set(function(folder)
    build(folder)
    local encoder, path = save_encoder(folder)
    encoder:close()
    os.remove(folder .. "/pictures/3.png")
    local command = ("data features --encoder %s %s/set.h5 -o %s/f.h5 --skip-missing"):format(path, folder, folder)
    local status, text = check.run(command)
    check.equal(status, 0)
    check.yes(text:find("left out: 1 image without a picture that can be read\n", 1, true), text)
    files.write(folder .. "/pictures/5.png", "hello")
    status, text = check.run(command)
    check.equal(status, 0)
    check.yes(text:find("f.h5: 6 images", 1, true), text)
    check.yes(text:find("left out: 2 images without a picture that can be read\n", 1, true), text)
  end)
end

function T.features_do_not_take_the_place_of_what_they_are_made_of()
  with_set(function(folder)
    build(folder)
    local encoder, path = save_encoder(folder)
    encoder:close()
    lac.files.make_folder(folder .. "/deep")
    local before = files.read(folder .. "/set.h5")
    for _, output in ipairs {"set.h5", "./set.h5", "deep/../set.h5", "encoder.h5"} do
      local status, text = check.run(("data features --encoder %s %s/set.h5 -o %s/%s"):format(path, folder, folder,
        output))
      check.equal(status, 1)
      check.yes(text:find("this is what the features are made of; --output must be another file", 1, true), text)
    end
    check.equal(files.read(folder .. "/set.h5"), before)
  end)
end

function T.features_of_picture_files_are_what_caption_reads()
  with_set(function(folder)
    local encoder, path = save_encoder(folder)
    local function keep(inputs)
      return check.run(("data features --encoder %s %s -o %s/g.h5"):format(path, inputs, folder))
    end
    local status, text = keep(folder .. "/pictures")
    check.yes(status == 0 and text:find("g.h5: 7 pictures, 64 positions of 6 features each", 1, true), text)
    local file <close> = lac.hdf5.open(folder .. "/g.h5")
    local x <close> = file:read "3"
    check.equal(x:shape(), {8, 8, 6})
    status, text = keep(("%s/pictures/3.png %s/pictures/deep/2.png"):format(folder, folder))
    check.yes(status == 0 and text:find("2 pictures", 1, true), text)
    status, text = keep(("%s/pictures/3.png %s/pictures/./3.png"):format(folder, folder))
    check.yes(status == 1 and text:find("have the same name", 1, true), text)
    status, text = keep(folder .. "/set.json")
    check.yes(status == 1 and text:find("set.json: is neither a JPEG nor a PNG", 1, true), text)
    encoder:close()
  end)
end

function T.what_fits_badly_is_a_sentence()
  with_set(function(folder)
    build(folder)
    local encoder, path = save_encoder(folder)
    encoder:close()
    check.run(("data features --encoder %s %s/set.h5 -o %s/f.h5"):format(path, folder, folder))
    local status, text = check.run(("data features --encoder %s %s/f.h5 -o %s/g.h5"):format(path, folder, folder))
    check.yes(status == 1 and text:find("f.h5: this data file holds features already", 1, true), text)
    status, text = check.run(("data features --encoder %s/f.h5 %s/set.h5 -o %s/g.h5"):format(folder, folder, folder))
    check.yes(status == 1 and text:find("f.h5 is no model file of lacuna", 1, true), text)
    lac.files.make_folder(folder .. "/none")
    status, text = check.run(("data features --encoder %s %s/none -o %s/g.h5"):format(path, folder, folder))
    check.yes(status == 1 and text:find("there is no JPEG or PNG file in it", 1, true), text)
  end)
end

return T
