--- Runs with a self-critical stage: that rewards rise, that they resume to the same bits, that zeros stay, for every
-- kind of model.
local lac = require "lac"
local check = require "check"
local files = require "files"
local pictures = require "pictures"
local runs = require "runs"
local toy = require "toy"

local T = {}

-- Overrides: stages of so many epochs of cross-entropy, then of self-critical training with more settings.
local function stages(epochs, settings, more)
  local words = {("stages={{epochs = %d}, {epochs = 3, lr = 2e-3, %s}}"):format(epochs, settings), "optim.eps=1e-6"}
  return table.move(more or {}, 1, more and #more or 0, #words + 1, words)
end

-- The lines of a run's log that have a key.
local function logged(run, key)
  local list = {}
  for line in files.read(run .. "/log.jsonl"):gmatch("[^\n]+") do
    local record = lac.json.decode(line)
    if record[key] then list[#list + 1] = record end
  end
  return list
end

function T.rewards_rise_and_are_logged_with_their_baseline_and_length()
  files.with_folder(function(folder)
    local run = folder .. "/run"
    runs.start(toy.recipe(folder), run, {"optim.eps=1e-6", "eval.every=5 epochs", "log.every=12",
      "stages={{epochs = 6}, {epochs = 24, lr = 5e-3, loss = {name = 'scst', samples = 6}}}"})
    local lines = logged(run, "reward")
    check.equal(#lines, 12)
    local first, last = lines[1], lines[#lines]
    check.yes(last.reward > 1.5 * first.reward, ("rewards from %g to %g"):format(first.reward, last.reward))
    for _, line in ipairs(lines) do
      check.close(line.baseline, line.reward, 1e-6) -- so it is for the mean of the others
      check.yes(line.caption_length > 0 and line.caption_length <= 8)
    end
    check.equal(#logged(run, "loss"), 15)
    local evaluations = logged(run, "val")
    check.equal(#evaluations, 6)
    local before, after = evaluations[1].val.reward, evaluations[6].val.reward
    check.yes(after > before + 0.3, ("rewards of the validation split from %g to %g"):format(before, after))
    local events = files.read(run .. "/events.out.tfevents.lacuna")
    for _, tag in ipairs {"train/avg_reward", "train/avg_baseline", "train/caption_length", "val/reward"} do
      check.yes(events:find(tag, 1, true), tag)
    end
  end)
end

-- Where the pruned values of a model file are zeros, a text for each mask.
local function zeros(path)
  local found, list = require "train.checkpoint".load(path), {}
  for _, p in ipairs(found.model:parameters()) do
    if p.param.mask then
      local scope <close> = lac.scope()
      local bits = {}
      for i, x in ipairs(p.param:pruned():reshape(p.param:numel()):totable()) do
        bits[i] = x ~= 0 and "1" or 1 / x > 0 and "0" or "negative zero"
      end
      list[p.name] = table.concat(bits)
    end
  end
  found.model:close()
  return list
end

local FROZEN = "masks = 'frozen', loss = {name = 'scst', samples = 4}"

function T.frozen_masks_keep_every_zero_and_a_stopped_run_ends_with_the_same_bits()
  files.with_folder(function(folder)
    local recipe = toy.pruning(folder)
    local overrides = stages(6, FROZEN, {"save.keep={36, 45}"})
    local whole, parts = folder .. "/whole", folder .. "/parts"
    runs.start(recipe, whole, overrides)
    local before = zeros(whole .. "/step_36.h5")
    check.yes(before["logit.weight"]:find "0" and before["logit.weight"]:find "1", "nothing was pruned")
    check.equal(zeros(whole .. "/step_45.h5"), before)
    check.equal(zeros(whole .. "/last.h5"), before)
    runs.start(recipe, parts, overrides, 5)
    for _, step in ipairs {37, 40, 47} do runs.resume(parts, step) end
    runs.resume(parts)
    runs.check_same(whole, parts)
  end)
end

function T.a_pruned_run_is_gone_on_with_by_its_masks()
  files.with_folder(function(folder)
    local recipe = toy.pruning(folder)
    runs.start(recipe, folder .. "/pruned", {})
    local start = folder .. "/pruned/" .. (files.exists(folder .. "/pruned/best.h5") and "best.h5" or "last.h5")
    runs.start(folder .. "/toy.lua", folder .. "/run", {"prune.method=freeze", "prune.start=" .. folder .. "/pruned",
      "stages={{steps = 6, lr = 1e-3, loss = {name = 'scst', samples = 3, baseline = 'greedy'}}}"})
    local before, after = zeros(start), zeros(folder .. "/run/last.h5")
    for name, bits in pairs(before) do check.equal(after[name], bits) end
  end)
end

function T.a_supermask_is_trained_by_rewards_too()
  files.with_folder(function(folder)
    local recipe = toy.pruning(folder)
    for _, draw in ipairs {"forward", "step"} do
      local run = folder .. "/" .. draw
      local overrides = stages(1, "loss = {name = 'scst', samples = 3}", {"prune.draw=" .. draw, "save.keep={6}"})
      runs.start(recipe, run, overrides)
      check.yes(zeros(run .. "/step_6.h5")["logit.weight"] ~= zeros(run .. "/last.h5")["logit.weight"],
        draw .. ": no mask has moved")
      runs.start(recipe, run .. "_parts", overrides, 8)
      runs.resume(run .. "_parts")
      runs.check_same(run, run .. "_parts")
    end
  end)
end

local LOSSES = {
  "{name = 'scst', samples = 3, sample = 'beam', baseline = 'mean_all'}",
  "{name = 'scst', samples = 3, baseline = 'greedy', temperature = 0.7, top_k = 5, nucleus = 0.9}",
}

-- Every loss with the other models.
local function trains(name, losses, make)
  files.with_folder(function(folder)
    local path = make(folder)
    for i, loss in ipairs(losses) do
      local run = ("%s/%s_%d"):format(folder, name, i)
      runs.start(path, run, stages(1, "loss = " .. loss, {"model.name=" .. name, "model.dropout=0.1",
                                                          "eval.every=4 epochs"}))
      check.equal(#logged(run, "reward"), 6)
    end
  end)
end

function T.soft_attention_is_trained()
  trains("softattention", LOSSES, toy.recipe)
end

function T.transformers_are_trained()
  trains("ort", LOSSES, toy.transformer)
  trains("acort", {LOSSES[2]}, toy.transformer)
end

function T.an_encoder_of_pictures_is_trained_with_its_model()
  files.with_folder(function(folder)
    local path = pictures.recipe(folder, (pictures.data(folder, 16)))
    local run = runs.build(path, folder .. "/run", {"stages={{steps = 1, loss = {name = 'scst', samples = 3}}}"})
    run.loop:begin()
    local kernel
    for _, p in ipairs(run.model.encoder:parameters()) do kernel = kernel or p.param.maskable and p.param.value end
    local before = kernel:totable()
    run.model:train(lac.rng(1))
    run.loop:train_step()
    local good, same = pcall(check.equal, kernel:totable(), before)
    run:close()
    check.yes(not good, "the encoder did not move" .. tostring(same or ""))
  end)
end

function T.what_a_stage_says_of_its_loss_is_checked()
  local function refused(sentence, stage)
    files.with_folder(function(folder)
      local good, message = pcall(runs.build, toy.recipe(folder), folder .. "/run", {"stages={" .. stage .. "}"})
      check.yes(not good and tostring(message):find(sentence, 1, true), tostring(message))
    end)
  end
  refused('stages.1.loss: unknown key "sampels"; did you mean "samples',
    "{epochs = 1, loss = {name = 'scst', sampels = 3}}")
  refused('stages.1.loss: there is no "scts"; did you mean "scst"', "{epochs = 1, loss = {name = 'scts'}}")
  refused('stages.1.loss.smoothing belongs to the loss "xent", not to "scst"',
    "{epochs = 1, loss = {name = 'scst', smoothing = 0.1}}")
  refused('stages.2.loss.samples belongs to the loss "scst", not to "xent"',
    "{epochs = 1}, {epochs = 1, loss = {samples = 3}}")
  refused('stages.1.sampling: the loss "scst" feeds no words of the data',
    "{epochs = 1, sampling = 0.2, loss = {name = 'scst'}}")
  refused("stages.1.loss.samples must be a whole number from 1 to 1000, got 0",
    "{epochs = 1, loss = {name = 'scst', samples = 0}}")
  refused("stages.1.loss must be a table, got the number 3", "{epochs = 1, loss = 3}")
end

function T.a_plan_tells_of_the_losses()
  files.with_folder(function(folder)
    local status, text = check.run(("plan --measure 1 %s \"stages={{epochs=1},{epochs=1,loss={name='scst'}}}\""):format(
      toy.recipe(folder)))
    check.equal(status, 0)
    check.yes(text:find("\nstage 1: cross-entropy\nstage 2: self-critical, 15 samples of each of 5 images", 1, true),
      text)
  end)
end

return T
