local lac = require "lac"
local check = require "check"
local Small = require "models.encoders.small"
local checkpoint = require "train.checkpoint"
local files = require "files"
local runs = require "runs"
local toy = require "toy"

local T = {}

-- A file of an encoder with a classifier, whose kernels are all 0.5.
local function write_encoder(folder)
  local cfg = {size = 32, channels = {8}, classes = 3, input = "unit"}
  local model = Small(cfg)
  model:initialise(lac.rng(1))
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then p.param.value:fill(0.5) end
  end
  cfg.name = "small"
  checkpoint.save(folder .. "/e.h5", {model = model, config = {kind = "encoder", model = cfg}})
  model:close()
  return folder .. "/e.h5"
end

local function write_recipe(folder, encoder)
  toy.recipe(folder)
  return files.write(folder .. "/r.lua", ('return {base = "toy", model = {encoder = %s}}'):format(encoder))
end

-- fn gets the run of a recipe with that text for model.encoder.
local function with_run(encoder, fn)
  files.with_folder(function(folder)
    local path = write_recipe(folder, encoder:gsub("FILE", write_encoder(folder)))
    local run = runs.build(path, folder .. "/run")
    local good, why = pcall(fn, run)
    run:close()
    if not good then error(why, 0) end
  end)
end

function T.an_encoder_begins_with_the_weights_and_settings_of_a_file()
  with_run('{name = "small", weights = "FILE", frozen = true}', function(run)
    check.equal(run.model_config.encoder, {name = "small", size = 32, channels = {8}, input = "unit", frozen = true})
    check.equal(run.model.encoder.classifier, nil)
    local kernel
    for _, p in ipairs(run.model:parameters()) do
      if p.name == "encoder.features.0.1.0.weight" then kernel = p.param.value end
    end
    check.equal({kernel:totable()[8][8][3][3], run.model_config.features}, {0.5, 8})
  end)
end

function T.a_run_keeps_and_exports_its_encoder()
  files.with_folder(function(folder)
    local path = write_recipe(folder, ('{name = "small", weights = "%s", frozen = true}'):format(write_encoder(folder)))
    runs.start(path, folder .. "/run", {"stages={{steps=3}}", "eval.every=3 steps"})
    local found = checkpoint.load(folder .. "/run/last.h5")
    check.equal(found.config.model.encoder.weights, nil)
    check.equal(found.model.encoder.cfg.input, "unit")
    found.model:close()
  end)
end

local function refused(encoder, pattern)
  check.fails(pattern, with_run, encoder, function() end)
end

function T.an_encoder_may_begin_as_that_of_another_run()
  files.with_folder(function(folder)
    local path = write_recipe(folder, ('{name = "small", weights = "%s", frozen = true}'):format(write_encoder(folder)))
    runs.start(path, folder .. "/run", {"stages={{steps=1}}"})
    local run = runs.build(path, folder .. "/next", {"model.encoder.weights=" .. folder .. "/run/best.h5"})
    local found = checkpoint.load(folder .. "/run/best.h5")
    check.equal({run.model_config.encoder.input, run.model.encoder:fingerprint()},
      {"unit", found.model.encoder:fingerprint()})
    found.model:close()
    run:close()
    runs.start(toy.recipe(folder), folder .. "/without", {"stages={{steps=1}}"})
    check.fails("without/last.h5: this model has no encoder", runs.build, path, folder .. "/next",
      {"model.encoder.weights=" .. folder .. "/without/last.h5"})
  end)
end

function T.what_a_recipe_says_of_its_encoder_is_checked()
  refused("3", "model.encoder must be a table, got a number")
  refused("{}", "model.encoder: name is missing; there are googlenet, mobilenet_v1, mobilenet_v2, small")
  refused('{name = "googlnet"}', 'model.encoder: there is no "googlnet"; did you mean "googlenet"%?')
  refused('{name = "small", chanels = {3}}', 'model.encoder: unknown key "chanels"; did you mean "channels"%?')
  refused('{name = "small", size = "big"}', "model.encoder.size must be a number, got the string \"big\"")
  refused('{name = "googlenet", weights = "FILE"}', "model.encoder: .*e%.h5 holds the encoder small, not googlenet")
  refused('{name = "small", weights = "none.h5"}', "none%.h5")
  refused('{name = "small", weights = "FILE", channels = {8, 8}, frozen = true}',
    "e%.h5: the tensor features%.1%.0%.0%.weight is")
  refused('{name = "small", classes = 3}', "the encoder of a captioning model has no classifier")
end

function T.an_encoder_can_be_taken_out_of_a_recipe_again()
  with_run("false", function(run) check.equal(run.model.encoder, nil) end)
end

return T
