local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local XE = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"
local SCST = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0__SCST_random_sample_s60_e10_C1B0001.zip"
local IMAGES = {391895, 522418, 184613, 57870, 384029}

-- reference.md 12.6; greedy and beam 2 of the self-critical model agree
local SCST_CAPTIONS = {
  "a man riding a motorcycle on a dirt", "a woman holding a bed in front of a",
  "a group of people standing next to a group of birds", "a group of chairs sitting in a room",
  "a woman holding a donut of donuts on a table with a",
}

local function inputs()
  local paths = {}
  for i, id in ipairs(IMAGES) do paths[i] = check.shared("data/coco5/bu/cocobu_att/" .. id .. ".npy") end
  return table.concat(paths, " ")
end

local function import(folder, zip)
  local model = folder .. "/model.h5"
  local status, text = check.run(("import %s -o %s"):format(check.shared(zip), model))
  check.yes(status == 0, text)
  check.yes(text:find("1896313 parameters, 3000 words", 1, true), text)
  return model
end

-- The captions that the command prints, in the order of the inputs.
local function captions(model, options, environment)
  local status, text = check.run(("caption %s %s %s"):format(model, options, inputs()), environment)
  check.yes(status == 0, text)
  local found = {}
  for id, caption in text:gmatch("(%d+)\t([^\n]*)\n") do
    check.equal(tonumber(id), IMAGES[#found + 1])
    found[#found + 1] = caption
  end
  return found
end

local function golden_captions(mode)
  local golden = lac.json.decode(files.read(check.shared("golden/captions_tiny3_xe.json")))
  check.equal(golden.images, IMAGES)
  local want = {}
  for i, row in ipairs(golden.decode[mode]) do want[i] = row.caption end
  return want
end

local MODES = {[1] = "greedy", [2] = "beam_2", [3] = "beam_3", [5] = "beam_5"}

function T.published_model_gives_the_published_captions_with_every_beam_batched_and_one_by_one()
  files.with_folder(function(folder)
    local model = import(folder, XE)
    for width, mode in pairs(MODES) do
      check.equal(captions(model, "--beam " .. width), golden_captions(mode))
      check.equal(captions(model, "--batch 1 --beam " .. width), golden_captions(mode))
    end
  end)
end

function T.published_self_critical_model_gives_the_published_captions()
  files.with_folder(function(folder)
    local model = import(folder, SCST)
    for width = 1, 2 do
      check.equal(captions(model, "--beam " .. width), SCST_CAPTIONS)
      check.equal(captions(model, "--batch 1 --beam " .. width), SCST_CAPTIONS)
    end
  end)
end

function T.every_product_provider_gives_the_same_captions()
  files.with_folder(function(folder)
    for _, zip in ipairs {XE, SCST} do
      local model = import(folder, zip)
      local status, text = check.run(("caption %s %s"):format(model, inputs()), "LACUNA_GEMM=nonsense")
      check.yes(status == 1 and text:find("nonsense"), "the provider is not read from the environment: " .. text)
      for _, width in ipairs {1, 2, 3, 5} do
        local plain = captions(model, "--beam " .. width)
        for _, provider in ipairs {"clblast", "tiled"} do
          check.equal(captions(model, "--beam " .. width, "LACUNA_GEMM=" .. provider), plain)
        end
      end
    end
  end)
end

function T.captions_inside_the_published_zips_are_reproduced()
  for _, case in ipairs {{XE, "00096000"}, {SCST, "00226570"}} do
    local zip <close> = lac.zip.open(check.shared(case[1]))
    local published = {}
    for _, name in ipairs(zip:names()) do
      for _, part in ipairs {"test_beam_2", "val_beam_1"} do
        if name:find(part .. "/caption_" .. case[2], 1, true) then
          for _, row in ipairs(lac.json.decode(zip:read(name))) do published[part .. row.image_id] = row.caption end
        end
      end
    end
    check.yes(published["test_beam_2391895"] and published["val_beam_1184613"], "the zip lacks the captions")
    files.with_folder(function(folder)
      local model = import(folder, case[1])
      check.equal(captions(model, "--beam 2")[1], published["test_beam_2391895"])
      check.equal(captions(model, "--beam 1")[3], published["val_beam_1184613"])
    end)
  end
end

function T.json_output_is_the_usual_list()
  files.with_folder(function(folder)
    local model = import(folder, XE)
    local status, text = check.run(("caption %s --json %s"):format(model, inputs()))
    check.equal(status, 0)
    local list, want = lac.json.decode(text), golden_captions("beam_2")
    for i, row in ipairs(list) do check.equal(row, {image_id = IMAGES[i], caption = want[i]}) end
    check.equal(#list, 5)
  end)
end

-- A small model of our own, so that what follows needs no shared file.
local function small_model(folder)
  local checkpoint = require "train.checkpoint"
  local vocab = require "data.vocab"
  local config = {model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5,
                           fc_features = 5, logit_layers = 1, dropout = 0.5}, decode = {length = 6}}
  local model = checkpoint.build(config.model, "test")
  model:initialise(lac.rng(3))
  local path = folder .. "/small.h5"
  checkpoint.save(path, {model = model, config = config, vocab = vocab.from_words {"a", "man", "dog"}})
  model:close()
  return path
end

local function refused(folder, name, bytes, pattern)
  local model = small_model(folder)
  local path = files.write(folder .. "/" .. name, bytes)
  local status, text = check.run(("caption %s %s"):format(model, path))
  check.equal(status, 1)
  check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
  check.equal(select(2, text:gsub("\n", "\n")), 1) -- one sentence
end

function T.features_of_the_wrong_width_are_refused()
  files.with_folder(function(folder)
    refused(folder, "x.npy", files.npy({2, 3}, {1, 2, 3, 4, 5, 6}), "x%.npy: a region has 3 features, but .* 5")
    refused(folder, "x.npy", files.npy({3}, {1, 2, 3}), "two dimensions %[regions, 5%]")
  end)
end

function T.an_empty_array_is_refused()
  files.with_folder(function(folder)
    refused(folder, "x.npy", files.npy({0, 5}, {}), "x%.npy: there is no region in it")
  end)
end

function T.numbers_that_are_not_finite_are_refused_with_their_place()
  files.with_folder(function(folder)
    refused(folder, "x.npy", files.npy({2, 5}, {1, 2, 3, 4, 5, 6, 0 / 0, 8, 9, 10}), "region 2, feature 2 is %-?nan")
    refused(folder, "x.npy", files.npy({1, 5}, {1, 2, 3, math.huge, 5}), "region 1, feature 4 is inf")
  end)
end

function T.files_of_another_kind_are_refused()
  files.with_folder(function(folder)
    refused(folder, "x.npy", "hello", "x%.npy: ")
    refused(folder, "x.npz", "hello", "x%.npz: ")
    refused(folder, "x.h5", "hello", "x%.h5: ")
    refused(folder, "x.txt", "hello", "x%.txt: region features come as %.npy, %.npz or %.h5")
    refused(folder, "x.npy", files.npy({2, 5}, {1, 2, 3}), "x%.npy: ")
  end)
end

function T.a_missing_file_is_named()
  files.with_folder(function(folder)
    local status, text = check.run(("caption %s %s/none.npy"):format(small_model(folder), folder))
    check.equal(status, 1)
    check.yes(text:find("none%.npy: cannot open: No such file"), text)
  end)
end

function T.a_damaged_or_foreign_model_file_is_refused()
  files.with_folder(function(folder)
    local path = small_model(folder)
    local bytes = files.read(path)
    local input = files.write(folder .. "/x.npy", files.npy({1, 5}, {1, 2, 3, 4, 5}))
    local cases = {
      [bytes:sub(1, #bytes // 2)] = "truncated", [bytes:sub(1, 600) .. "X" .. bytes:sub(602)] = "damaged",
      hello = "HDF5", [""] = "HDF5",
    }
    for damaged, pattern in pairs(cases) do
      local broken = files.write(folder .. "/broken.h5", damaged)
      local status, text = check.run(("caption %s %s"):format(broken, input))
      check.equal(status, 1)
      check.yes(text:find("broken%.h5: .*" .. pattern), "wanted " .. pattern .. ", got: " .. text)
    end
  end)
end

function T.beams_and_lengths_out_of_reach_are_wrong_usage()
  local status, text = check.run "caption a b --beam 65"
  check.equal({status, text}, {2, "lacuna: --beam must be at most 64, got 65\n"})
  check.equal((check.run "caption a b --length 99999999999"), 2)
end

function T.only_names_that_are_numbers_become_numbers_in_json()
  files.with_folder(function(folder)
    local model = small_model(folder)
    local paths = {}
    for i, name in ipairs {"12", "007", "1e3", "cat"} do
      paths[i] = files.write(folder .. "/" .. name .. ".npy", files.npy({1, 5}, {1, 0, 2, 0, 1}))
    end
    local _, text = check.run(("caption %s --json %s"):format(model, table.concat(paths, " ")))
    local ids = {}
    for i, row in ipairs(lac.json.decode(text)) do ids[i] = row.image_id end
    check.equal(ids, {12, "007", "1e3", "cat"})
  end)
end

function T.images_of_different_sizes_share_a_batch()
  files.with_folder(function(folder)
    local model = small_model(folder)
    local a = files.write(folder .. "/a.npy", files.npy({1, 5}, {1, 0, 2, 0, 1}))
    local b = files.write(folder .. "/b.npy", files.npy({3, 5}, {1, 2, 3, 4, 5, 0, 1, 0, 1, 0, 2, 2, 0, 0, 2}))
    local _, together = check.run(("caption %s %s %s"):format(model, a, b))
    local _, first = check.run(("caption %s %s"):format(model, a))
    local _, second = check.run(("caption %s %s"):format(model, b))
    check.equal(together, first .. second)
  end)
end

return T
