local lac = require "lac"
local check = require "check"
local files = require "files"
local bleu = require "metrics.bleu"
local cider = require "metrics.cider"

local T = {}

local function corpus(hypotheses, references)
  return lac.text.corpus(hypotheses, references)
end

function T.what_every_image_says_weighs_nothing_and_what_one_says_weighs_all()
  local same <close> = corpus({"a b c d e", "v w x y z"}, {{"a b c d e"}, {"v w x y z"}})
  check.close(cider.score(same).images, {10, 10}, 1e-12)
  local common <close> = corpus({"a b c d e", "a b c d e"}, {{"a b c d e"}, {"a b c d e"}})
  check.equal(cider.score(common).images, {0.0, 0.0})
end

function T.length_is_penalised_by_bigrams()
  -- one pair against six; all weights are ln 2
  local captions <close> = corpus({"a b", "x"}, {{"a b c d e f g"}, {"y"}})
  local cosines = 2 / math.sqrt(2 * 7) + 1 / math.sqrt(1 * 6)
  check.close(cider.score(captions).images[1], 10 / 4 * cosines * math.exp(-25 / 72), 1e-12)
  check.close(cider.plain_score(captions).images[1], 10 / 4 * cosines, 1e-12)
end

function T.repetition_is_clipped()
  -- "a a" against "a b": clipped 1 of 2, and the norms are 2 and sqrt 2
  local captions <close> = corpus({"a a", "x"}, {{"a b"}, {"y"}})
  check.close(cider.score(captions).images[1], 10 / 4 * 1 / (2 * math.sqrt(2)), 1e-12)
  check.close(cider.plain_score(captions).images[1], 10 / 4 * 2 / (2 * math.sqrt(2)), 1e-12)
end

function T.references_count_equally()
  local captions <close> = corpus({"a b c d", "x"}, {{"a b c d", "e f g h", "e f g h", "e f g h"}, {"y"}})
  check.close(cider.score(captions).images[1], 10 / 4, 1e-12)
end

function T.a_given_table_replaces_the_frequencies_of_the_references()
  local captions <close> = corpus({"a b"}, {{"a c"}})
  check.equal(cider.score(captions).corpus, 0.0) -- ln 1
  local frequencies = {ref_len = 8, document_frequency = {a = 2, b = 4}}
  local a, b, c = math.log(4), math.log(2), math.log(8)
  check.close(cider.score(captions, frequencies).corpus,
    10 / 4 * a * a / (math.sqrt(a * a + b * b) * math.sqrt(a * a + c * c)), 1e-12)
end

function T.a_table_knows_n_grams_by_their_words()
  local captions <close> = corpus({"a b c d"}, {{"a b c d"}})
  local counts = {}
  for gram in ("a,b,c,d,a b,b c,c d,a b c,b c d,a b c d"):gmatch("[^,]+") do counts[gram] = 3 end
  check.equal(cider.score(captions, {ref_len = 3, document_frequency = counts}).corpus, 0.0)
  counts["b c d"] = 1
  check.close(cider.score(captions, {ref_len = 3, document_frequency = counts}).corpus, 10 / 4, 1e-12)
end

-- The texts of the five images: id -> list; the splits; and how often each word occurs.
local function five_images()
  local data = lac.json.decode(files.read(check.shared("data/coco5/dataset_coco_testing.json")))
  local texts, splits, words = {}, {}, {}
  for i, image in ipairs(data.images) do
    texts[i], splits[i] = {}, image.split
    for j, sentence in ipairs(image.sentences) do
      texts[i][j] = table.concat(sentence.tokens, " ")
      for _, word in ipairs(sentence.tokens) do words[word] = (words[word] or 0) + 1 end
    end
  end
  return texts, splits, words
end

function T.counted_document_frequencies_are_the_published_ones()
  local texts, splits, words = five_images()
  local golden = lac.json.decode(files.read(check.shared("golden/ciderd_document_frequency.json")))
  check.equal(lac.text.frequencies.count(texts):table(), golden)
  local training, vocabulary = {}, {}
  for i, list in ipairs(texts) do
    if splits[i] == "train" or splits[i] == "restval" then training[#training + 1] = list end
  end
  for word, count in pairs(words) do vocabulary[word] = count > 1 or nil end
  golden = lac.json.decode(files.read(check.shared("golden/ciderd_document_frequency_train_thr1.json")))
  check.equal(lac.text.frequencies.count(training, vocabulary):table(), golden)
end

-- CIDEr-D and BLEU of samples against the references of their images, weighted.
local function rewards(case, samples, frequencies)
  local hypotheses, references = {}, {}
  for i, list in ipairs(samples) do
    for _, text in ipairs(list) do
      hypotheses[#hypotheses + 1], references[#references + 1] = text, case.references[i]
    end
  end
  local captions <close> = corpus(hypotheses, references)
  local c, b = cider.score(captions, frequencies).images, bleu.score(captions).images
  local out, k = {}, 0
  for i, list in ipairs(samples) do
    out[i] = {}
    for j = 1, #list do
      k = k + 1
      out[i][j] = case.cider_weight * c[k]
      for n = 1, 4 do out[i][j] = out[i][j] + case.bleu_weights[n] * b[k][n] end
    end
  end
  return out
end

function T.rewards_of_self_critical_training_are_the_published_ones()
  local golden = lac.json.decode(files.read(check.shared("golden/scst_rewards.json")))
  local frequencies = lac.json.decode(files.read(check.shared("golden/ciderd_document_frequency.json")))
  check.equal(#golden.cases, 3)
  for _, case in ipairs(golden.cases) do
    check.close(rewards(case, case.samples, frequencies), case.sample_scores, 1e-6)
    for i, text in ipairs(case.greedy) do
      local greedy = rewards({references = {case.references[i]}, cider_weight = case.cider_weight,
                              bleu_weights = case.bleu_weights}, {{text}}, frequencies)
      check.close(greedy[1][1], case.greedy_baseline[i][1], 1e-6)
    end
  end
end

-- Values computed with the published programs, reference.md 12.8.
function T.rewards_with_a_vocabulary_are_the_published_ones()
  local texts = {
    {"a man rides a red bike", "a man on a bike", "the man is riding a bike down the street"},
    {"two dogs play in the grass", "a pair of dogs playing outside"},
    {"a red bus on the street", "a bus drives down the road", "the bus is red"},
  }
  local vocabulary = {}
  for _, list in ipairs(texts) do
    for _, text in ipairs(list) do
      for word in text:gmatch("%a+") do vocabulary[word] = word ~= "pair" and word ~= "outside" or nil end
    end
  end
  local frequencies = lac.text.frequencies.count(texts, vocabulary):table()
  frequencies.ref_len = 113287
  local samples = {{"a man riding a red bike", "a bike"}, {"two dogs play", "two dogs play in the park"}}
  local case = {references = texts, cider_weight = 1, bleu_weights = {0, 0, 0, 1}}
  check.close(rewards(case, samples, frequencies), {{2.71190223, 1.76909006}, {2.31685219, 4.78066902}}, 1e-6)
  check.close(rewards(case, {{"a man on a bike"}, {"dogs"}}, frequencies), {{5.5346074}, {0.73228119}}, 1e-6)
  case.bleu_weights = {0, 0, 0, 0}
  check.close(rewards(case, samples, frequencies), {{2.71181187, 1.76886693}, {2.30521882, 4.02083333}}, 1e-6)
end

return T
