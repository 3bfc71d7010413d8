--- Runs that begin with picture files: training, resuming, scoring, captions from pixels.
local lac = require "lac"
local check = require "check"
local files = require "files"
local pictures = require "pictures"
local runs = require "runs"

local T = {}

-- A data file of 16 pictures, and a recipe.
local function with_recipe(more, fn)
  return files.with_folder(function(folder)
    local data, place = pictures.data(folder, 16)
    return fn(folder, pictures.recipe(folder, data, more), place, data)
  end)
end

function T.a_run_from_pixels_resumes_to_the_same_bits_and_captions_files()
  with_recipe(nil, function(folder, path, place, data)
    runs.start(path, folder .. "/whole")
    runs.start(path, folder .. "/part", {}, 4) -- within an epoch, a batch on order
    runs.resume(folder .. "/part")
    runs.check_same(folder .. "/whole", folder .. "/part")
    local model = folder .. "/whole/best.h5"
    local status, text = check.run(("caption %s %s/8.png %s/16.png"):format(model, place, place))
    check.equal(status, 0)
    local kept = {}
    for name, caption in text:gmatch("(%d+)\t([^\n]*)\n") do kept[#kept + 1] = {name, caption} end
    check.equal({#kept, kept[1][1], kept[2][1]}, {2, "8", "16"})
    status, text = check.run(("eval %s --data %s -o %s/rows.json"):format(model, data, folder))
    check.yes(status == 0, text)
    for i, row in ipairs(lac.json.decode(files.read(folder .. "/rows.json"))) do
      check.equal(row, {image_id = 100 + 8 * i, caption = kept[i][2]}) -- from pixels either way
    end
  end)
end

function T.a_frozen_encoder_sees_the_same_in_kept_features()
  with_recipe("", function(folder, path, _, data)
    local frozen, weights = "model.encoder.frozen=true", "model.encoder.weights=" .. pictures.encoder(folder, 1)
    runs.start(path, folder .. "/run", {"data.augment=false", frozen, weights})
    local model, kept = folder .. "/run/best.h5", folder .. "/kept.h5"
    check.equal(check.run(("data features --encoder %s %s -o %s"):format(model, data, kept)), 0)
    for name, file in pairs {a = data, b = kept} do
      local status, text = check.run(("eval %s --data %s -o %s/%s.json"):format(model, file, folder, name))
      check.yes(status == 0, text)
    end
    check.equal(files.read(folder .. "/a.json"), files.read(folder .. "/b.json"))
    local features = "data.path=" .. kept
    check.fails("data%.augment: .*kept%.h5 holds features, which cannot be cut or flipped", runs.start, path,
      folder .. "/c", {frozen, weights, features})
    runs.start(path, folder .. "/again", {frozen, weights, features, "data.augment=false"})
    check.fails("holds features, so the encoder would learn nothing", runs.start, path, folder .. "/c",
      {features, "data.augment=false"})
    check.fails("its encoder gives 4 features per position and 4 per image, but .* has 6 and 6", runs.start, path,
      folder .. "/d", {features, frozen, "data.augment=false", "model.encoder.channels={4}", "model.encoder.weights="
        .. pictures.encoder(folder, 2, {channels = {4}})})
  end)
end

-- Features that are kept tell what made them: an encoder of other weights, or that resizes otherwise, is another.
function T.kept_features_of_another_encoder_are_refused()
  with_recipe("", function(folder, path, _, data)
    local weights = "model.encoder.weights=" .. pictures.encoder(folder, 3)
    local others = "model.encoder.weights=" .. pictures.encoder(folder, 4)
    local function with(...) return {"model.encoder.frozen=true", weights, "stages.1.epochs=1", ...} end
    runs.start(path, folder .. "/run", with())
    local kept, message = folder .. "/kept.h5", "were made by another encoder, or by this one with other weights"
    check.equal(check.run(("data features --encoder %s/run/last.h5 %s -o %s"):format(folder, data, kept)), 0)
    for _, other in ipairs {others, "model.encoder.resize=40", "model.encoder.input=unit"} do
      check.fails("recipe: the features in .*kept.h5 " .. message, runs.start, path, folder .. "/no",
        with(other, "data.path=" .. kept, "data.augment=false"))
    end
    runs.start(path, folder .. "/other", with(others))
    local status, text = check.run(("eval %s/other/last.h5 --data %s"):format(folder, kept))
    check.equal(status, 1)
    check.yes(text:find("other/last.h5: the features in .*kept.h5 " .. message), text)
    check.equal(check.run(("eval %s/run/last.h5 --data %s"):format(folder, kept)), 0)
    check.equal(check.run(("export %s/run/last.h5 -o %s/packed.h5"):format(folder, folder)), 0)
    check.equal(check.run(("eval %s/packed.h5 --data %s"):format(folder, kept)), 0)
    check.equal(check.run(("export %s/run/last.h5 -o %s/w.safetensors"):format(folder, folder)), 0)
    check.yes(os.rename(folder .. "/w.json", folder .. "/elsewhere.json"))
    status, text = check.run(("import %s/w.safetensors -o %s/again.h5"):format(folder, folder))
    check.equal(status, 1)
    check.yes(text:find("w.safetensors: encoder%.[%w_.]+ is of an encoder in front of a captioning model, whose sett"
      .. ".* are in the .json file that lacuna export wrote beside this one; %-%-config FILE"), text)
    local import = ("import %s/w.safetensors --vocab %s/w.vocab -o %s/again.h5 --config "):format(folder, folder,
      folder)
    check.equal(check.run(import .. folder .. "/elsewhere.json"), 0)
    for _, name in ipairs {"run/last", "again"} do
      check.equal(check.run(("eval %s/%s.h5 --data %s -o %s/%s.json"):format(folder, name, kept, folder, name)), 0)
    end
    check.equal(files.read(folder .. "/again.json"), files.read(folder .. "/run/last.json"))
    local settings = lac.json.decode(files.read(folder .. "/elsewhere.json"))
    check.equal(settings.model.encoder.resize, 36)
    for change, pattern in pairs {
      ["vocab"] = "bad.json: model.vocab must be a whole number",
      ["name"] = 'there is no model "nil" in this program',
    } do
      local value = settings.model[change]
      settings.model[change] = nil
      files.write(folder .. "/bad.json", lac.json.encode(settings))
      settings.model[change] = value
      status, text = check.run(import .. folder .. "/bad.json")
      check.equal(status, 1)
      check.yes(text:find(pattern), text)
    end
  end)
end

-- An encoder that a recipe names over its base's comes without the base's weights.
function T.an_encoder_that_does_not_learn_has_weights_to_begin_with()
  with_recipe("", function(folder, path)
    local weights = pictures.encoder(folder, 1)
    files.write(folder .. "/r.lua", 'return {base = "pictures", model = {encoder = {name = "mobilenet_v1"}}}')
    local function refused(why, ...)
      check.fails("model.encoder: " .. why .. ", but it has no weights, so a decoder would learn from random features",
        runs.start, folder .. "/r.lua", folder .. "/run", {...})
    end
    files.write(path, (files.read(path):gsub("channels", ("frozen = true, weights = %q, channels"):format(weights))))
    refused("frozen is true", "model.encoder.frozen=true")
    local stages = "stages={{epochs=1, freeze={'encoder.*'}}, {epochs=1}}"
    refused("the first stage freezes it", stages)
    check.fails("stages.1.freeze: \"encodre.%*\" matches nothing", runs.start, folder .. "/r.lua", folder .. "/run",
      {"stages={{epochs=1, freeze={'encodre.*'}}}"})
  end)
end

-- Neither the file of the encoder's first weights nor the folder of the pictures need stay where they were.
function T.a_run_resumes_without_the_file_of_its_encoder_and_with_pictures_that_were_moved()
  with_recipe("prune = {method = 'supermask', target = 0.5},", function(folder, path, place)
    local first = pictures.encoder(folder, 1)
    local overrides = {"model.encoder.weights=" .. first, "model.encoder.frozen=true", "stages.1.epochs=2"}
    runs.start(path, folder .. "/whole", overrides)
    runs.start(path, folder .. "/part", overrides, 4)
    runs.start(path, folder .. "/early", overrides, 1)
    os.remove(folder .. "/early/last.h5") -- as when it was killed before it had written one
    os.remove(first)
    runs.resume(folder .. "/part")
    runs.check_same(folder .. "/whole", folder .. "/part")
    check.yes(os.rename(place, folder .. "/moved"))
    local status, text = check.run(("resume %s/early"):format(folder))
    check.equal(status, 1)
    check.yes(text:find("there is no such folder of pictures; data.images says where", 1, true), text)
    status, text = check.run(("resume %s/early data.images=%s/moved"):format(folder, folder))
    check.yes(status == 0, text)
    runs.check_same(folder .. "/whole", folder .. "/early")
    status, text = check.run(("resume %s/early data.batch=3"):format(folder))
    check.equal(status, 2)
    check.yes(text:find("the only things that can be changed are data.path=FILE and data.images=DIR", 1, true), text)
  end)
end

function T.pictures_need_an_encoder()
  with_recipe(nil, function(folder, path)
    check.fails("recipe: this model looks at features, but .*pictures.h5 is a data file of pictures; a model with an "
      .. "encoder %(model.encoder", runs.start, path, folder .. "/run", {"model.encoder=false"})
  end)
end

function T.a_missing_picture_stops_the_run_before_it_begins_or_is_left_out()
  with_recipe(nil, function(folder, path, place)
    files.write(place .. "/3.png", "hello")
    check.fails("3.png: is neither a JPEG nor a PNG", runs.start, path, folder .. "/stops", {"data.batch=11"})
    os.remove(place .. "/4.png")
    check.fails("there is no picture 4.png %(image 104%); data.missing", runs.start, path, folder .. "/run")
    check.yes(not files.exists(folder .. "/run/config.json"))
    files.write(place .. "/8.png", "")
    local status, text = check.run(("run --out %s/skips %s data.missing=skip data.batch=11"):format(folder, path))
    check.yes(status == 0, text)
    check.yes(text:find("1 image is left out: its picture is not there", 1, true), text)
    check.equal(select(2, text:gsub("left out: [^\n]*3.png: is neither a JPEG", "")), 1)
    check.yes(text:find("left out: [^\n]*8.png: is empty"), text)
    check.equal(#lac.json.decode(files.read(folder .. "/skips/test_beam_1/caption_"
      .. ("%08d"):format(lac.json.decode(files.read(folder .. "/skips/result.json")).step) .. ".json")), 1)
  end)
end

function T.a_run_goes_on_only_with_the_pictures_that_it_began_with()
  with_recipe(nil, function(folder, path, place)
    local bytes = files.read(place .. "/5.png")
    os.remove(place .. "/5.png")
    runs.start(path, folder .. "/run", {"data.missing=skip"}, 4)
    files.write(place .. "/5.png", bytes)
    local status, text = check.run("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("pictures that are missing from .*/pictures are others than when this run began %(0 now%)"),
      text)
    os.remove(place .. "/5.png")
    runs.resume(folder .. "/run")
    check.yes(files.exists(folder .. "/run/result.json"))
  end)
end

function T.images_left_out_of_an_evaluation_are_named_and_not_counted()
  with_recipe(nil, function(folder, path, place, data)
    runs.start(path, folder .. "/run", {"stages.1.epochs=1"})
    files.write(place .. "/2.png", "hello")
    os.remove(place .. "/5.png")
    local command = ("eval %s/run/last.h5 --data %s --split train --samples 12 --majority --skip-missing"):format(
      folder, data)
    local status, text = check.run(command)
    check.equal(status, 0)
    check.yes(text:find("\ntrain, 10 images ", 1, true), text) -- of 12
    check.equal(select(2, text:gsub("lacuna: left out: [^\n]*2.png: is neither", "")), 1)
    check.yes(not text:find("image 102\n", 1, true) and not text:find("image 105\n", 1, true), text)
    check.yes(text:find("image 103\n +reference +a red tree\n"), text)
    for i = 1, 16 do files.write(("%s/%d.png"):format(place, i), "hello") end
    status, text = check.run(command)
    check.equal(status, 1)
    check.yes(text:find("pictures.h5: no picture of the split train can be read", 1, true), text)
  end)
end

-- Captions -----------------------------------------------------------------------------------------------

function T.pictures_that_cannot_be_read_are_named_and_the_others_captioned()
  with_recipe(nil, function(folder, path, place)
    runs.start(path, folder .. "/run", {"stages.1.epochs=1"})
    local bad = files.write(folder .. "/bad.jpg", "hello")
    local command = ("caption %s/run/last.h5 %s/1.png %s %s/none.jpg %s/2.png"):format(folder, place, bad, folder,
      place)
    local status, text = check.run(command)
    check.equal(status, 1)
    check.yes(text:find("1\t[^\n]*\n2\t[^\n]*\nlacuna: [^\n]*bad.jpg: is neither"), text)
    check.yes(text:find("\nlacuna: [^\n]*none.jpg: cannot open: No such file"), text)
    check.equal(select(2, check.run(command .. " --batch 1")), text)
    check.equal((select(2, check.run(("caption %s/run/last.h5 --json %s"):format(folder, bad)))):sub(1, 3), "[]\n")
  end)
end

function T.a_model_without_an_encoder_says_that_it_sees_no_pictures()
  local toy = require "toy"
  files.with_folder(function(folder)
    runs.start(toy.recipe(folder), folder .. "/run", {"stages.1.epochs=1"})
    local status, text = check.run(("caption %s/run/last.h5 x.jpg"):format(folder))
    check.equal(status, 1)
    check.yes(text:find("x.jpg: .*last.h5 looks at region features, not at pictures; a model with an encoder"), text)
  end)
end

return T
