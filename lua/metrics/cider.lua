--- CIDEr-D, which coco-caption calls CIDEr: TF-IDF similarity of n-grams, clipped, with a penalty on length.
-- Vedantam et al. 2015, "CIDEr: consensus-based image description evaluation", sections 4 and 6.
--
-- Document frequencies come from the references that are scored with, or from a given table (self-critical
-- training). The length that the penalty compares is the number of bigrams.
-- @module metrics.cider
local cider = {}

local ORDERS = 4
local SIGMA = 6 -- width of the length penalty

local function bigrams(captions, i, j)
  return math.max(0, captions:words(i, j) - 1)
end

local function score_image(captions, i, plain)
  local total, length = 0, bigrams(captions, i, 0)
  for j = 1, captions:references(i) do
    local gap = plain and 0 or length - bigrams(captions, i, j)
    total = total + captions:similarity(i, j, plain) * math.exp(-gap * gap / (2 * SIGMA * SIGMA))
  end
  return 10 * total / ORDERS / captions:references(i)
end

local function score(captions, frequencies, plain)
  captions:weigh(frequencies)
  local total, images = 0, {}
  for i = 1, #captions do
    images[i] = score_image(captions, i, plain)
    total = total + images[i]
  end
  return {corpus = total / #images, images = images}
end

--- Score a corpus and each of its images.
-- @tparam lac.text.corpus captions
-- @tparam[opt] table frequencies {ref_len = number of images, document_frequency = {["a man"] = images whose
-- captions have it}}; without it those of the references are counted
-- @treturn table {corpus = mean of the images, images = list of numbers}
function cider.score(captions, frequencies)
  return score(captions, frequencies, false)
end

--- The same without clipping and length penalty: CIDEr as it was before CIDEr-D.
function cider.plain_score(captions, frequencies)
  return score(captions, frequencies, true)
end

local function add_document(counts, texts, vocabulary)
  local seen = {}
  for _, text in ipairs(texts) do
    local words = {}
    for word in text:gmatch("%S+") do words[#words + 1] = (not vocabulary or vocabulary[word]) and word or "UNK" end
    words[#words + 1] = "<eos>"
    for n = 1, ORDERS do
      for i = 1, #words - n + 1 do seen[table.concat(words, " ", i, i + n - 1)] = true end
    end
  end
  for gram in pairs(seen) do counts[gram] = (counts[gram] or 0) + 1 end
end

--- Count document frequencies for `score`, as self-critical training has them: every caption is followed by
-- "<eos>", and words outside the vocabulary are "UNK".
-- @tparam table references list of lists of texts, one list per image
-- @tparam[opt] table vocabulary set of words; without it all are kept
-- @treturn table {ref_len, document_frequency}
function cider.frequencies(references, vocabulary)
  local counts = {}
  for _, texts in ipairs(references) do add_document(counts, texts, vocabulary) end
  return {ref_len = #references, document_frequency = counts}
end

return cider
