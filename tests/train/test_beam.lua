local lac = require "lac"
local beam = require "train.beam"
local check = require "check"
local golden = require "golden"
local Acort = require "models.acort"

local T = {}

-- Ids padded with zeros to the golden length.
local function padded(ids, length)
  local out = {}
  for t = 1, length do out[t] = ids[t] or 0 end
  return out
end

local MODES = {
  greedy = {}, greedy_constraint = {no_repeat = true}, beam2 = {width = 2}, beam3 = {width = 3}, beam5 = {width = 5},
  beam3_constraint = {width = 3, no_repeat = true}, beam3_lp_avg = {width = 3, penalty = {"avg"}},
  ["beam3_lp_wu_0.9"] = {width = 3, penalty = {"wu", 0.9}}, ["beam3_temp0.7"] = {width = 3, temperature = 0.7},
}

local function compare(file, mode, options, seen, model)
  local prefix = "decode/" .. mode .. "/"
  local ids, logprobs = file:read(prefix .. "seq"):totable(), file:read(prefix .. "logprobs"):totable()
  local length = #ids[1][1]
  local scores = options.width and file:read(prefix .. "score"):totable()
  local all = {length = length}
  for key, value in pairs(options) do all[key] = value end
  local results = options.width and beam.search(model, seen, all) or beam.greedy(model, seen, all)
  for n, result in ipairs(results) do
    for b, got in ipairs(options.width and result or {result}) do
      local where = mode .. " image " .. n .. " beam " .. b
      local good, message = pcall(check.equal, padded(got.ids, length), ids[n][b])
      check.yes(good, where .. ": " .. tostring(message))
      local want = table.move(logprobs[n][b], 1, #got.ids, 1, {}) -- greedy goes on recording after the end
      good, message = pcall(check.close, got.logprobs, want, 1e-4)
      check.yes(good, where .. " log-probabilities: " .. tostring(message))
      if scores then
        good, message = pcall(check.close, got.score, scores[n][b], 1e-3)
        check.yes(good, where .. " score: " .. tostring(message))
      end
    end
  end
end

local function decodes_like(name, build)
  local file <close> = golden.open(name)
  local model = (build or golden.updown)(file)
  do
    local scope <close> = lac.scope()
    local seen = model:encode(build and golden.ragged(file) or golden.batch(file))
    for mode, options in pairs(MODES) do compare(file, mode, options, seen, model) end
  end
  model:close()
end

function T.all_modes_decode_the_small_model_as_the_golden_file_does()
  decodes_like "updown_small.h5"
end

function T.all_modes_decode_the_two_layer_classifier_as_the_golden_file_does()
  decodes_like "updown_logit2.h5"
end

function T.all_modes_decode_the_relation_transformer_as_the_golden_file_does()
  for _, name in ipairs {"ort_small.h5", "ort_small_notrig.h5", "ort_share_qk.h5"} do decodes_like(name, golden.ort) end
end

function T.all_modes_decode_the_transformer_of_shared_layers_and_caches_as_the_golden_file_does()
  decodes_like("acort_small.h5", golden.ort)
end

function T.a_cache_per_place_decodes_shared_layers_as_full_passes_do()
  local file <close> = golden.open "acort_small.h5"
  local cfg = golden.ort_config(file)
  cfg.shared_cache = false
  local model = Acort(cfg)
  model:load(golden.group(file, "params"))
  do
    local scope <close> = lac.scope()
    local seen = model:eval():encode(golden.ragged(file))
    local ids = file:read("fullforward/greedy/seq"):totable()
    local logprobs = file:read("fullforward/greedy/logprobs"):totable()
    for n, got in ipairs(beam.greedy(model, seen, {length = #ids[1]})) do
      check.equal(padded(got.ids, #ids[n]), ids[n])
      check.close(padded(got.logprobs, #ids[n]), logprobs[n], 1e-4)
    end
  end
  model:close()
end

-- A model without a device's arithmetic: scores of the next word depend on the last word and the step alone.
local function scripted(rows_of_step)
  local model = {}
  function model.begin(_, seen, each)
    return {close = function() end}, {steps = lac.zeros {seen.images * each, 1}}
  end
  function model.step(_, _, state, words)
    local t = state.steps:totable()[1][1]
    local logits = {}
    for r, word in ipairs(words:totable()) do logits[r] = rows_of_step(t, word) end
    return lac.tensor(logits), {steps = state.steps + 1}
  end
  return model
end

function T.equal_scores_are_taken_in_the_order_of_the_flat_index()
  local model = scripted(function() return {0, 0, 0, 0, 0} end)
  local results = beam.search(model, {images = 1}, {width = 3, length = 2})
  -- step 1: words 0, 1, 2; step 2: all sums equal, so beam 0 continued by words 0, 1, 2
  check.equal(results[1][1].ids, {0, 0})
  check.equal(results[1][2].ids, {0, 1})
  check.equal(results[1][3].ids, {0, 2})
  check.equal(beam.greedy(model, {images = 1}, {length = 2})[1].ids, {0, 0})
end

function T.a_finished_beam_is_recorded_and_gives_up_its_place()
  -- the end (3) is likeliest at once; word 4 follows far behind and ends later
  local model = scripted(function(t) return t == 0 and {-9, -9, -9, 2, 1} or {-9, -9, -9, 1, 2} end)
  local results = beam.search(model, {images = 1}, {width = 2, length = 3})
  check.equal(results[1][1].ids, {3})
  check.equal(results[1][2].ids, {4, 4, 4})
end

-- An end at once, 4 and then 0 or 1; after these five words alike: log-probabilities -1.46 for the end alone, -0.26,
-- then -0.64 and -0.74, then -1.61.
local function overtaken(t)
  return t == 0 and {-9, -9, -9, 0, 1.2} or t == 1 and {0, -0.1, -9, -9, -9} or {0, 0, 0, 0, 0}
end

function T.a_finished_beam_that_stays_may_be_overtaken_for_good()
  local model, options = scripted(overtaken), {width = 2, length = 3}
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {3})
  options.ends = "stay"
  local results = beam.search(model, {images = 1}, options)
  check.equal({results[1][1].ids, results[1][2].ids}, {{4, 0, 0}, {4, 0, 1}})
  check.close(results[1][1].score, -0.2633 - 0.6453 - 1.6094, 1e-3)
  check.close(results[1][1].logprobs, {-0.2633, -0.6453, -1.6094}, 1e-3)
  options.ends, model.beam_ends = nil, "stay" -- what the model says, unless told
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {4, 0, 0})
  options.ends = "leave"
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {3})
end

function T.a_finished_beam_that_stays_keeps_its_sum_and_the_search_ends_with_the_last()
  local rows = 0
  local model = scripted(function(t)
    rows = rows + 1
    return t < 2 and {-9, -9, -9, 2, 1} or {-9, -9, -9, 9, -9}
  end)
  local results = beam.search(model, {images = 2}, {width = 2, length = 10, ends = "stay", no_repeat = true})
  for image = 1, 2 do
    check.equal({results[image][1].ids, results[image][2].ids}, {{3}, {4, 3}})
    check.close(results[image][1].score, -0.3133, 1e-3)
    check.close(results[image][2].score, -1.3133 - 0.3133, 1e-3)
  end
  check.equal(rows, 2 + 4) -- of two steps
end

function T.greedy_stops_when_every_row_has_ended()
  local calls = 0
  local model = scripted(function(t)
    calls = calls + 1
    return t == 1 and {0, 0, 0, 9, 0} or {0, 0, 0, 0, 9}
  end)
  check.equal(beam.greedy(model, {images = 1}, {length = 10})[1].ids, {4, 3})
  check.equal(calls, 2)
end

function T.a_vocabulary_smaller_than_the_beam_still_gives_every_caption()
  local model = scripted(function() return {-1, -2, -3, -4} end)
  local results = beam.search(model, {images = 2}, {width = 5, length = 3})
  check.equal(#results[1], 5)
  check.equal(results[2][1].ids, {0, 0, 0})
end

function T.beginning_and_end_are_those_of_the_tokenizer()
  -- fed 5, the beginning, it says 1; then 4, the end; 3 is a digit like any other
  local model = scripted(function(t, word)
    check.equal(word == 5, t == 0)
    return t < 2 and {0, t == 0 and 9 or 0, 0, t == 1 and 9 or 0, 0, 0} or {0, 0, 0, 0, 9, 0}
  end)
  local options = {length = 6, bos = 5, eos = 4}
  check.equal(beam.greedy(model, {images = 1}, options)[1].ids, {1, 3, 4})
  options.width = 2
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {1, 3, 4})
end

function T.an_unknown_option_is_refused()
  local model = scripted(function() return {0, 0} end)
  check.fails('ends must be "leave" or "stay", got "go"', beam.search, model, {images = 1}, {ends = "go"})
  check.fails('unknown key "widht"; did you mean "width"', beam.search, model, {images = 1}, {widht = 2})
end

return T
