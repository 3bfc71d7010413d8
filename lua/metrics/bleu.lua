--- BLEU-1 to BLEU-4 as coco-caption computes it: clipped n-gram precision against the closest reference length.
-- Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation"; Chen et al. 2015,
-- "Microsoft COCO captions: data collection and evaluation server", section 4.
-- @module metrics.bleu
local bleu = {}

local ORDERS = 4
local SMALL, TINY = 1e-9, 1e-15 -- keep the denominators and the products from zero

-- What BLEU adds up: both lengths in words, and for each order how many n-grams there are and are correct.
local function count(captions, i)
  local length, reference, least = captions:words(i, 0), nil, nil
  for j = 1, captions:references(i) do
    local other = captions:words(i, j)
    local gap = math.abs(other - length)
    if not least or gap < least or (gap == least and other < reference) then reference, least = other, gap end
  end
  local sums = {length = length, reference = reference, correct = {captions:correct(i)}, grams = {}}
  for n = 1, ORDERS do sums.grams[n] = math.max(0, length - n + 1) end
  return sums
end

local function add(total, sums)
  total.length, total.reference = total.length + sums.length, total.reference + sums.reference
  for n = 1, ORDERS do
    total.correct[n] = total.correct[n] + sums.correct[n]
    total.grams[n] = total.grams[n] + sums.grams[n]
  end
end

local function score(sums)
  local ratio = (sums.length + TINY) / (sums.reference + SMALL)
  local brevity = ratio < 1 and math.exp(1 - 1 / ratio) or 1
  local product, scores = 1, {}
  for n = 1, ORDERS do
    product = product * (sums.correct[n] + TINY) / (sums.grams[n] + SMALL)
    scores[n] = product ^ (1 / n) * brevity
  end
  return scores
end

--- Score a corpus and each of its images.
-- @tparam lac.text.corpus captions
-- @treturn table {corpus = {BLEU-1, ..., BLEU-4}, images = list of the same}
function bleu.score(captions)
  local total = {length = 0, reference = 0, correct = {0, 0, 0, 0}, grams = {0, 0, 0, 0}}
  local images = {}
  for i = 1, #captions do
    local sums = count(captions, i)
    add(total, sums)
    images[i] = score(sums)
  end
  return {corpus = score(total), images = images}
end

return bleu
