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
-- @param[opt] frequencies lac.text.frequencies, or {ref_len = number of images, document_frequency = {["a man"] =
-- images whose captions have it}}; without it those of the references are counted
-- @treturn table {corpus = mean of the images, images = list of numbers}
function cider.score(captions, frequencies)
  return score(captions, frequencies, false)
end

--- The same without clipping and length penalty: CIDEr as it was before CIDEr-D.
function cider.plain_score(captions, frequencies)
  return score(captions, frequencies, true)
end

return cider
