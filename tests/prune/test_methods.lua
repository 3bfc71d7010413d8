--- Every method against plain Lua on small models with exact numbers: masks and weights agree bit for bit.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local plain = require "prune.plain"

local T = {}

local SHAPES = {{4, 6}, {3, 8}, {5, 4}}

local function absolute(lists)
  return plain.map(math.abs, lists)
end

-- Random gradients of a step, flat.
local function flat_gradients(gradients)
  local out = {}
  for i, g in ipairs(gradients) do out[i] = bare.flat(g) end
  return out
end

-- Train a random model with a method; `rule(state, at, g)` does the same to state = {w, m} in plain Lua.
local function follow(method, cfg, steps, rule, begin)
  local model = bare.random_model(SHAPES, 11)
  local training <close> = bare.training(model, method, cfg)
  local state = {w = bare.values(model), m = bare.masks(model)}
  local function look(i) bare.backward(model, bare.random_gradients(model, 12, -i)) end
  training.pruner:begin(training:view {gradient = look})
  if begin then begin(state, function(i) return flat_gradients(bare.random_gradients(model, 12, -i)) end) end
  check.equal(bare.masks(model), state.m)
  check.equal(bare.values(model), state.w)
  for step = 1, steps do
    local at, gradients = bare.at(step), bare.random_gradients(model, 12, step)
    training:step(at, gradients, 0.25)
    rule(state, at, flat_gradients(gradients))
    check.equal(bare.masks(model), state.m)
    check.equal(bare.values(model), state.w)
    check.equal(bare.computed(model), plain.map(function(w, m) return m == 0 and 0 or w end, state.w, state.m))
  end
end

-- SGD with the rate of `follow`; dropped weights have no gradient.
local function descend(state, g)
  state.w = plain.map(function(w, m, gradient) return w - 0.25 * gradient * m end, state.w, state.m, g)
end

-- The masks of a model after a method's work ahead of training, flat, and the model's weights.
local function masks_before_training(model, method, cfg, run)
  local training <close> = bare.training(model, method, cfg)
  local w = bare.values(model)
  training.pruner:begin(bare.view(run))
  return bare.masks(model), w
end

-- By hand -----------------------------------------------------------------------------------------------

local function two_tensors()
  return bare.model {{"a", {{5, -1, 3, 0.5}}}, {"b", {{0.25, -8}, {2, -0.125}}}}
end

local function hand_case(method, cfg, a, b, gradients)
  local model = two_tensors()
  cfg.rounds = method == "magnitude" and 0 or nil
  local run = {gradient = gradients and function() bare.backward(model, gradients) end}
  local masks = masks_before_training(model, method, cfg, run)
  check.equal(masks, {a, b})
end

function T.these_four_weights_go_by_magnitude()
  hand_case("magnitude", {target = 0.5, scope = "global"}, {1, 0, 1, 0}, {0, 1, 1, 0})
  hand_case("magnitude", {target = 0.5, scope = "layer"}, {1, 0, 1, 0}, {0, 1, 1, 0})
  hand_case("magnitude", {target = 0.25, scope = "global"}, {1, 1, 1, 1}, {0, 1, 1, 0})
  hand_case("magnitude", {target = 0.25, scope = "layer"}, {1, 1, 1, 0}, {1, 1, 1, 0})
end

-- a has mean 1.875 and deviation 2.2917, b -1.46875 and 3.8666: |w - mean| / deviation is 1.364, 1.255, 0.491, 0.6 and
-- 0.4445, 1.689, 0.8971, 0.3475.
function T.these_four_weights_go_by_their_distance_from_the_mean()
  hand_case("magnitude", {target = 0.5, scope = "normalised"}, {1, 1, 0, 0}, {0, 1, 1, 0})
  hand_case("magnitude", {target = 0.25, scope = "normalised"}, {1, 1, 1, 1}, {0, 1, 1, 0})
end

function T.these_weights_go_by_shares_of_their_own()
  hand_case("score", {scope = {a = 0.75, ["b*"] = 0}}, {1, 0, 0, 0}, {1, 1, 1, 1})
  hand_case("score", {scope = {b = 0.5}}, {1, 1, 1, 1}, {0, 1, 1, 0})
end

-- w g: 5, -4, 3, 0.5; 1, -8, 2, -1, whose sum is -1.5.
local GRADIENTS = {{{1, 4, 1, 1}}, {{4, 1}, {1, 8}}}

function T.these_weights_go_by_the_loss_without_them()
  hand_case("snip", {target = 0.5}, {1, 1, 1, 0}, {0, 1, 0, 0}, GRADIENTS)
  hand_case("snip_signed", {target = 0.5}, {0, 1, 0, 1}, {0, 1, 0, 1}, GRADIENTS) -- a negative sum turns them round
end

function T.of_equal_weights_the_first_go()
  local model = bare.model {{"a", {{1, 1, 1}}}, {"b", {{1, -1, 0.5}}}}
  check.equal(masks_before_training(model, "magnitude", {target = 0.5, rounds = 0}), {{0, 0, 1}, {1, 1, 0}})
end

function T.two_of_every_four_stay()
  local model = bare.model {{"a", {{1, -4, 3, 2, 9, 9, -9, 9}, {0, 0, 0, 0, -1, 2, -3, 4}}}}
  check.equal(masks_before_training(model, "score", {layout = "2:4"}),
    {{0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}})
end

function T.blocks_go_by_their_sums()
  local model = bare.model {{"a", {{9, 0, 1, 1}, {0, 0, 1, 1}, {0, -5, 2, 0}, {1, 1, 0, 0}}}}
  check.equal(masks_before_training(model, "score", {layout = "2x2", target = 0.5}), -- 9, 4, 7, 2
    {{1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0}})
end

-- Ahead of training ----------------------------------------------------------------------------------------

local function one_shot(method, cfg, expected)
  for seed = 1, 4 do
    local model = bare.random_model(SHAPES, seed)
    local gradients = {}
    for i = 1, 8 do gradients[i] = bare.random_gradients(model, seed, i) end
    local masks, w = masks_before_training(model, method, cfg,
      {gradient = function(i) bare.backward(model, gradients[i]) end})
    check.equal(masks, expected(w, function(i) return flat_gradients(gradients[i]) end))
  end
end

local SIZES = {24, 24, 20}

local function each(share)
  local counts = {}
  for i, size in ipairs(SIZES) do counts[i] = math.floor(share * size) end
  return counts
end

function T.magnitude_agrees_in_its_three_scopes()
  one_shot("magnitude", {target = 0.7, scope = "global", rounds = 0}, function(w)
    return plain.smallest(absolute(w), 47)
  end)
  one_shot("magnitude", {target = 0.7, scope = "layer", rounds = 0}, function(w)
    return plain.smallest_each(absolute(w), {16, 16, 14})
  end)
  one_shot("magnitude", {target = 0.7, scope = "normalised", rounds = 0}, function(w)
    local scores = {}
    for i, list in ipairs(w) do
      local mean = plain.sum({list}) / #list
      local variance = plain.sum(plain.map(function(x) return (x - mean) ^ 2 end, {list})) / #list
      -- Equal numbers are equal scores; others are further apart than float32 rounds.
      scores[i] = plain.map(function(x) return math.abs(x - mean) / math.sqrt(variance) end, {list})[1]
    end
    return plain.smallest(scores, 47)
  end)
end

function T.snip_agrees_over_batches()
  local function saliency(w, gradients, batches)
    local s = plain.map(function() return 0 end, w)
    for i = 1, batches do s = plain.map(function(x, y, g) return x + y * g end, s, w, gradients(i)) end
    return s
  end
  one_shot("snip", {target = 0.8, batches = 3}, function(w, gradients)
    return plain.smallest(absolute(saliency(w, gradients, 3)), 54)
  end)
  one_shot("snip_signed", {target = 0.8, batches = 2}, function(w, gradients)
    local s = saliency(w, gradients, 2)
    local total = plain.sum(s)
    return plain.smallest(plain.map(function(x) return x / total end, s), 54)
  end)
end

function T.fisher_agrees()
  one_shot("fisher", {target = 0.6, rounds = 0}, function(w, gradients)
    local squares = plain.map(function() return 0 end, w)
    for i = 1, 8 do squares = plain.map(function(x, g) return x + g * g end, squares, gradients(i)) end
    return plain.smallest(plain.map(function(x, s) return x * x * s / 2 end, w, squares), 40)
  end)
end

function T.random_draws_anew_for_every_seed_and_tensor()
  local first
  for seed = 1, 3 do
    local model = bare.random_model({{10, 10}, {10, 10}}, 1)
    local rng = lac.rng(seed)
    local masks = masks_before_training(model, "random", {target = 0.3}, {rng = rng})
    local scores = {}
    for i, name in ipairs {"a", "b"} do
      local scope <close> = lac.scope()
      scores[i] = bare.flat(rng:fork("prune 1"):fork(name):uniform {10, 10})
    end
    check.equal(masks, plain.smallest_each(scores, {30, 30}))
    check.yes(table.concat(masks[1]) ~= table.concat(masks[2]))
    check.yes(table.concat(masks[1]) ~= first)
    first = table.concat(masks[1])
  end
end

function T.groups_and_blocks_agree_for_any_score()
  for seed = 1, 3 do
    local model = bare.random_model({{6, 8}, {4, 12}}, seed)
    local masks, w = masks_before_training(model, "score", {layout = "1:4", score = "w"})
    check.equal(masks, plain.map(function(m) return m end, {plain.groups(w[1], 1, 4), plain.groups(w[2], 1, 4)}))
  end
  for seed = 1, 3 do
    local model = bare.random_model({{6, 8}, {4, 12}}, seed)
    local masks, w = masks_before_training(model, "score", {layout = "2x4", score = "w * w", target = 0.5,
                                                            scope = "layer"})
    local squares = plain.map(function(x) return x * x end, w)
    check.equal(masks, {plain.blocks(squares[1], 8, 2, 4, 3), plain.blocks(squares[2], 12, 2, 4, 3)})
  end
end

function T.a_users_function_is_a_score()
  one_shot("score", {target = 0.5, score = function(x) return (x.w * x.g):abs() + x.w * x.w end},
    function(w, gradients)
      return plain.smallest(plain.map(function(x, g) return math.abs(x * g) + x * x end, w, gradients(1)), 34)
    end)
end

function T.every_name_of_an_expression_means_what_it_says()
  local function scores(expression, of)
    one_shot("score", {target = 0.5, score = expression}, function(w, gradients)
      return plain.smallest(plain.map(of, w, gradients(1)), 34)
    end)
  end
  scores("fabs(g)", function(_, g) return math.abs(g) end)
  scores("w - w0 + g * m", function(_, g) return g end)
  scores("w < 0 ? -w : 2 * w", function(w) return w < 0 and -w or 2 * w end)
end

-- Else the first weights would go, whole tensors of them.
function T.scores_that_tell_no_weights_apart_are_refused()
  for expression, value in pairs {["1"] = "1", m = "1", ["w - w0"] = "0"} do
    check.fails("prune.score: all weights have the same score, " .. value, one_shot, "score",
      {target = 0.5, score = expression}, function() end)
  end
end

-- Shares -----------------------------------------------------------------------------------------------------

local function zeros_of(masks)
  local zeros = {}
  for i, mask in ipairs(masks) do zeros[i] = #mask - plain.sum {mask} end
  return zeros
end

local function zeros_by_scope(shapes, kind, sparsity)
  local model = bare.random_model(shapes, 2)
  return zeros_of((masks_before_training(model, "score", {target = sparsity, scope = kind})))
end

-- Densities are e (2 + 2) / 4 and e (10 + 10) / 100. For a fifth of 104 weights 4 e + 20 e = 20.8: the densities are
-- 0.8667 and 0.1733. For half of them e would be 2.17, so the first stays whole and the second keeps 48.
function T.erdos_renyi_shares_by_hand()
  check.equal(zeros_by_scope({{2, 2}, {10, 10}}, "er", 0.8), {0, 82})
  check.equal(zeros_by_scope({{2, 2}, {10, 10}}, "erk", 0.8), {0, 82})
  check.equal(zeros_by_scope({{2, 2}, {10, 10}}, "er", 0.5), {0, 52})
end

function T.erdos_renyi_shares_agree()
  local shapes = {{6, 10}, {40, 3}, {8, 4, 3, 3}, {16, 8, 1, 1}, {5, 5}}
  for _, sparsity in ipairs {0.3, 0.62, 0.91, 0.98} do
    check.equal(zeros_by_scope(shapes, "er", sparsity), plain.erdos(shapes, sparsity, false))
    check.equal(zeros_by_scope(shapes, "erk", sparsity), plain.erdos(shapes, sparsity, true))
  end
end

function T.frozen_tensors_count_or_do_not_but_stay_whole()
  for of, zeros in pairs {all = 34, active = 24} do
    local model = bare.random_model(SHAPES, 4)
    local training <close> = bare.training(model, "magnitude", {target = 0.5, rounds = 0, of = of, freeze = {"c"}})
    training.pruner:begin(bare.view())
    local masks = bare.masks(model)
    check.equal(plain.size(masks) - plain.sum(masks), zeros)
    check.equal(model:parameters()[3].param.mask, nil)
    local before = bare.values(model)
    training:step(bare.at(1), bare.random_gradients(model, 1, 1), 0.25)
    local moved = plain.map(function(w, g) return w - 0.25 * g end, before,
      flat_gradients(bare.random_gradients(model, 1, 1)))
    check.equal(bare.values(model)[3], moved[3]) -- and are trained
  end
end

-- Signs ------------------------------------------------------------------------------------------------------

local function flipped(model, sign)
  for i, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    p.param.value:copy(p.param.value * lac.tensor(sign[i]):reshape(p.param.shape))
  end
  return model
end

local function random_signs(shapes)
  local out = {}
  for i, shape in ipairs(shapes) do
    local scope <close> = lac.scope()
    out[i] = bare.flat(lac.rng(9):fork("sign " .. i):uniform(shape, -1, 1):greater(0):scale(2, -1))
  end
  return out
end

function T.the_sign_of_a_weight_makes_no_difference_to_its_size()
  local signs = random_signs(SHAPES)
  for _, cfg in ipairs {{"magnitude", "global"}, {"magnitude", "layer"}} do
    local settings = {target = 0.7, scope = cfg[2], rounds = 0}
    local one = masks_before_training(bare.random_model(SHAPES, 6), cfg[1], settings)
    local two = masks_before_training(flipped(bare.random_model(SHAPES, 6), signs), cfg[1], settings)
    check.equal(one, two)
  end
end

-- With the same gradients; where the signs of weights and gradients turn together nothing changes.
-- With Adam, whose moments of a weight live on while a mask drops it.
function T.a_weight_that_comes_back_has_no_moments_of_before()
  for _, name in ipairs {"rigl", "set"} do
    local model = bare.random_model({{4, 8}, {6, 6}}, 77)
    local training <close> = bare.training(model, name, {target = 0.5, every = 2, last = 90, least = 0})
    training.optimiser:close()
    training.optimiser = require("optim.adam").new(model:parameters(), {})
    training.pruner:begin(training:view())
    local once, back = {{}, {}}, 0 -- once: weights that were trained at some time
    for step = 1, 12 do
      local before = bare.masks(model)
      training:step(bare.at(step), bare.random_gradients(model, 78, step), 0.25)
      for i, p in ipairs(model:parameters()) do
        local values, slots = bare.flat(p.param.value), training.optimiser:slots_of(p.name)
        local m, v, after = bare.flat(slots.m), bare.flat(slots.v), bare.masks(model)[i]
        for j, now in ipairs(after) do
          if now == 1 and before[i][j] == 0 then
            check.equal({values[j], m[j], v[j]}, {0, 0, 0})
            if once[i][j] then back = back + 1 end
          end
          once[i][j] = once[i][j] or v[j] ~= 0
        end
      end
    end
    check.yes(back > 3, name .. ": no trained weight was dropped and came back")
  end
end

function T.the_sign_makes_a_difference_to_snip_signed_only()
  local signs = random_signs(SHAPES)
  local function masks(method, with_signs)
    local model = bare.random_model(SHAPES, 6)
    local gradients = bare.random_gradients(model, 6, 1)
    if with_signs then flipped(model, signs) end
    return (masks_before_training(model, method, {target = 0.7},
      {gradient = function() bare.backward(model, gradients) end}))
  end
  check.equal(masks("snip", false), masks("snip", true))
  local one, two = masks("snip_signed", false), masks("snip_signed", true)
  check.yes(plain.sum(absolute(plain.map(function(a, b) return a - b end, one, two))) > 0)
end

-- While training ---------------------------------------------------------------------------------------------

local RAMP = {target = 0.75, first = 2, last = 10, every = 2, least = 0}

local function with(more)
  local cfg = {}
  for key, value in pairs(RAMP) do cfg[key] = value end
  for key, value in pairs(more) do cfg[key] = value end
  return cfg
end

local function due(step)
  return step >= 2 and step <= 10 and step % 2 == 0
end

function T.gradual_agrees_in_its_scopes()
  follow("gradual", with {scope = "layer"}, 14, function(state, at, g)
    descend(state, g)
    if due(at.step) then
      state.m = plain.smallest_each(absolute(state.w), each(plain.cubic(0.75, 2, 10, at.step)))
    end
  end)
  follow("gradual", with {scope = "global"}, 14, function(state, at, g)
    descend(state, g)
    if due(at.step) then
      state.m = plain.smallest(absolute(state.w), math.floor(plain.cubic(0.75, 2, 10, at.step) * 68))
    end
  end)
  follow("gradual", with {scope = "erk"}, 14, function(state, at, g)
    descend(state, g)
    if due(at.step) then
      local counts = plain.erdos(SHAPES, plain.cubic(0.75, 2, 10, at.step), true)
      state.m = plain.smallest_each(absolute(state.w), counts)
    end
  end)
end

function T.a_target_that_is_a_function_of_progress_is_asked_at_each_update()
  follow("score", {score = "fabs(w)", every = 4, target = function(t) return 0.5 * t end}, 12, function(state, at, g)
    descend(state, g)
    if at.step % 4 == 0 then state.m = plain.smallest(absolute(state.w), math.floor(0.5 * at.step / 100 * 68)) end
  end)
end

function T.movement_agrees()
  local s
  follow("movement", RAMP, 14, function(state, at, g)
    s = plain.map(function(x, w, gradient) return x - w * gradient end, s, state.w, g)
    if due(at.step) then state.m = plain.smallest(s, math.floor(plain.cubic(0.75, 2, 10, at.step) * 68)) end
    descend(state, g)
  end, function(state) s = plain.map(function() return 0 end, state.w) end)
end

function T.a_score_that_looks_at_gradients_sees_those_of_dropped_weights()
  follow("score", with {score = "fabs(w * g)"}, 12, function(state, at, g)
    if due(at.step) then
      local scores = plain.map(function(w, gradient) return math.abs(w * gradient) end, state.w, g)
      state.m = plain.smallest(scores, math.floor(plain.cubic(0.75, 2, 10, at.step) * 68))
    end
    descend(state, g)
  end)
end

function T.a_users_function_prunes_while_training()
  local cfg = with {score = function(x) return (x.w - x.w0):abs() end}
  local start
  follow("score", cfg, 12, function(state, at, g)
    if due(at.step) then -- before the step: a function may look at gradients
      local scores = plain.map(function(w, w0) return math.abs(w - w0) end, state.w, start)
      state.m = plain.smallest(scores, math.floor(plain.cubic(0.75, 2, 10, at.step) * 68))
    end
    descend(state, g)
  end, function(state) start = state.w end)
end

-- Dynamic sparse training --------------------------------------------------------------------------------------

-- Draws as the library makes them: of a name, at an update.
local function uniform(rng, i)
  local scope <close> = lac.scope()
  return bare.flat(rng:fork("prune"):fork(string.char(96 + i)):uniform(SHAPES[i]))
end

local function draws(rng)
  local out = {}
  for i in ipairs(SHAPES) do out[i] = uniform(rng, i) end
  return out
end

local function sparse_start(kernel)
  return function(state)
    state.m = plain.smallest_each(draws(lac.rng(1)), plain.erdos(SHAPES, 0.5, kernel))
    state.w = plain.map(function(w, m) return w * m end, state.w, state.m)
    state.w = plain.map(function(w) return w + 0.0 end, state.w)
  end
end

-- Per tensor: the smallest |w| of those there go, as many of the others with the largest worth come back as 0.
local function exchange(state, share, worth)
  for i, mask in ipairs(state.m) do
    local w, kept = state.w[i], plain.sum {mask}
    local moved = math.floor(share * kept)
    local scores = plain.map(function(x, m) return m == 0 and -math.huge or math.abs(x) end, {w}, {mask})
    local less = plain.smallest(scores, #mask - kept + moved)[1]
    local order = plain.map(function(m, x) return m == 0 and -x or math.huge end, {less}, {worth[i]})
    local grown = plain.smallest(order, moved)[1]
    for j in ipairs(mask) do
      if mask[j] == 0 then w[j] = 0.0 end
    end
    state.m[i] = plain.map(function(m, k) return k == 0 and 1 or m end, {less}, {grown})[1]
    check.equal(#mask - plain.sum {state.m[i]}, #mask - kept) -- as many zeros as before
  end
end

local function share_at(step, last)
  return 0.3 * (1 + math.cos(math.pi * step / last)) / 2
end

function T.rigl_agrees_and_grows_where_gradients_are_largest()
  follow("rigl", {target = 0.5, every = 3, last = 12, least = 0}, 16, function(state, at, g)
    if at.step % 3 == 0 and at.step <= 12 then
      exchange(state, share_at(at.step, 12), absolute(g))
    else
      descend(state, g)
    end
  end, sparse_start(true))
end

function T.set_agrees()
  follow("set", {target = 0.5, every = 4, last = 12, least = 0}, 16, function(state, at, g)
    descend(state, g)
    if at.step % 4 == 0 and at.step <= 12 then exchange(state, share_at(at.step, 12), draws(at.rng)) end
  end, sparse_start(false))
end

-- One tensor of ten weights, five of which are there. An update at the first of ten steps moves
-- floor(0.4 (1 + cos(pi / 10)) / 2 * 5) = 1: the smallest there goes, the dropped one with the largest gradient comes.
function T.rigl_by_hand()
  local model = bare.model {{"a", {{9, 10, 11, 12, 13, 14, 15, 16, 17, 18}}}}
  local training <close> = bare.training(model, "rigl", {target = 0.5, every = 1, last = 10, fraction = 0.4, least = 0})
  training.pruner:begin(training:view())
  local mask = bare.masks(model)[1]
  local w = bare.values(model)[1]
  local smallest, gradients, grown = nil, {}, nil
  for j = 1, 10 do
    check.equal(w[j], mask[j] == 1 and 8 + j or 0)
    gradients[j] = mask[j] == 1 and 100 or -j -- those there have larger ones, which do not count
    if mask[j] == 1 then smallest = smallest or j else grown = j end
  end
  gradients[smallest] = 0.5 -- what goes may come back, but not with so little
  training:step(bare.at(1), {{gradients}}, 0.25)
  local after = bare.masks(model)[1]
  for j = 1, 10 do
    local want = mask[j]
    if j == smallest then want = 0 elseif j == grown then want = 1 end
    check.equal(after[j], want)
  end
  check.equal(bare.values(model)[1][grown], 0) -- comes back as 0, and no step was taken
  check.equal(bare.values(model)[1][smallest], 8 + smallest)
end

-- What a weight was when it was dropped, and its momentum, do not come back with it.
function T.a_weight_that_grows_again_has_no_memory()
  local model = bare.model {{"a", {{4, 3, 2, 1}}}}
  local pruner = require("prune.score").new {target = 0.5, every = 1, last = 100, regrow = "fabs(g)", fraction = 0.99}
  local adam = require("optim.adam").new(model:parameters(), {})
  pruner:attach(model)
  pruner:begin(bare.view {optimiser = adam})
  local training = {model = model, pruner = pruner, optimiser = adam}
  local before = bare.masks(model)[1]
  for step = 1, 5 do
    bare.step(training, bare.at(step, {step = step}), bare.random_gradients(model, 3, step), 0.25)
    local mask, w = bare.masks(model)[1], bare.values(model)[1]
    local m, v = bare.flat(adam:slots_of("a").m), bare.flat(adam:slots_of("a").v)
    for j = 1, 4 do
      if before[j] == 0 then check.equal({w[j], m[j], v[j]}, {0, 0, 0}) end
      check.yes(mask[j] == 1 or before[j] == 1 or w[j] == 0)
    end
    before = mask
  end
  adam:close()
  pruner:close()
  model:close()
end

return T
