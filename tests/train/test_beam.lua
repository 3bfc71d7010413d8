local lac = require "lac"
local beam = require "train.beam"
local check = require "check"
local golden = require "golden"
local scripted = require "scripted"
local Acort = require "models.acort"

local T = {}

-- Ids padded with zeros to the golden length.
local function padded(ids, length)
  local out = {}
  for t = 1, length do out[t] = ids[t] or 0 end
  return out
end

local MODES = {
  greedy = {}, greedy_constraint = {constraints = {no_repeat = true}}, beam2 = {width = 2},
  beam3 = {width = 3}, beam5 = {width = 5},
  beam3_constraint = {width = 3, constraints = {no_repeat = true}}, beam3_lp_avg = {width = 3, penalty = {"avg"}},
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
  local results = beam.search(model, {images = 2}, {width = 2, length = 10, ends = "stay",
                                                       constraints = {no_repeat = true}})
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

-- 5 words: 0, 1 (unknown), 2, 3 (the end), 4; always the same scores.
local function wanting(scores)
  return scripted(function() return scores end)
end

-- The captions of every way to search.
local function all_ways(model, options)
  local found = {beam.greedy(model, {images = 1}, options)[1]}
  for _, more in ipairs {{width = 2}, {width = 3, ends = "stay"}, {width = 4, groups = 2}} do
    for key, value in pairs(options) do more[key] = value end
    for _, one in ipairs(beam.search(model, {images = 1}, more)[1]) do found[#found + 1] = one end
  end
  return found
end

function T.no_way_of_searching_says_the_unknown_word()
  for _, found in ipairs(all_ways(wanting {0, 5, 1, 2, 0}, {length = 3, constraints = {unknown = 1}})) do
    for _, id in ipairs(found.ids) do check.yes(id ~= 1) end
  end
  check.equal(beam.greedy(wanting {0, 5, 1, 2, 0}, {images = 1}, {length = 3})[1].ids, {1, 1, 1})
end

function T.no_way_of_searching_ends_in_a_bad_ending()
  -- the end is wanted, and else word 4; 0 and 4 are bad endings
  local options = {length = 4, constraints = {bad_endings = {0, 4}}}
  for _, found in ipairs(all_ways(scripted(function(t) return t == 0 and {0, 0, 0, 0, 9} or {0, 1, 2, 7, 5} end),
                                  options)) do
    local ids = found.ids
    local last = ids[#ids] == 3 and #ids > 1 and ids[#ids - 1] or ids[#ids]
    check.yes(last ~= 0 and last ~= 4, table.concat(ids, " "))
  end
end

function T.a_caption_cut_off_at_the_last_step_has_no_bad_ending_either()
  local model, options = wanting {0, 1, 2, -9, 5}, {length = 2, constraints = {bad_endings = {4}}}
  check.equal(beam.greedy(model, {images = 1}, options)[1].ids, {4, 2})
  options.width = 2
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {4, 2})
end

function T.constraints_that_leave_no_word_are_lifted()
  local model, options = wanting {1, 2, 0}, {length = 2, eos = 2, bos = 9,
                                             constraints = {unknown = 2, bad_endings = {0, 1}}}
  check.equal(beam.greedy(model, {images = 1}, options)[1].ids, {1, 1}) -- all three are forbidden at the last step
  options.width = 2
  check.equal(beam.search(model, {images = 1}, options)[1][1].ids, {1, 1})
end

function T.log_probabilities_are_the_models_whatever_is_forbidden()
  local found = beam.greedy(wanting {0, 5, 1, 2, 0}, {images = 1}, {length = 1, constraints = {unknown = 1}})[1]
  check.equal(found.ids, {3})
  check.close(found.logprobs, {2 - math.log(2 + math.exp(5) + math.exp(1) + math.exp(2))}, 1e-4)
end

-- Diverse beam search of one image in plain Lua, group after group at each step; scores by last word.
local function diverse(table_of, vocab, length, groups, width, lambda, bos, eos)
  local all = {}
  for g = 1, groups do all[g] = {beams = {{ids = {}, sum = 0, model = 0}}, records = {}} end
  for t = 1, length do
    local said = {}
    for g = 1, groups do
      local list = {}
      for b, row in ipairs(all[g].beams) do
        local scores, total = table_of(row.ids[t - 1] or bos), 0
        for w = 1, vocab do total = total + math.exp(scores[w]) end
        for w = 1, vocab do
          local logp = scores[w] - math.log(total)
          local ids = table.move(row.ids, 1, t - 1, 1, {})
          ids[t] = w - 1
          list[#list + 1] = {ids = ids, sum = row.sum + logp - lambda * (said[w - 1] or 0), model = row.model + logp,
                             at = b * vocab + w}
        end
      end
      table.sort(list, function(x, y) return x.sum > y.sum end)
      all[g].beams = table.move(list, 1, width, 1, {})
      for _, row in ipairs(all[g].beams) do
        local word = row.ids[t]
        said[word] = (said[word] or 0) + 1
        if word == eos or t == length then
          table.insert(all[g].records, {ids = row.ids, score = row.sum, model = row.model})
          row.sum = row.sum - 1000
        end
      end
    end
  end
  for g = 1, groups do table.sort(all[g].records, function(x, y) return x.score > y.score end) end
  return all
end

function T.groups_avoid_at_each_step_what_those_before_them_say()
  local rng, scores = lac.rng(8), {}
  for w = 0, 6 do scores[w] = rng:normal({7}, 0, 1.5):totable() end
  local model = scripted(function(_, word) return scores[word] end)
  local differ = false
  for _, lambda in ipairs {0.5, 2} do
    local want = diverse(function(word) return scores[word] end, 7, 5, 3, 2, lambda, 2, 3)
    local got = beam.search(model, {images = 2}, {width = 6, groups = 3, diversity = lambda, length = 5})
    for image = 1, 2 do
      for g = 1, 3 do
        for b = 1, 2 do
          local one, other = got[image][(g - 1) * 2 + b], want[g].records[b]
          check.equal(one.ids, other.ids)
          check.equal(one.group, g)
          check.close(one.score, other.score, 1e-3)
          local sum = 0
          for _, logp in ipairs(one.logprobs) do sum = sum + logp end
          check.close(sum, other.model, 1e-3)
          differ = differ or one.ids[1] ~= got[image][b].ids[1]
        end
      end
    end
  end
  check.yes(differ, "all groups say the same")
end

function T.groups_without_diversity_are_alike_and_like_a_search_of_their_width()
  local rng, scores = lac.rng(9), {}
  for w = 0, 6 do scores[w] = rng:normal({7}, 0, 1.5):totable() end
  local model = scripted(function(_, word) return scores[word] end)
  local one = beam.search(model, {images = 1}, {width = 2, length = 5})[1]
  local two = beam.search(model, {images = 1}, {width = 4, groups = 2, diversity = 0, length = 5})[1]
  for b = 1, 4 do check.equal(two[b].ids, one[(b - 1) % 2 + 1].ids) end
end

function T.an_unknown_option_is_refused()
  local model = scripted(function() return {0, 0} end)
  check.fails("groups must divide the width, 4, got 3", beam.search, model, {images = 1}, {width = 4, groups = 3})
  check.fails("diversity must be 0 or more, got %-1", beam.search, model, {images = 1}, {diversity = -1})
  check.fails('the penalty is {"wu", a} or {"avg"}, got "wu"', beam.search, model, {images = 1}, {penalty = {"wu"}})
  check.fails('constraints: unknown key "no_repeats"; did you mean "no_repeat"', beam.search, model, {images = 1},
              {constraints = {no_repeats = true}})
  check.fails('ends must be "leave" or "stay", got "go"', beam.search, model, {images = 1}, {ends = "go"})
  check.fails('unknown key "widht"; did you mean "width"', beam.search, model, {images = 1}, {widht = 2})
end

return T
