--- Whole runs of the toy recipe with every kind of method: stopped and resumed, begun with other runs, refused.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local plain = require "prune.plain"
local runs = require "runs"
local toy = require "toy"

local T = {}

-- Overrides of a short run: 12 steps per round.
local function short(words)
  local list = {"stages.1.epochs=2", "eval.every=6", "save.every=100"}
  for word in words:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local RAMP = " prune.target=0.8 prune.first=2 prune.last=10 prune.every=2"

-- A run, the same one stopped after some steps and resumed: the same bits.
local function stop_and_resume(words, stops)
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    local result = runs.start(path, folder .. "/whole", short(words))
    for _, stop in ipairs(stops) do
      local run = ("%s/stopped%d"):format(folder, stop)
      runs.start(path, run, short(words), stop)
      runs.resume(run)
      runs.check_same(folder .. "/whole", run)
    end
    if words:find("target=0.8") then
      -- 5 % of the 20 % left; weights that came back as 0 may not have been trained since
      local most = (words:find("rigl") or words:find("set")) and 0.83 or 0.81
      check.yes(result.sparsity >= 0.79 and result.sparsity <= most, "sparsity " .. result.sparsity)
    end
  end)
end

function T.gradual_pruning_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=gradual" .. RAMP, {5})
end

function T.movement_pruning_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=movement" .. RAMP, {5})
end

function T.a_score_by_second_moments_and_first_weights_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=score prune.score=(\"sqrt(v)*fabs(w-w0)\")" .. RAMP, {7})
end

function T.rigl_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=rigl prune.target=0.8 prune.every=2 prune.last=10 prune.least=0", {4})
end

function T.set_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=set prune.target=0.8 prune.every=3 prune.last=10 prune.least=0", {7})
end

-- In a round, where one ends, and in the next.
function T.a_lottery_with_rounds_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=lottery prune.target=0.8 prune.rounds=2 prune.rewind=5", {9, 12, 25})
end

function T.a_gate_is_resumed_to_the_same_bits()
  stop_and_resume("prune.method=score prune.target=0.9 prune.gate.tolerance=0.01 eval.every=2 eval.keep=rouge", {7})
end

function T.learned_thresholds_are_resumed_to_the_same_bits()
  stop_and_resume("prune.method=str" .. RAMP, {5})
end

function T.masks_made_before_training_are_resumed_to_the_same_bits()
  stop_and_resume("prune.method=grasp prune.target=0.8", {3})
end

-- A model file's weights and masks, flat, by name.
local function contents(path)
  local model = checkpoint.load(path).model
  local values, masks, bits = {}, {}, {}
  for _, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    values[p.name], bits[p.name] = bare.flat(p.param.value), p.param.value:tobytes()
    masks[p.name] = p.param.mask and bare.flat(p.param.mask:binary(p.param.value))
  end
  model:close()
  return {values = values, masks = masks, bits = bits}
end

-- The masks of a model file are those of the smallest weights of another, over all tensors.
local function check_smallest(run, source, share)
  local masks, values, names, lists = contents(run).masks, contents(source).values, {}, {}
  local model = checkpoint.load(run).model
  for _, p in ipairs(model:parameters()) do
    if masks[p.name] then
      names[#names + 1] = p.name
      lists[#lists + 1] = plain.map(math.abs, {values[p.name]})[1]
    end
  end
  model:close()
  check.equal(#names, 11)
  for i, mask in ipairs(plain.smallest(lists, math.floor(share * plain.size(lists)))) do
    check.equal(masks[names[i]], mask)
  end
end

-- What a run looks like after it began, before its first step.
local function begun(path, folder, words)
  local run = runs.build(path, folder, short(words))
  local good, message = pcall(function()
    lac.files.make_folder(folder)
    run:begin()
    run:keep "begun.h5"
  end)
  run:close()
  if not good then error(message, 0) end
  return folder .. "/begun.h5"
end

function T.runs_begin_with_the_weights_and_masks_of_others()
  files.with_folder(function(folder)
    local path, dense, gradual = toy.recipe(folder), folder .. "/dense", folder .. "/gradual"
    runs.start(path, dense, short "prune=false save.keep={4}")
    runs.start(path, gradual, short("prune.method=gradual" .. RAMP))
    local function model_of(run)
      return run .. (files.exists(run .. "/best.h5") and "/best.h5" or "/last.h5")
    end
    local started = begun(path, folder .. "/a", "prune.method=magnitude prune.target=0.7 prune.start=" .. dense)
    check.equal(contents(started).bits, contents(model_of(dense)).bits)
    check_smallest(started, model_of(dense), 0.7)

    started = begun(path, folder .. "/b", "prune.method=lottery prune.target=0.7 prune.start=" .. dense)
    check.equal(contents(started).bits, contents(dense .. "/init.h5").bits)
    check_smallest(started, model_of(dense), 0.7)

    started = begun(path, folder .. "/c", "prune.method=lottery prune.rewind=4 prune.target=0.7 prune.start=" .. dense)
    check.equal(contents(started).bits, contents(dense .. "/step_4.h5").bits)
    check_smallest(started, model_of(dense), 0.7)

    started = begun(path, folder .. "/d", "prune.method=freeze prune.start=" .. gradual)
    check.equal(contents(started).bits, contents(model_of(gradual)).bits)
    check.equal(contents(started).masks, contents(model_of(gradual)).masks)

    started = begun(path, folder .. "/e", "prune.method=lottery_gradual prune.target=0.8 prune.start=" .. gradual)
    check.equal(contents(started).bits, contents(gradual .. "/init.h5").bits)
    check.equal(contents(started).masks, contents(model_of(gradual)).masks)

    -- And to the end, where masks are still the same.
    local result = runs.start(path, folder .. "/f", short("prune.method=lottery_gradual prune.target=0.8 prune.start="
      .. gradual))
    check.close(result.sparsity, 0.8, 0.01)
    check.equal(contents(folder .. "/f/last.h5").masks, contents(model_of(gradual)).masks)
  end)
end

function T.masks_of_learned_thresholds_can_be_frozen()
  files.with_folder(function(folder)
    local path, str = toy.recipe(folder), folder .. "/str"
    runs.start(path, str, short("prune.method=str" .. RAMP))
    local source = str .. (files.exists(str .. "/best.h5") and "/best.h5" or "/last.h5")
    local started = contents(begun(path, folder .. "/a", "prune.method=freeze prune.start=" .. str))
    local trained = contents(source)
    check.equal(started.masks, trained.masks)
    local model = checkpoint.load(source).model
    for _, p in ipairs(model:parameters()) do
      local scope <close> = lac.scope()
      check.equal(started.bits[p.name], p.param:pruned():tobytes()) -- the weights that were computed with
    end
    model:close()
  end)
end

function T.what_a_run_cannot_begin_with_is_named()
  files.with_folder(function(folder)
    local path, dense = toy.recipe(folder), folder .. "/dense"
    runs.start(path, dense, short "prune=false save.keep={4}")
    local function refused(words, pattern)
      check.fails(pattern, begun, path, folder .. "/run", words)
    end
    refused("prune.method=lottery prune.target=0.7 prune.rewind=5 prune.start=" .. dense,
      "prune.start: the run in " .. dense .. " has kept no weights of step 5; save.keep is the list of steps")
    refused("prune.method=lottery prune.target=0.7 prune.start=" .. folder .. "/none",
      "prune.start: there is no folder " .. folder .. "/none")
    refused("prune.method=magnitude prune.target=0.7 prune.start=" .. folder,
      "there is no last.h5 in " .. folder .. ", so it is no folder of a run")
    refused("prune.method=freeze prune.start=" .. dense, "the model of " .. dense .. " has no masks")
    refused("prune.method=lottery prune.target=0.7 prune.rewind=40", "rewind is step 40, but training ends after 12")
    refused("prune.method=magnitude prune.target=0.7 model.hidden=10 prune.start=" .. dense,
      "the model in " .. dense .. " is another one: fc_embed.0.weight is %[12, 8%] there and %[10, 8%] here")
    refused("prune.method=gradual prune.target=0.7 prune.first=20", "first is step 20, but training ends after 12")
  end)
end

-- Methods that say no more than a target, on the toy with 18 steps per round; what they need to begin with is left out.
function T.every_method_reaches_its_target_by_its_defaults()
  files.with_folder(function(folder)
    local path, count = toy.recipe(folder), 0
    for _, method in ipairs(require("cli.recipes").how({trusted = true}).find("prune")) do
      if method ~= "freeze" then -- has the masks of another run
        local fewer = method == "synflow" and " prune.iterations=10" or "" -- of a hundred
        local run = runs.build(path, folder .. "/run",
          short("stages.1.epochs=3 prune.target=0.75 prune.method=" .. method .. fewer))
        run.log = function() end
        run.loop:begin()
        while run.loop.step < run.loop.total do run.loop:train_step() end
        run.loop:collect()
        if method ~= "supermask" then -- learns to, in more steps than these
          local found, wanted = require("prune.stats").of(run.model).sparsity, run.pruner:final_target()
          check.yes(wanted == 0.75 and math.abs(found - wanted) < 0.0125, method .. " came to " .. found)
        end
        run:close()
        count = count + 1
      end
    end
    check.yes(count >= 15, "only " .. count .. " methods")
  end)
end

-- Recipes ----------------------------------------------------------------------------------------------------

function T.a_recipe_with_a_function_and_one_with_an_expression_prune_alike()
  files.with_folder(function(folder)
    toy.recipe(folder)
    local text = [[return {base = "toy", stages = {{epochs = 2}},
      prune = {method = "score", scope = "layer", first = 2, last = 10, every = 4, target = 0.6, score = %s}}]]
    for name, score in pairs {one = '"fabs(w * w0)"', two = "function(x) return (x.w * x.w0):abs() end"} do
      runs.start(files.write(folder .. "/" .. name .. ".lua", text:format(score)), folder .. "/" .. name)
    end
    -- The function is asked before the optimiser's step, as it might look at gradients, the expression after it.
    local one, two = contents(folder .. "/one/last.h5"), contents(folder .. "/two/last.h5")
    for name, mask in pairs(one.masks) do
      check.equal(plain.sum {mask}, plain.sum {two.masks[name]})
    end
    local wrong = files.write(folder .. "/wrong.lua", text:format '"fabs(w * w1)"')
    check.fails('wrong.lua: prune.score.score: in the expression "fabs%(w %* w1%)" there is no name w1', runs.start,
      wrong, folder .. "/wrong")
    wrong = files.write(folder .. "/wrong.lua", text:format "function(x) return x.w:sum() end")
    check.fails("the score of a weight of shape %[%d+, %d+%] must be a tensor of that shape, got %[1?%]", runs.start,
      wrong, folder .. "/wrong")
    wrong = files.write(folder .. "/wrong.lua", text:format "function(x) return x.weight end")
    check.fails("there is no weight; there are g, m, mean", runs.start, wrong,
      folder .. "/wrong2")
  end)
end

-- The example in the documentation of prune.preset, as it stands there.
function T.the_documented_example_works()
  local text = files.read(check.settings.root .. "/lua/prune/preset.lua")
  local lines = {}
  for line in text:gmatch("\n%-%-     ([^\n]*)") do lines[#lines + 1] = line end
  local both = table.concat(lines, "\n")
  local module_text, recipe_text = both:match("^(.-\n}%))\n(prune = .*)$")
  check.yes(module_text, "the example is not where it was")
  check.yes(#lines <= 10)
  local drift = load(module_text)()

  local model = bare.random_model({{4, 6}, {3, 8}}, 91)
  local pruner = drift.new {target = 0.5, first = 1, last = 5, every = 2, least = 0}
  local optimiser = require("optim.sgd").new(model:parameters(), {})
  pruner:attach(model)
  pruner:begin(bare.view {optimiser = optimiser})
  local start = bare.values(model)
  for step = 1, 5 do
    bare.step({model = model, pruner = pruner, optimiser = optimiser}, bare.at(step),
      bare.random_gradients(model, 92, step), 0.25)
  end
  local moved = plain.map(function(w, w0) return math.abs(w - w0) end, bare.values(model), start)
  check.equal(bare.masks(model), plain.smallest_each(moved, {12, 12}))
  check.fails("prune.drift: target must be given", drift.new, {})
  pruner:close()
  optimiser:close()
  model:close()

  files.with_folder(function(folder)
    toy.recipe(folder)
    local path = files.write(folder .. "/r.lua", 'return {base = "toy", ' .. recipe_text .. "}")
    check.close(runs.start(path, folder .. "/run", {"prune.every=4"}).sparsity, 0.9, 0.005)
  end)
end

return T
