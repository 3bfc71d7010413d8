--- Rewinding, rounds, iterations and other runs to start from: what goes back to what, bit for bit.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local plain = require "prune.plain"

local T = {}

local SHAPES = {{4, 6}, {3, 8}, {5, 4}}

local function bits(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do out[i] = p.param.value:tobytes() end
  return out
end

local function absolute(lists)
  return plain.map(math.abs, lists)
end

-- The smallest go, but first those that are gone already.
local function smallest_left(lists, masks, k)
  return plain.smallest(plain.map(function(s, m) return m == 0 and -math.huge or s end, lists, masks), k)
end

local function train(training, from, to)
  for step = from, to do
    training:step(bare.at(step), bare.random_gradients(training.model, 21, step), 0.25)
  end
end

function T.each_round_drops_the_same_share_of_what_is_left_and_begins_anew()
  local model = bare.random_model(SHAPES, 31)
  local training <close> = bare.training(model, "lottery", {target = 0.875, scope = "global", rounds = 3})
  local start = bits(model)
  training.pruner:begin(training:view())
  check.equal(training.pruner:rounds(), 4)
  local masks = bare.masks(model)
  check.equal(plain.sum(masks), 68)
  for round, share in ipairs {0.5, 0.75, 0.875} do
    train(training, 1, 5)
    local trained = bare.values(model)
    check.yes(table.concat(bits(model)) ~= table.concat(start))
    training.pruner:round_end(training:view(), round)
    masks = smallest_left(absolute(trained), masks, math.floor(share * 68))
    check.equal(bare.masks(model), masks)
    check.equal(bits(model), start)
  end
end

-- Dropped weights keep their first values, which here are larger than what training leaves of the others.
function T.a_dropped_weight_does_not_come_back_in_a_later_round()
  local model = bare.model {{"a", {{1, 2, 3, 4}}}}
  local training <close> = bare.training(model, "lottery", {target = 0.75, rounds = 2})
  training.pruner:begin(training:view())
  training.pruner:round_end(training:view(), 1)
  check.equal(bare.masks(model), {{0, 0, 1, 1}})
  for step = 1, 8 do training:step(bare.at(step), {{{1, 1, 1, 1.75}}}, 0.25) end
  check.equal(bare.values(model), {{1, 2, 1, 0.5}})
  training.pruner:round_end(training:view(), 2)
  check.equal(bare.masks(model), {{0, 0, 1, 0}})
  check.equal(bare.values(model), {{1, 2, 3, 4}})
end

function T.rewinding_goes_back_to_the_weights_after_a_step()
  local model = bare.random_model(SHAPES, 32)
  local training <close> = bare.training(model, "lottery", {target = 0.5, rounds = 1, rewind = 3})
  training.pruner:begin(training:view())
  train(training, 1, 3)
  local early = bits(model)
  train(training, 4, 9)
  check.yes(table.concat(bits(model)) ~= table.concat(early))
  training.pruner:round_end(training:view(), 1)
  check.equal(bits(model), early)
end

function T.the_weights_to_go_back_to_survive_the_tape_of_a_step()
  local model = bare.random_model(SHAPES, 32)
  local training <close> = bare.training(model, "lottery", {target = 0.5, rounds = 1, rewind = 1})
  training.pruner:begin(training:view())
  do
    local outer <close> = lac.tape() -- train.loop's
    training:step(bare.at(1), bare.random_gradients(model, 21, 1), 0.25)
  end
  local early = bits(model)
  train(training, 2, 4)
  training.pruner:round_end(training:view(), 1)
  check.equal(bits(model), early)
end

function T.the_optimiser_forgets_when_weights_go_back()
  local model = bare.random_model(SHAPES, 33)
  local training <close> = bare.training(model, "lottery", {target = 0.5, rounds = 1})
  training.optimiser:close()
  training.optimiser = require("optim.adam").new(model:parameters(), {})
  training.pruner:begin(training:view())
  train(training, 1, 3)
  training.pruner:round_end(training:view(), 1)
  for i, slots in ipairs(training.optimiser:state().slots) do
    check.equal(training.optimiser:state().counts[i], 0)
    for _, x in pairs(slots) do
      local scope <close> = lac.scope()
      check.equal(x:abs():sum():item(), 0)
    end
  end
end

function T.a_ticket_of_gradual_pruning_keeps_its_masks_and_begins_anew()
  local model = bare.random_model(SHAPES, 39)
  local training <close> = bare.training(model, "lottery_gradual",
    {target = 0.75, first = 1, last = 5, every = 2, least = 0})
  local start = bits(model)
  training.pruner:begin(training:view())
  check.equal(training.pruner:rounds(), 2)
  train(training, 1, 8)
  local masks = bare.masks(model)
  check.equal(68 - plain.sum(masks), 18 + 18 + 15)
  training.pruner:round_end(training:view(), 1)
  check.equal(bare.masks(model), masks)
  check.equal(bits(model), start)
  train(training, 1, 8)
  check.equal(bare.masks(model), masks)
end

function T.without_rewind_training_goes_on_from_where_it_was()
  local model = bare.random_model(SHAPES, 34)
  local training <close> = bare.training(model, "magnitude", {target = 0.5, rounds = 1})
  training.pruner:begin(training:view())
  train(training, 1, 4)
  local trained = bits(model)
  training.pruner:round_end(training:view(), 1)
  check.equal(bits(model), trained)
  check.equal(bare.masks(model), plain.smallest(absolute(bare.values(model)), 34))
end

function T.iterations_drop_the_same_share_of_what_is_left()
  local model = bare.random_model(SHAPES, 35)
  local seen = {}
  local training <close> = bare.training(model, "snip", {target = 0.875, iterations = 3})
  local g = bare.random_gradients(model, 21, 1)
  training.pruner:begin(training:view({gradient = function()
    seen[#seen + 1] = 68 - plain.sum(bare.masks(model))
    bare.backward(model, g)
  end}))
  check.equal(seen, {0, 34, 51})
  local flat_g = {}
  for i, x in ipairs(g) do flat_g[i] = bare.flat(x) end
  local w = bare.values(model)
  local masks = plain.map(function() return 1 end, w)
  for _, k in ipairs {34, 51, 59} do
    local s = plain.map(function(x, y, m) return math.abs(x * y * m) end, w, flat_g, masks)
    masks = smallest_left(s, masks, k)
  end
  check.equal(bare.masks(model), masks)
end

function T.every_iteration_counts_its_own_gradients_only()
  local model = bare.random_model(SHAPES, 39)
  local training <close> = bare.training(model, "snip", {target = 0.75, iterations = 2})
  local calls, all = 0, {}
  training.pruner:begin(training:view({gradient = function()
    calls = calls + 1
    all[calls] = bare.random_gradients(model, 22, calls)
    bare.backward(model, all[calls])
  end}))
  local w = bare.values(model)
  local masks = plain.map(function() return 1 end, w)
  for i, k in ipairs {34, 51} do
    local g = {}
    for j, x in ipairs(all[i]) do g[j] = bare.flat(x) end
    masks = smallest_left(plain.map(function(x, y, m) return math.abs(x * y * m) end, w, g, masks), masks, k)
  end
  check.equal({calls, bare.masks(model)}, {2, masks})
end

function T.shares_of_a_table_are_approached_evenly()
  local model = bare.random_model({{4, 10}, {2, 10}}, 36)
  local training <close> = bare.training(model, "score", {scope = {a = 0.8}, rounds = 2})
  training.pruner:begin(training:view())
  for round, zeros in ipairs {16, 32} do
    training.pruner:round_end(training:view(), round)
    check.equal(60 - plain.sum(bare.masks(model)), zeros)
  end
  check.close(training.pruner:final_target(), 32 / 60, 1e-12)
end

-- A state -------------------------------------------------------------------------------------------------------

function T.a_state_that_does_not_fit_is_refused_and_changes_nothing()
  local cfg = {target = 0.5, score = "s + w0", accumulate = "s - w * g", rounds = 1, rewind = "init"}
  local one <close> = bare.training(bare.random_model({{2, 3}}, 37), "score", cfg)
  local other <close> = bare.training(bare.random_model({{2, 3}}, 38), "score", cfg)
  for _, training in ipairs {one, other} do
    training.pruner:begin(training:view())
    train(training, 1, 3)
  end
  local scope <close> = lac.scope()
  local before = one.pruner.active[1].s:tobytes()
  for key, word in pairs {masks = "mask", s = "score", w0 = "first weight", saved = "saved weight"} do
    local state = other.pruner:state()
    state[key] = {a = lac.zeros {3, 2}}
    check.fails(("the state's %s of a is %%[3, 2%%], not %%[2, 3%%]"):format(word), one.pruner.load, one.pruner, state)
    state[key] = {}
    check.fails(("the state's %s of a is missing"):format(word), one.pruner.load, one.pruner, state)
    check.equal(one.pruner.active[1].s:tobytes(), before)
  end
  one.pruner:load(other.pruner:state())
  check.equal(one.pruner.active[1].s:tobytes(), other.pruner.active[1].s:tobytes())
  check.equal(one.pruner.saved.a:tobytes(), other.pruner.saved.a:tobytes())
end

-- Another run ----------------------------------------------------------------------------------------------

-- A run's folder with these files: name -> {values, masks}; "" is its best model.
local function folder(contents)
  return function(path, name)
    check.equal(path, "runs/dense")
    local found = contents[name or ""]
    if not found then error("no " .. tostring(name), 0) end
    return found
  end
end

local function tensors(shapes, seed)
  local out = {}
  for i, shape in ipairs(shapes) do
    local name = string.char(96 + i)
    out[name] = lac.tensor(bare.random(lac.rng(seed):fork(name), shape, 2))
  end
  return out
end

local function flat(values)
  return {bare.flat(values.a), bare.flat(values.b), bare.flat(values.c)}
end

function T.a_ticket_has_the_masks_of_the_trained_and_the_weights_of_a_step()
  for rewind, file in pairs {init = "init.h5", [7] = "step_7.h5"} do
    local scope <close> = lac.scope()
    local best, early = tensors(SHAPES, 41), tensors(SHAPES, 42)
    local model = bare.random_model(SHAPES, 43)
    local training <close> = bare.training(model, "lottery", {target = 0.6, start = "runs/dense", rewind = rewind})
    training.pruner:begin(training:view({start = folder {[""] = {values = best, masks = {}},
                                                          [file] = {values = early, masks = {}}}}))
    check.equal(bare.masks(model), plain.smallest(absolute(flat(best)), 40))
    check.equal(bare.values(model), flat(early))
    check.equal(training.pruner:rounds(), 1)
  end
end

function T.magnitude_goes_on_with_the_trained_weights()
  local scope <close> = lac.scope()
  local best = tensors(SHAPES, 44)
  local model = bare.random_model(SHAPES, 45)
  local training <close> = bare.training(model, "magnitude", {target = 0.6, start = "runs/dense"})
  training.pruner:begin(training:view({start = folder {[""] = {values = best, masks = {}}}}))
  check.equal(bare.masks(model), plain.smallest(absolute(flat(best)), 40))
  check.equal(bare.values(model), flat(best))
end

function T.freeze_keeps_weights_and_masks()
  local scope <close> = lac.scope()
  local best, masks = tensors(SHAPES, 46), {}
  for _, name in ipairs {"a", "b"} do masks[name] = best[name]:greater(0) end
  local model = bare.random_model(SHAPES, 47)
  local training <close> = bare.training(model, "freeze", {start = "runs/dense"})
  training.pruner:begin(training:view({start = folder {[""] = {values = best, masks = masks}}}))
  local want = plain.map(function(w) return w > 0 and 1 or 0 end, flat(best))
  for j in ipairs(want[3]) do want[3][j] = 1 end -- no mask there
  check.equal(bare.masks(model), want)
  train(training, 1, 4)
  check.equal(bare.masks(model), want)
  check.fails("the model of runs/dense has no masks, so there are none to keep", training.pruner.begin,
    training.pruner, training:view({start = folder {[""] = {values = best, masks = {}}}}))
end

function T.the_first_weights_are_those_of_the_run_to_start_from()
  local scope <close> = lac.scope()
  local best, first = tensors(SHAPES, 48), tensors(SHAPES, 49)
  local model = bare.random_model(SHAPES, 50)
  local training <close> = bare.training(model, "score", {target = 0.5, score = "fabs(w) - fabs(w0)",
                                                          start = "runs/dense"})
  training.pruner:begin(training:view({start = folder {[""] = {values = best, masks = {}},
                                                        ["init.h5"] = {values = first, masks = {}}}}))
  local growth = plain.map(function(w, w0) return math.abs(w) - math.abs(w0) end, flat(best), flat(first))
  check.equal(bare.masks(model), plain.smallest(growth, 34))
end

function T.a_step_that_was_never_kept_is_missed_before_anything_else()
  local scope <close> = lac.scope()
  local model = bare.random_model(SHAPES, 51)
  local before = bits(model)
  local training <close> = bare.training(model, "lottery", {target = 0.6, start = "runs/dense", rewind = 9})
  check.fails("no step_9.h5", training.pruner.begin, training.pruner, training:view(
    {start = folder {[""] = {values = tensors(SHAPES, 52), masks = {}}}}))
  check.equal(bits(model), before)
  local later <close> = bare.training(bare.random_model(SHAPES, 51), "lottery",
    {target = 0.6, rounds = 1, rewind = 200})
  check.fails("rewind is step 200, but training ends after 100", later.pruner.begin, later.pruner, later:view())
end

return T
