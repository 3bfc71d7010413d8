local lac = require "lac"
local check = require "check"
local files = require "files"
local bleu = require "metrics.bleu"
local cider = require "metrics.cider"

local T = {}

local BLEU_4 = {0, 0, 0, 1}

-- The same by the metrics: one image per caption.
local function by_metrics(references, images, captions, weights, frequencies)
  local lists, out = {}, {}
  for i, image in ipairs(images) do lists[i] = references[image] end
  local corpus <close> = lac.text.corpus(captions, lists)
  local c, b = cider.score(corpus, frequencies).images, bleu.score(corpus).images
  for i = 1, #captions do
    out[i] = (weights.cider or 0) * c[i]
    for n = 1, 4 do out[i] = out[i] + (weights.bleu and weights.bleu[n] or 0) * b[i][n] end
  end
  return out
end

local function random_text(rng, words)
  local list = {}
  for i = 1, rng:below(words + 1) do list[i] = "w" .. rng:below(30) end
  return table.concat(list, " ")
end

-- 20 images with 1 to 5 references.
local function random_references(rng)
  local references = {}
  for i = 1, 20 do
    references[i] = {}
    for j = 1, 1 + rng:below(5) do references[i][j] = random_text(rng, 20) end
  end
  return references
end

function T.rewards_are_the_weighted_sum_of_the_metrics()
  local rng = lac.rng(3)
  local references = random_references(rng)
  local frequencies = lac.text.frequencies.count(references)
  for _, weights in ipairs {{cider = 1}, {bleu = BLEU_4}, {cider = 0.5, bleu = {-1, 0.5, 2, 0.25}}} do
    local rewards <close> = lac.text.rewards(references, weights)
    check.equal(#rewards, 20)
    local images, captions = {}, {}
    for i = 1, 200 do images[i], captions[i] = 1 + rng:below(20), random_text(rng, 25) end
    captions[7], captions[8] = "", references[images[8]][1]
    local want = by_metrics(references, images, captions, weights, frequencies)
    check.close(rewards:score(images, captions), want, 1e-9)
    table.sort(images) -- now those of an image are scored together, some in more than one part
    for i = 1, 100 do images[i] = 4 end
    want = by_metrics(references, images, captions, weights, frequencies)
    check.close(rewards:score(images, captions), want, 1e-9)
  end
end

function T.rewards_of_self_critical_training_are_the_published_ones()
  local golden = lac.json.decode(files.read(check.shared("golden/scst_rewards.json")))
  local frequencies = lac.json.decode(files.read(check.shared("golden/ciderd_document_frequency.json")))
  check.equal(#golden.cases, 3)
  for _, case in ipairs(golden.cases) do
    local rewards <close> = lac.text.rewards(case.references,
      {cider = case.cider_weight, bleu = case.bleu_weights, frequencies = frequencies})
    local counted <close> = lac.text.rewards(case.references, {cider = case.cider_weight, bleu = case.bleu_weights})
    for i, samples in ipairs(case.samples) do
      local images = {}
      for k = 1, #samples do images[k] = i end
      check.close(rewards:score(images, samples), case.sample_scores[i], 1e-6)
      check.close(counted:score(images, samples), case.sample_scores[i], 1e-6)
      check.close(rewards:score({i}, {case.greedy[i]})[1], case.greedy_baseline[i][1], 1e-6)
    end
  end
end

function T.a_request_runs_while_its_owner_does_something_else()
  local rewards <close> = lac.text.rewards({{"a b c d"}, {"e f g h"}}, {bleu = BLEU_4})
  rewards:request({1, 2}, {"a b c d", "a b c d"})
  check.fails("the scores of the last request were not taken", rewards.request, rewards, {1}, {"a"})
  check.close(rewards:take(), {1, 0}, 1e-3)
  check.fails("there is no request to take from", rewards.take, rewards)
  check.equal(rewards:score({}, {}), {})
  rewards:request({1}, {"a"}) -- and is forgotten when they close
end

function T.images_without_references_may_be_there()
  local rewards <close> = lac.text.rewards({{}, {"a b c d"}}, {cider = 1, frequencies = {ref_len = 2,
    document_frequency = {a = 1}}})
  check.close(rewards:score({2}, {"a b c d"}), {10}, 1e-9)
  check.fails("caption 2 is of image 1, which has no reference", rewards.score, rewards, {2, 1}, {"a", "b"})
  check.close(rewards:score({2}, {"a b c d"}), {10}, 1e-9)
end

function T.wrong_arguments_of_rewards_are_refused()
  local function fails(text, ...) check.fails(text, lac.text.rewards, ...) end
  fails("cider or a part of bleu needs a weight", {{"a"}}, {})
  fails("cider or a part of bleu needs a weight", {{"a"}}, {cider = 0, bleu = {0, 0, 0, 0}})
  fails("cider must be a number, it is a string", {{"a"}}, {cider = "1"})
  fails("a weight must be a number, it is %-?nan", {{"a"}}, {cider = 0 / 0})
  fails("bleu must be a list of 4 numbers, it has 2", {{"a"}}, {bleu = {0, 1}})
  fails("bleu must be a list of 4 numbers, it is a number", {{"a"}}, {bleu = 1})
  fails("a weight in bleu must be a number, it is a string", {{"a"}}, {bleu = {0, 0, 0, "x"}})
  fails("the references of image 2 are a string, not a list", {{"a"}, "b"}, {cider = 1})
  fails("a reference of image 1 is a number, not a text", {{3}}, {cider = 1})
  local rewards <close> = lac.text.rewards({{"a"}}, {cider = 1})
  check.fails("2 captions, but the images of 1", rewards.score, rewards, {1}, {"a", "b"})
  check.fails("caption 1 is of image 2; there are 1", rewards.score, rewards, {2}, {"a"})
  check.fails("caption 1 is of image 1.5; there are 1", rewards.score, rewards, {1.5}, {"a"})
  check.fails("caption 1 is a number, not a text", rewards.score, rewards, {1}, {1})
  rewards:close()
  rewards:close()
  check.fails("closed rewards", rewards.score, rewards, {1}, {"a"})
  local none <close> = lac.text.rewards({}, {cider = 1})
  check.fails("of no image", none.score, none, {}, {})
end

return T
