local lac = require "lac"
local beam = require "train.beam"
local check = require "check"
local golden = require "golden"
local sample = require "train.sample"
local scripted = require "scripted"
local Constraints = require "train.constraints"
local mask = require "nn.mask"
local SoftAttention = require "models.softattention"
local UpDown = require "models.updown"

local T = {}

local function ids_of(results)
  local list = {}
  for r, result in ipairs(results) do list[r] = result.ids end
  return list
end

function T.captions_end_with_their_end_or_at_the_length()
  local model = scripted(function() return {0, 0, -99, 1, 0} end)
  local results = sample.captions(model, {images = 3}, {each = 40, length = 6, rng = lac.rng(1)})
  local ended = 0
  check.equal(#results, 120)
  for _, result in ipairs(results) do
    check.equal(#result.ids, #result.logprobs)
    check.yes(#result.ids == 6 or result.ids[#result.ids] == 3)
    for t = 1, #result.ids - 1 do check.yes(result.ids[t] ~= 3) end
    if #result.ids < 6 then ended = ended + 1 end
  end
  check.yes(ended > 60 and ended < 120)
end

function T.log_probabilities_are_those_of_the_model_at_any_temperature()
  local scores = {0.5, -1, 2, 0, 1}
  local total = 0
  for _, v in ipairs(scores) do total = total + math.exp(v) end
  local model = scripted(function() return scores end)
  local results = sample.captions(model, {images = 2}, {each = 5, length = 4, rng = lac.rng(2), temperature = 3,
                                                        top_k = 3, nucleus = 0.99, constraints = {no_repeat = true}})
  for _, result in ipairs(results) do
    for t, id in ipairs(result.ids) do
      check.close(result.logprobs[t], scores[id + 1] - math.log(total), 1e-4)
      check.yes(id ~= 1 and id ~= result.ids[t - 1])
    end
  end
end

function T.draws_follow_the_words_before_them()
  -- after 0 comes 0 or 1, each half the time; after 1 the end
  local model = scripted(function(_, word) return word == 1 and {-99, -99, -99, 0} or {0, 0, -99, -99} end)
  local lengths = {}
  for _, result in ipairs(sample.captions(model, {images = 1}, {each = 2000, length = 20, rng = lac.rng(4)})) do
    lengths[#result.ids] = (lengths[#result.ids] or 0) + 1
    check.equal(result.ids[#result.ids], 3)
  end
  for n = 2, 5 do -- 2^(1 - n) of them, within 4.5 deviations
    local p = 2.0 ^ (1 - n)
    check.yes(math.abs(lengths[n] - 2000 * p) < 4.5 * math.sqrt(2000 * p * (1 - p)), n)
  end
end

function T.rows_that_have_ended_are_taken_out()
  local left = {}
  local model = scripted(function() return {0, 0, -99, 0} end, function(owners) left[#left + 1] = owners end)
  sample.captions(model, {images = 2}, {each = 30, length = 12, rng = lac.rng(3)})
  check.yes(#left > 2)
  for i, owners in ipairs(left) do
    check.yes(#owners <= 0.75 * (left[i - 1] and #left[i - 1] or 60))
    for at = 2, #owners do check.yes(owners[at] >= owners[at - 1]) end
    check.yes(owners[1] >= 0 and owners[#owners] <= 1)
  end
end

function T.a_caption_is_the_same_whatever_comes_behind_it()
  local model = scripted(function(_, word) return {word, 0, 1, 1, 2 - word / 2} end)
  local function first(images)
    local rng = lac.rng(7)
    return table.move(ids_of(sample.captions(model, {images = images}, {each = 4, length = 7, rng = rng})), 1, 4, 1, {})
  end
  check.equal(first(1), first(5))
end

function T.the_generator_decides_and_moves_on()
  local model, rng = scripted(function() return {0, 0, 0, 0, 0, 0} end), lac.rng(7)
  local function draw() return ids_of(sample.captions(model, {images = 2}, {each = 4, rng = rng})) end
  local state, one = rng:state(), draw()
  local two = draw()
  rng:restore(state)
  check.equal(draw(), one)
  check.equal(draw(), two)
  check.yes(not pcall(check.equal, one, two))
end

function T.constraints_hold_in_drawing()
  local model = scripted(function() return {2, 2, 0, 1, 3} end)
  local constraints = {no_repeat = true, unknown = 1, bad_endings = {0, 4}}
  for _, result in ipairs(sample.captions(model, {images = 1}, {each = 300, length = 4, rng = lac.rng(5),
                                                                constraints = constraints})) do
    local ids = result.ids
    local last = ids[#ids] == 3 and ids[#ids - 1] or ids[#ids]
    check.yes(last ~= 0 and last ~= 4, table.concat(ids, " "))
    for t, id in ipairs(ids) do check.yes(id ~= 1 and id ~= ids[t - 1]) end
  end
end

function T.a_rows_forbidden_words_are_listed_once()
  local constraints = Constraints({no_repeat = true, unknown = 1, bad_endings = {4, 1, 7}}, 5, 3)
  check.equal(constraints:words(nil, 1), {1})
  check.equal(constraints:words(1, 2), {1, 3})
  check.equal(constraints:words(9, 2), {1, 9})
  check.equal(constraints:words(4, 5), {1, 4, 3, 7})
  check.yes(Constraints({}, 5, 3):forbidden({1, 2}, 2) == nil)
end

-- Log-probabilities by teacher forcing of one caption of each image.
local function taught(model, batch, captions, length)
  local fed = {}
  for t = 1, length do
    fed[t] = {}
    for i, ids in ipairs(captions) do fed[t][i] = t == 1 and 2 or ids[t - 1] or 3 end
  end
  local given = {words = lac.tensor(fed, "i32")}
  for _, name in ipairs {"fc", "att", "mask", "boxes", "regions"} do given[name] = batch[name] end
  return model(given):log_softmax():reshape(length, #captions, -1):totable()
end

-- Drawn captions have the log-probabilities that teacher forcing gives them, long after most rows were taken out.
local function agrees(model, batch, each, length)
  local scope <close> = lac.scope()
  local seen = model:encode(batch)
  local results = sample.captions(model, seen, {each = each, length = length, rng = lac.rng(6), temperature = 1.3})
  local shorter = 0
  for j = 1, each do
    local captions = {}
    for i = 1, seen.images do captions[i] = results[(i - 1) * each + j].ids end
    local logp = taught(model, batch, captions, length)
    for i, ids in ipairs(captions) do
      shorter = shorter + (#ids < length and 1 or 0)
      for t, id in ipairs(ids) do
        check.close(results[(i - 1) * each + j].logprobs[t], logp[t][i][id + 1], 1e-4)
      end
    end
  end
  check.yes(shorter > 0, "no caption has ended")
end

function T.updown_draws_as_teacher_forcing_scores()
  local file <close> = golden.open "updown_small.h5"
  local model = golden.updown(file)
  agrees(model, golden.batch(file), 12, 8)
  model:close()
end

function T.the_relation_transformer_draws_as_teacher_forcing_scores()
  local file <close> = golden.open "ort_small.h5"
  local model = golden.ort(file)
  agrees(model, golden.ragged(file), 12, 8)
  model:close()
end

function T.soft_attention_draws_as_teacher_forcing_scores()
  local model = SoftAttention {vocab = 9, embed = 5, hidden = 8, attention = 6, features = 7, fc_features = 4}
  local rng <const> = lac.rng(2)
  model:initialise(rng)
  do
    local scope <close> = lac.scope()
    agrees(model:eval(), {fc = rng:normal {3, 4}, att = rng:normal {3, 5, 7}}, 12, 8)
  end
  model:close()
end

function T.training_mode_draws_with_dropout()
  local model = UpDown {vocab = 9, embed = 5, hidden = 8, attention = 6, features = 7, fc_features = 4, dropout = 0.5}
  model:initialise(lac.rng(2))
  do
    local scope <close> = lac.scope()
    local rng = lac.rng(3)
    local seen = model:eval():encode {fc = rng:normal {3, 4}, att = rng:normal {3, 5, 7}}
    local function logprobs(dropout)
      if dropout then model:train(dropout) else model:eval() end
      local results = sample.captions(model, seen, {each = 6, length = 9, rng = lac.rng(1)})
      return results[1].logprobs[1], ids_of(results)
    end
    check.equal({logprobs()}, {logprobs()})
    check.equal({logprobs(lac.rng(4))}, {logprobs(lac.rng(4))})
    check.yes(logprobs(lac.rng(4)) ~= logprobs())
    for _, p in ipairs(model:parameters()) do -- drawn anew at every step, for as many rows as there are
      if #p.param.shape == 2 then p.param:set_mask(mask.trained(lac.zeros(p.param.shape))) end
    end
    check.equal({logprobs(lac.rng(4))}, {logprobs(lac.rng(4))})
    check.yes(logprobs(lac.rng(4)) ~= logprobs(lac.rng(5)))
  end
  model:close()
end

function T.the_best_of_one_is_greedy()
  local file <close> = golden.open "updown_small.h5"
  local model = golden.updown(file)
  do
    local scope <close> = lac.scope()
    local seen = model:encode(golden.batch(file))
    check.equal(ids_of(sample.captions(model, seen, {top_k = 1, rng = lac.rng(1), length = 9})),
                ids_of(beam.greedy(model, seen, {length = 9})))
  end
  model:close()
end

function T.a_generator_is_asked_for()
  local model = scripted(function() return {0, 0} end)
  check.fails("sample: needs a generator, rng", sample.captions, model, {images = 1}, {})
  check.fails('unknown key "topk"; did you mean "top_k"', sample.captions, model, {images = 1}, {topk = 1})
end

return T
