--- Pruning by scores against the published program's masks, and what can be wrong with its settings.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local golden = require "golden"

local T = {}

local function method(name, cfg)
  return require("prune." .. name).new(cfg)
end

-- A model of bare weights: name -> tensor, in the order of the names.
local function model_of(weights)
  local list = {}
  for name, x in pairs(weights) do list[#list + 1] = {name, x} end
  table.sort(list, function(one, two) return one[1] < two[1] end)
  return bare.model(list)
end

local function check_masks(model, file, group)
  local wanted = golden.group(file, group)
  check.yes(next(wanted), "the file holds no " .. group)
  for _, p in ipairs(model:parameters()) do
    if p.param.mask then
      check.equal(p.param.mask.values:totable(), wanted[p.name]:to_f32():totable())
    end
  end
end

local SCOPES = {mag_blind = "global", mag_uniform = "layer", mag_dist = "normalised"}

function T.one_shot_magnitude_gives_the_published_masks()
  local file <close> = golden.open "prune_magnitude.h5"
  for name, kind in pairs(SCOPES) do
    for _, sparsity in ipairs {0.5, 0.8, 0.95, 0.975} do
      local model = model_of(golden.group(file, "weights"))
      local pruner = method("magnitude", {target = sparsity, scope = kind, rounds = 0})
      pruner:attach(model)
      pruner:begin(bare.view())
      check_masks(model, file, ("%s/%g"):format(name, sparsity))
    end
  end
end

function T.the_normalised_scope_ranks_by_the_published_criterion()
  local file <close> = golden.open "prune_magnitude.h5"
  local wanted = golden.group(file, "dist_criterion")
  local model = model_of(golden.group(file, "weights"))
  local pruner = method("magnitude", {target = 0.8, scope = "normalised", rounds = 0})
  pruner:attach(model)
  local scores = pruner:scores()
  check.equal(#pruner.active, 3)
  for _, part in ipairs(pruner.active) do check.close(scores[part], wanted[part.name], 1e-6, 1e-5) end
end

function T.frozen_tensors_stay_whole_and_take_no_part()
  local file <close> = golden.open "prune_magnitude.h5"
  for _, kind in ipairs {"blind", "uniform"} do
    local model = model_of(golden.group(file, "weights"))
    local scope = SCOPES["mag_" .. kind]
    local pruner = method("magnitude", {target = 0.8, scope = scope, rounds = 0, of = "active", freeze = {"layer2.*"}})
    pruner:attach(model)
    pruner:begin(bare.view())
    check_masks(model, file, ("mag_%s_freeze_layer2/0.8"):format(kind))
    check.equal(model:parameters()[3].param.mask, nil)
  end
end

function T.gradual_pruning_follows_the_published_cubic()
  local file <close> = golden.open "prune_gradual.h5"
  local steps, config = file:read("steps"):totable(), golden.group(file, "config")
  local function setting(name) return config[name]:totable()[1] end
  for name, kind in pairs {mag_grad_blind = "global", mag_grad_uniform = "layer"} do
    local model = model_of(golden.group(file, "weights"))
    local first, period = setting "start_step", setting "prune_frequency"
    local pruner = method("gradual", {
      target = 0.95, scope = kind, least = 0, first = first .. " steps", every = period,
      last = first + period * setting "prune_steps"})
    pruner:attach(model)
    local targets, updated = file:read(name .. "/target_at_step"):totable(), file:read(name .. "/updated"):totable()
    for i, step in ipairs(steps) do
      local at = {step = step, steps = 1000, epoch = 0, epoch_steps = 100}
      check.equal(pruner:due(at), updated[i] == 1)
      check.close(pruner:forecast {step = step, steps = 1000, epoch = 0, epoch_steps = 100, stage = 1}.target,
                  targets[i], 1e-7)
      pruner:prepare(at)
      pruner:before_step(model, at)
      pruner:update(model, at)
      if updated[i] == 1 then check_masks(model, file, ("%s/step%d"):format(name, step)) end
    end
  end
end

function T.the_default_times_of_gradual_pruning_are_the_published_ones()
  local file <close> = golden.open "prune_gradual.h5"
  local group = golden.group(file, "training_schedule")
  for key, x in pairs(group) do group[key] = x:totable() end
  for i, steps in ipairs(group.max_step) do
    local pruner = method("gradual", {target = 0.9, least = 0})
    local grid = pruner.timing:grid {step = 1, steps = steps, epoch_steps = steps / group.max_epochs[i]}
    check.equal(grid.first, group.start_step[i])
    check.equal(grid.last, group.start_step[i] + 1000 * group.prune_steps[i])
  end
end

local LOTTERIES = {lottery_mag_blind = "global", lottery_mag_uniform = "layer", lottery_mag_dist = "normalised"}

-- Another run as a method sees it: trained weights, maybe masks, and first weights.
local function other_run(file, trained, masks)
  return function(_, name)
    return {values = golden.group(file, name == "init.h5" and "initial" or trained), masks = masks or {}}
  end
end

function T.a_lottery_ticket_has_the_masks_of_trained_weights_and_the_first_weights()
  local file <close> = golden.open "prune_lottery.h5"
  local initial = golden.group(file, "initial")
  for name, kind in pairs(LOTTERIES) do
    for _, sparsity in ipairs {0.8, 0.95} do
      local model = model_of(golden.group(file, "trained"))
      local pruner = method("lottery", {target = sparsity, scope = kind, start = "dense"})
      pruner:attach(model)
      pruner:begin(bare.view {start = other_run(file, "trained")})
      check_masks(model, file, ("%s/%g/mask"):format(name, sparsity))
      local effective = golden.group(file, ("%s/%g/effective"):format(name, sparsity))
      for _, p in ipairs(model:parameters()) do
        check.equal(p.param.value:tobytes(), initial[p.name]:tobytes())
        check.equal(p.param:pruned():totable(), (effective[p.name] + 0):totable())
      end
    end
  end
end

function T.a_ticket_from_a_gradual_run_keeps_its_masks()
  local file <close> = golden.open "prune_lottery.h5"
  local masks, initial = golden.group(file, "lottery_mask_freeze/mask"), golden.group(file, "initial")
  for name, mask in pairs(masks) do masks[name] = mask:to_f32() end
  local model = model_of(golden.group(file, "trained"))
  local pruner = method("lottery_gradual", {target = 0.9, start = "gradual"})
  pruner:attach(model)
  pruner:begin(bare.view {start = other_run(file, "trained", masks)})
  check_masks(model, file, "lottery_mask_freeze/mask")
  local effective = golden.group(file, "lottery_mask_freeze/effective")
  for _, p in ipairs(model:parameters()) do
    check.equal(p.param.value:tobytes(), initial[p.name]:tobytes())
    check.equal(p.param:pruned():totable(), (effective[p.name] + 0):totable())
  end
end

-- The largest score among dropped weights and the smallest among those left.
local function cut_of(pruner)
  local scores, last, first = pruner:scores(), -math.huge, math.huge
  for _, part in ipairs(pruner.active) do
    local masks = bare.flat(part.param.mask.values)
    for i, score in ipairs(bare.flat(scores[part])) do
      if masks[i] == 0 then last = math.max(last, score) else first = math.min(first, score) end
    end
  end
  return {last, first}
end

function T.snip_with_the_published_sign_gives_the_published_masks()
  local file <close> = golden.open "prune_snip.h5"
  for _, sign in ipairs {"positive", "negative"} do
    for _, sparsity in ipairs {0.8, 0.95} do
      local function sub(name) return sign .. "_sum/" .. name end
      local inner = setmetatable({
        read = function(_, name) return file:read(sub(name)) end,
        has = function(_, name) return file:has(sub(name)) end,
        names = function()
          local list = {}
          for _, name in ipairs(file:names()) do
            local rest = name:match("^/?" .. sign .. "_sum/(.+)$")
            if rest then list[#list + 1] = rest end
          end
          return list
        end}, {})
      local model = golden.updown(inner)
      local batch = golden.batch(inner)
      local targets, weights = golden.targets(inner, batch)
      local pruner = method("snip_signed", {target = sparsity})
      pruner:attach(model)
      pruner:begin(bare.view {gradient = function()
        local tape <close> = lac.tape()
        tape:backward(lac.xent(model:forward(batch), targets, weights))
      end})
      check_masks(model, inner, ("mask/%g"):format(sparsity))
      local saliency = golden.group(inner, "saliency")
      for _, part in ipairs(pruner.active) do
        check.close(part.s, saliency[part.name], 1e-6, 1e-4)
      end
      local sum, cut = inner:read("saliency_sum"):totable()[1], inner:read(("cut/%g"):format(sparsity)):totable()
      check.close(pruner:total():item(), sum, 0, 1e-3)
      check.equal(sum < 0, sign == "negative")
      check.close(cut_of(pruner), cut, 0, 1e-3)
    end
  end
end

-- Settings -------------------------------------------------------------------------------------------

local function refuses(name, cfg, pattern)
  check.fails(pattern, method, name, cfg)
end

function T.settings_that_make_no_sense_are_refused_before_anything_is_built()
  refuses("score", {target = 0.9, score = "fabs(q)"}, 'in the expression "fabs%(q%)" there is no name q')
  refuses("score", {target = 0.9, score = "fabs(w"}, '"fabs%(w"')
  refuses("score", {target = 0.9, score = "s"}, "prune.score.score looks at s, so accumulate must say")
  refuses("score", {target = 1}, "target must be in %[0, 1%), got 1")
  refuses("score", {}, "target must be given")
  refuses("score", {target = 0.9, scope = "gobal"}, 'no scope "gobal"; did you mean "global"')
  refuses("score", {target = 0.5, layout = "2:4:8"}, 'expected "weights", N:M')
  refuses("score", {target = 0.6, layout = "2:4"}, 'layout "2:4" makes a share of 0.5 zeros; leave target out')
  refuses("score", {target = 0.9, every = "3 minutes"}, "counted in steps, epochs or %%, not in minutes")
  refuses("score", {target = function() return 0.5 end}, "a target that is a function needs every")
  refuses("lottery", {target = 0.9, rewind = "first"}, 'rewind must be "init" or a number of steps, got first')
  refuses("freeze", {}, "start must be given")
  refuses("snip", {target = 0.9, first = 5}, "prune.snip: what it looks at comes before training")
  refuses("movement", {target = 0.9, batches = 2}, "leave first and every out")
  refuses("gradual", {target = 0.9, power = 0}, "power must be above 0, got 0")
  refuses("gradual", {target = 0.9, initial = -1}, "initial must be in %[0, 1%), got %-1")
  refuses("gradual", {target = 0.9, initial = 0 / 0}, "initial must be in")
  refuses("gradual", {target = 0.9, every = 0}, 'every: expected something like "6000 steps"')
  refuses("gradual", {target = 0.9, last = "200 %"}, "last: 200 %% is beyond the end")
  refuses("lottery", {target = 0.9, rounds = 3, every = 6}, "several rounds prune where one ends")
  refuses("score", {layout = "1:2", scope = {["core.*"] = 0.5}}, 'layout "1:2" prunes every row alike')
  refuses("score", {layout = "1:2", gate = {}}, 'layout "1:2" prunes every row alike')
  refuses("score", {target = function() return 0.5 end, every = 2, scope = {["core.*"] = 0.5}},
    "a scope with shares of its own takes no target")
  refuses("lottery", {target = 0.9, rewind = false}, "rewind must be a string or a number")
  refuses("score", {target = 0.9, gate = {tolerance = 2}}, "tolerance must be between 0 and 1, got 2")
end

function T.a_score_by_the_second_moment_needs_an_optimiser_that_has_one()
  local model = model_of {a = lac.tensor {{1, 2}}}
  local pruner = method("score", {target = 0.5, score = "w * w * v"})
  pruner:attach(model)
  local sgd = require("optim.sgd").new(model:parameters(), {})
  check.fails("prune.score.score looks at v, Adam's second moment, which optim.sgd does not have", pruner.begin, pruner,
    bare.view {optimiser = sgd})
end

local function small()
  return model_of {a = lac.tensor {{1, 2, 3, 4}, {5, 6, 7, 8}}, b = lac.tensor {{1, 2, 3}}}
end

function T.settings_that_do_not_fit_the_model_are_refused_by_name()
  local function attach(cfg)
    return function() method("score", cfg):attach(small()) end
  end
  check.fails('freeze: "c%*" matches nothing', attach {target = 0.5, freeze = {"c*"}})
  check.fails('scope: "c%*" matches nothing', attach {scope = {["c*"] = 0.5}})
  check.fails("the rows of b have 3 weights, which is no multiple of 4", attach {layout = "2:4"})
  check.fails("b is %[1, 3%], which does not divide into blocks of 2x2", attach {target = 0.5, layout = "2x2"})
  check.fails("a target of 90 %% cannot be reached: the frozen tensors hold 27.27 %% of the weights, so at most "
    .. "72.73 %% can go", attach {target = 0.9, freeze = {"b"}})
end

-- Masks by the published TensorFlow program's histogram, in plain Lua.
local function by_histogram(lists, share)
  local largest, size, masks = 0, 0, {}
  for _, list in ipairs(lists) do
    for _, c in ipairs(list) do largest = math.max(largest, c) end
    size = size + #list
  end
  local counts, below, cdf = {}, 0, 0
  for j = 0, 511 do counts[j] = 0 end
  for _, list in ipairs(lists) do
    for _, c in ipairs(list) do
      local j = math.min(math.floor(512 * (c / largest)), 511)
      counts[j] = counts[j] + 1
    end
  end
  for j = 0, 511 do
    cdf = cdf + counts[j]
    if cdf / size < share then below = below + 1 end
  end
  for i, list in ipairs(lists) do
    masks[i] = {}
    for k, c in ipairs(list) do masks[i][k] = c > largest * below / 512 and 1 or 0 end
  end
  return masks
end

local function magnitudes(model)
  local lists = bare.values(model)
  for _, list in ipairs(lists) do
    for k, w in ipairs(list) do list[k] = math.abs(w) end
  end
  return lists
end

function T.thresholds_of_a_histogram_are_those_of_plain_counting()
  for seed = 1, 3 do
    for _, share in ipairs {0.01, 0.5, 0.9, 0.99} do
      for _, scope in ipairs {"global", "layer"} do
        local model = bare.model {{"a", lac.rng(seed):normal {30, 40}}, {"b", lac.rng(-seed):normal {50}}}
        local lists = magnitudes(model)
        local want = scope == "global" and by_histogram(lists, share)
          or {by_histogram({lists[1]}, share)[1], by_histogram({lists[2]}, share)[1]}
        local pruner = method("magnitude", {target = share, scope = scope, rounds = 0, threshold = "histogram"})
        pruner:attach(model)
        pruner:begin(bare.view())
        check.equal(bare.masks(model), want)
        model:close()
      end
    end
  end
end

-- By hand: the largest is 1, so parts are 1/512 wide. Half of eight are four; the third smallest ends part 153, and
-- with the fourth, in part 256, four are reached: so the threshold is 256/512, and 0.5 does not exceed it.
function T.a_threshold_of_a_histogram_by_hand()
  local model = bare.model {{"a", {{0.1, -0.2, 0.3, 0.5}, {-0.6, 0.7, 0.8, -1}}}}
  local pruner = method("snip", {target = 0.5, threshold = "histogram", score = "fabs(w)", accumulate = "s"})
  pruner:attach(model)
  pruner:begin(bare.view())
  check.equal(bare.masks(model), {{0, 0, 0, 0, 1, 1, 1, 1}})
  model:close()
  model = bare.model {{"a", {{0.1, -0.2, 0.3, 0.501}, {-0.6, 0.7, 0.8, -1}}}} -- 0.501 lies in part 256, above its begin
  pruner = method("magnitude", {target = 0.5, rounds = 0, threshold = "histogram"})
  pruner:attach(model)
  pruner:begin(bare.view())
  check.equal(bare.masks(model), {{0, 0, 0, 1, 1, 1, 1, 1}})
  model:close()
end

function T.a_histogram_wants_scores_that_are_no_less_than_0()
  local model = bare.model {{"a", {{0.1, -0.2, 0.3, 0.5}}}}
  local pruner = method("magnitude", {target = 0.5, rounds = 0, threshold = "histogram", score = "w"})
  pruner:attach(model)
  check.fails('threshold = "histogram" needs scores that are 0 or more', pruner.begin, pruner, bare.view())
  model:close()
  check.fails('threshold must be "exact" or "histogram", got "otsu"', method, "magnitude",
    {target = 0.5, threshold = "otsu"})
  check.fails('threshold = "histogram" goes with single weights', method, "magnitude",
    {target = 0.5, threshold = "histogram", layout = "4x4"})
end

return T
