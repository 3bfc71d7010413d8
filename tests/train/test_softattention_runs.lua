--- Runs of a small Soft-Attention: that it learns, resumes, is pruned in every way, and is exported.
local check = require "check"
local files = require "files"
local lac = require "lac"
local runs = require "runs"
local toy = require "toy"

local T = {}

-- Overrides of the toy recipe that make it this model, and more.
local function soft(cell, more)
  local words = {"model.name=softattention", "model.cell=" .. cell, "model.dropout=0.1", "model.attention_dropout=0.03",
                 "optim.form=tensorflow", "optim.eps=1e-6", "optim.weight_decay=1e-5", "optim.clip_value=0"}
  return table.move(more or {}, 1, more and #more or 0, #words + 1, words)
end

local SUPERMASK = {"prune.method=supermask", "prune.draw=forward", "prune.form=tensorflow", "prune.clip_value=0",
                   "prune.target=0.5", "prune.weight=20", "prune.lr=200", "stages.1.epochs=10"}

function T.it_learns_and_a_stopped_run_ends_with_the_same_bits()
  files.with_folder(function(folder)
    local recipe = toy.recipe(folder)
    for _, cell in ipairs {"lstm", "gru"} do
      local whole, parts = folder .. "/whole_" .. cell, folder .. "/parts_" .. cell
      local result = runs.start(recipe, whole, soft(cell, SUPERMASK))
      check.yes(result.test.CIDEr > 1.5, ("%s: CIDEr %g"):format(cell, result.test.CIDEr)) -- 0 where all say the same
      check.yes(math.abs(result.sparsity - 0.5) < 0.05, "sparsity " .. result.sparsity)
      runs.start(recipe, parts, soft(cell, SUPERMASK), 5)
      runs.resume(parts, 13)
      runs.resume(parts)
      runs.check_same(whole, parts)
    end
  end)
end

-- One method of each kind of look at the model, and the settings that a run of eighteen steps needs.
local METHODS = {
  gradual = {"prune.every=1"}, snip = {}, grasp = {}, synflow = {"prune.iterations=3"}, movement = {"prune.every=1"},
  fisher = {}, rigl = {"prune.every=1"}, str = {"prune.every=1"}, supermask = {"prune.draw=step"},
  magnitude = {"prune.rounds=0"},
}

function T.every_kind_of_method_prunes_it()
  files.with_folder(function(folder)
    local recipe = toy.recipe(folder)
    for name, settings in pairs(METHODS) do
      local overrides = {"stages.1.epochs=3", "prune.method=" .. name, "prune.target=0.5", "eval.every=3 epochs"}
      table.move(settings, 1, #settings, #overrides + 1, overrides)
      local good, result = pcall(runs.start, recipe, folder .. "/" .. name, soft("gru", overrides))
      check.yes(good, name .. ": " .. tostring(result))
      local off = name == "supermask" and 1 or 0.01 -- supermasks need more steps; thresholds differ by a weight
      check.yes(math.abs(result.sparsity - 0.5) < off, name .. ": sparsity " .. result.sparsity)
    end
  end)
end

-- Parts of a histogram are 1/512 of the range wide; where many weights lie in one, as saliencies do near 0, fewer go
-- than asked for.
function T.thresholds_of_a_histogram_prune_it()
  files.with_folder(function(folder)
    local recipe = toy.recipe(folder)
    for name, settings in pairs {gradual = {"prune.every=1", "prune.scope=layer"}, snip = {}} do
      local most = name == "snip" and 0.15 or 0.03
      local overrides = {"stages.1.epochs=3", "prune.method=" .. name, "prune.target=0.5", "eval.every=3 epochs",
                         "prune.threshold=histogram"}
      table.move(settings, 1, #settings, #overrides + 1, overrides)
      local result = runs.start(recipe, folder .. "/" .. name, soft("lstm", overrides))
      check.yes(result.sparsity < 0.5 and result.sparsity > 0.5 - most, name .. ": sparsity " .. result.sparsity)
    end
  end)
end

function T.scheduled_sampling_trains_it()
  files.with_folder(function(folder)
    local recipe = toy.recipe(folder)
    local result = runs.start(recipe, folder .. "/run", soft("gru", {"stages.1.sampling=0.3"}))
    check.yes(result.test.CIDEr > 1.5, "CIDEr " .. result.test.CIDEr)
  end)
end

function T.a_trained_model_captions_is_scored_and_exported()
  files.with_folder(function(folder)
    runs.start(toy.recipe(folder), folder .. "/run", soft("lstm", SUPERMASK))
    local function said(command)
      local status, text = check.run(command)
      check.yes(status == 0, command .. ": " .. text)
      return text
    end
    local flat = {}
    for i = 1, 24 do flat[i] = (i % 8 == 2 or i % 8 == 5) and 1 or 0 end
    local image = files.write(folder .. "/1.npy", files.npy({3, 8}, flat))
    local best = folder .. "/run/best_sparse.h5"
    local caption = said(("caption %s %s"):format(best, image))
    check.yes(caption:find "^1\t%l+ ", caption)
    said(("export %s -o %s/half.h5 --values float16"):format(best, folder))
    check.equal(said(("caption %s/half.h5 %s"):format(folder, image)), caption)
    local scores = lac.json.decode(said(("eval %s --data %s/toy.h5 --json"):format(best, folder)))
    check.yes(scores, "no scores")
    check.yes(said(("info %s"):format(best)):find "attention%.alpha_net%.weight")
  end)
end

return T
