--- Stages that train some weights, or some masks, only.
local lac = require "lac"
local check = require "check"
local files = require "files"
local runs = require "runs"
local toy = require "toy"
local checkpoint = require "train.checkpoint"

local T = {}

-- Values and masks of a model file as bytes: name -> text.
local function bytes_of(path)
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local found, values, masks = checkpoint.load(path), {}, {}
  for _, p in ipairs(found.model:parameters()) do
    values[p.name] = p.param.value:tobytes()
    masks[p.name] = p.param.mask and p.param.mask:state().tensor:tobytes()
  end
  found.model:close()
  return values, masks
end

-- A run of two stages, five steps and seven; what it has before, between and at the end.
local function two_stages(folder, stages, overrides)
  toy.pruning(folder)
  local path = files.write(folder .. "/two.lua", ([[
    return {base = "pruned", stages = %s, save = {keep = {5}}, eval = {every = 100}}]]):format(stages))
  runs.start(path, folder .. "/run", overrides)
  local at = {}
  for name, file in pairs {first = "init", middle = "step_5", last = "last"} do
    local values, masks = bytes_of(("%s/run/%s.h5"):format(folder, file))
    at[name] = {values = values, masks = masks}
  end
  return at, path
end

local function changed(before, after)
  local names = {}
  for name, text in pairs(before) do
    if after[name] ~= text then names[name] = true end
  end
  return names
end

function T.frozen_weights_keep_their_bits_and_the_others_train()
  files.with_folder(function(folder)
    local at = two_stages(folder, '{{steps = 5, freeze = {"core.*", "re:^logit.*weight$"}}, {steps = 7}}')
    local first, second = changed(at.first.values, at.middle.values), changed(at.middle.values, at.last.values)
    for name in pairs(at.first.values) do
      -- the bias of alpha_net moves no score, so it never trains
      local frozen = name:find "^core%." or name == "logit.weight"
      check.equal(first[name] or false, not frozen, name)
      check.equal(second[name] or false, name ~= "core.attention.alpha_net.bias", name)
    end
    check.yes(changed(at.first.masks, at.middle.masks)["logit.weight"], "masks of frozen weights train")
  end)
end

function T.frozen_masks_keep_their_bits_while_weights_train()
  files.with_folder(function(folder)
    local at = two_stages(folder, '{{steps = 5}, {steps = 7, masks = "frozen"}}')
    check.yes(next(changed(at.first.masks, at.middle.masks)))
    check.equal(changed(at.middle.masks, at.last.masks), {})
    check.yes(changed(at.middle.values, at.last.values)["logit.weight"])
  end)
end

function T.a_stage_may_train_some_masks_only()
  files.with_folder(function(folder)
    local at = two_stages(folder, '{{steps = 5, masks = {"core.*", "logit.*"}}, {steps = 7, masks = {"embed.*"}}}')
    for name in pairs(changed(at.first.masks, at.middle.masks)) do
      check.yes(name:find "^core%." or name:find "^logit%.", name)
    end
    check.equal(changed(at.middle.masks, at.last.masks), {["embed.0.weight"] = true})
  end)
end

function T.masks_at_rest_are_not_drawn()
  files.with_folder(function(folder)
    local run = runs.build(toy.pruning(folder), folder .. "/run", {"stages.1.masks=frozen", "model.dropout=0"})
    run.loop:begin()
    local p = run.model.logit.weight
    run.loop:train_step()
    local tape <close> = lac.tape() -- luacheck: ignore 211
    run.model:train(lac.rng(1))
    p.mask.logits:fill(0.1) -- drawn, half of the weights would be out
    check.equal(p:tensor():tobytes(), p.value:tobytes())
    p:rest(false)
    check.yes(p:tensor():tobytes() ~= p.value:tobytes())
    run:close()
  end)
end

function T.the_loss_on_sparsity_counts_the_masks_that_train()
  files.with_folder(function(folder)
    local run = runs.build(toy.pruning(folder), folder .. "/run", {'stages.1.masks={"logit.*"}'})
    run.loop:begin()
    for _, part in ipairs(run.pruner.active) do
      if part.name ~= "logit.weight" then part.logits:fill(-1) end
    end
    local tape <close> = lac.tape() -- luacheck: ignore 211
    local _, numbers = run.pruner:loss(run.model, {step = 1, steps = 10})
    check.equal(numbers.sparsity:item(), 0)
    run.pruner:focus {["embed.0.weight"] = true}
    _, numbers = run.pruner:loss(run.model, {step = 1, steps = 10})
    check.equal(numbers.sparsity:item(), 1)
    run:close()
  end)
end

function T.a_run_of_stages_resumes_to_the_same_bits_wherever_it_stopped()
  files.with_folder(function(folder)
    local stages = '{{steps = 5, masks = {"core.*"}, freeze = {"embed.*"}}, {steps = 7, masks = "frozen", lr = 0.01}}'
    local _, path = two_stages(folder, stages)
    for _, stop in ipairs {3, 5, 6} do
      local run = ("%s/stop%d"):format(folder, stop)
      runs.start(path, run, {}, stop)
      runs.resume(run)
      runs.check_same(folder .. "/run", run)
    end
  end)
end

function T.a_stage_may_have_a_learning_rate_of_its_own()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    local stages = "'stages={{steps = 4}, {steps = 4, lr = schedule.linear {from = 0.5, to = 0.25}}}'"
    local status, text = check.run(("plan --points 2 --measure 0 %s optim.lr=0.1 %s"):format(path, stages))
    check.equal(status, 0)
    check.yes(text:find("\n +1 +4 +%d+ +0.1\n"), text)
    check.yes(text:find("\n +2 +8 +%d+ +0.25\n"), text)
    local run = runs.build(path, folder .. "/run", {"stages={{steps = 4, lr = 0.5}}", "optim={name = 'sgd', lr = 0.1}"})
    run.loop:begin()
    local rate
    local step = run.optimiser.step
    run.optimiser.step = function(self, lr) rate = lr return step(self, lr) end
    run.loop:train_step()
    check.equal(rate, 0.5)
    run:close()
  end)
end

function T.a_stage_may_have_pruning_settings_of_its_own()
  files.with_folder(function(folder)
    local at, path = two_stages(folder, "{{steps = 5}, {steps = 7, prune = {lr = 0, weight = 3}}}")
    check.yes(next(changed(at.first.masks, at.middle.masks)))
    check.equal(changed(at.middle.masks, at.last.masks), {})
    local status, text = check.run("plan --points 1 --measure 0 " .. path)
    check.equal(status, 0)
    check.yes(text:find("\n +1 +5 +%d+ +[%d.e-]+ +1[0-9.]+ +0.5\n"), text) -- of 20
    check.yes(text:find("\n +2 +12 +%d+ +[%d.e-]+ +2.[0-9]+ +0.5\n"), text) -- of 3
  end)
end

function T.what_a_stage_says_wrongly_is_told_before_training()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    local function refused(what, override)
      check.fails(what, runs.start, path, folder .. "/run", {override})
      check.yes(not files.exists(folder .. "/run"), "it has left a folder")
    end
    refused('stages.1.freeze: "cor" matches nothing', 'stages.1.freeze={"cor"}')
    refused("stages.1.freeze: everything is frozen; nothing would be trained", 'stages.1.freeze={"*"}')
    refused('stages.1.masks: "nothing" matches nothing', 'stages.1.masks={"nothing"}')
    refused('stages.1.masks must be "trained", "frozen" or a list of patterns, got "all"', "stages.1.masks=all")
    refused("stages.1.masks: an empty list", "stages.1.masks={}")
    refused("stages.1.prune: a stage cannot choose target of this method; it can lr, weight",
      "stages.1.prune.target=0.3")
    refused("stages.1.prune: .*weight must be >= 0, got %-1", "stages.1.prune.weight=-1")
    refused("stages.1.prune: .*lr must be a finite number >= 0, got %-1", "stages.1.prune.lr=-1")
    refused("stages.1.lr must be a finite number >= 0, got %-1", "stages.1.lr=-1")
    refused("optim.lr must be a finite number >= 0, got %-1", "optim.lr=-1")
    refused("optim.groups.1.lr must be a finite number >= 0, got inf", 'optim.groups={{match="core.*", lr=1/0}}')
    refused("prune.supermask: lr must be a finite number >= 0, got %-1", "prune.lr=-1")
    refused("prune.str: lr must be a finite number >= 0, got %-1", "prune={method='str', target=0.5, lr=-1}")
    check.fails("stages.1.prune: the recipe prunes nothing", runs.start, toy.recipe(folder), folder .. "/run",
      {"stages.1.prune.lr=3"})
    check.fails("stages.1.masks: pruning leaves all of these as they are", runs.start, path, folder .. "/run",
      {'stages.1.masks={"core.*"}', 'prune.freeze={"core.*"}'})
    local status, text = check.run(("plan --measure 0 %s 'stages.1.masks={\"core.*\"}' 'prune.freeze={\"core.*\"}'")
      :format(path))
    check.yes(status ~= 0 and text:find "stages.1.masks: pruning leaves all of these as they are", text)
    check.fails("stages.1.masks: nothing is pruned", runs.start, toy.recipe(folder), folder .. "/run",
      {'stages.1.masks={"core.*"}'})
    check.fails("stages.1.masks: this pruning method cannot work on some of its masks only", runs.start, path,
      folder .. "/run", {"prune={method = 'magnitude', target = 0.5}", 'stages.1.masks={"core.*"}'})
  end)
end

return T
