--- Runs of a small transformer: that it learns, resumes, and is pruned in every way.
local check = require "check"
local files = require "files"
local runs = require "runs"
local toy = require "toy"

local T = {}

function T.it_learns_and_a_stopped_run_ends_with_the_same_bits()
  files.with_folder(function(folder)
    local recipe = toy.transformer(folder)
    local pruned = {"prune.method=supermask", "prune.target=0.5", "prune.weight=20", "prune.lr=300",
                    "stages.1.epochs=12"}
    local result = runs.start(recipe, folder .. "/whole", pruned)
    check.yes(result.test.CIDEr > 2, "CIDEr " .. result.test.CIDEr)
    check.yes(math.abs(result.sparsity - 0.5) < 0.05, "sparsity " .. result.sparsity)
    runs.start(recipe, folder .. "/parts", pruned, 5)
    runs.resume(folder .. "/parts", 13)
    runs.resume(folder .. "/parts")
    runs.check_same(folder .. "/whole", folder .. "/parts")
  end)
end

-- One method of each kind of look at the model, and the settings that a run of eighteen steps needs.
local METHODS = {
  gradual = {"prune.every=1"}, snip = {}, grasp = {}, synflow = {"prune.iterations=3"}, movement = {"prune.every=1"},
  fisher = {}, rigl = {"prune.every=1"}, str = {"prune.every=1"}, supermask = {"prune.draw=step"},
}

function T.every_kind_of_method_prunes_it()
  files.with_folder(function(folder)
    local recipe = toy.transformer(folder)
    for name, settings in pairs(METHODS) do
      local overrides = {"stages.1.epochs=3", "prune.method=" .. name, "prune.target=0.5", "eval.every=3 epochs"}
      table.move(settings, 1, #settings, #overrides + 1, overrides)
      local good, result = pcall(runs.start, recipe, folder .. "/" .. name, overrides)
      check.yes(good, name .. ": " .. tostring(result))
      -- supermasks need more steps; thresholds differ by a weight
      local off = name == "supermask" and 1 or 0.01
      check.yes(math.abs(result.sparsity - 0.5) < off, name .. ": sparsity " .. result.sparsity)
    end
  end)
end

function T.flow_reaches_all_that_is_no_score()
  files.with_folder(function(folder)
    local run = runs.build(toy.transformer(folder), folder .. "/run", {"prune.method=synflow", "prune.target=0.5",
                                                                       "prune.iterations=1"})
    run.loop:begin()
    for _, part in ipairs(run.pruner.active) do
      local x <close> = part.s:max()
      local most = x:item()
      check.yes(most >= 0 and most < math.huge)
      local is_score = part.name:find "attn%.linears%.[01]%." or part.name:find "WGs"
      check.yes(is_score or most > 0, "no flow through " .. part.name)
    end
    check.equal(rawget(run.model.region_encoder.norm, "forward"), nil) -- normalisation does its work again
    run:close()
  end)
end

function T.what_a_recipe_cannot_have_is_refused_before_there_is_a_folder()
  files.with_folder(function(folder)
    local recipe = toy.transformer(folder)
    local function refused(pattern, ...)
      check.fails(pattern, runs.start, recipe, folder .. "/run", {...})
      check.yes(not files.exists(folder .. "/run"))
    end
    refused("stages.1.sampling: words drawn by the model itself %(sampling%) need a decoder", "stages.1.sampling=0.5")
    refused("model.features is 7, but .*boxed.h5 has 8; leave it out", "model.features=7")
    refused("model.layers is 2, but it has no effect where .* list the layers, here 3 and 1",
      "model.share_layer_encoder={0,0,0}", "model.share_layer_decoder={0}")
    refused("share_layer_decoder must be a list of the layers .* got a table with gaps or names",
      "model.share_layer_decoder={0,nil,1}")
    local run = runs.build(recipe, folder .. "/run", {"model.features=8", "model.share_layer_encoder={0,0}",
      "model.share_layer_decoder={0}"})
    run.loop:check() -- values that are those of the data and of the lists
    check.equal(#run.model.region_encoder.places, 2)
    run:close()
    run = runs.build(recipe, folder .. "/run", {"model.name=acort", "model.size=8", "model.heads=2",
      "model.share_layer_encoder={0,0}"}) -- silence about layers
    check.equal({#run.model.region_encoder.places, #run.model.decoder.places}, {2, 6})
    run:close()
    run = runs.build(recipe, folder .. "/run", {"model.name=transformer", "model.size=8", "model.heads=2"})
    check.equal({run.model_config.layers, run.model_config.features}, {6, 8})
    run:close()
  end)
end

function T.data_without_boxes_are_refused()
  files.with_folder(function(folder)
    local recipe = toy.transformer(folder)
    local data = toy.data(folder)
    check.fails("model.name: ort looks at the boxes of regions, but .*toy.h5 has none; lacuna data build %-%-boxes",
      runs.start, recipe, folder .. "/run", {"data.path=" .. data})
    local result = runs.start(recipe, folder .. "/plain", {"data.path=" .. data, "model.name=transformer",
      "model.size=16", "model.inner=24", "model.layers=1", "model.heads=2", "stages.1.epochs=1"})
    check.yes(result.test.CIDEr >= 0)
  end)
end

return T
