--- ROUGE-L as coco-caption computes it: F-measure of the longest common subsequence, beta 1.2.
-- Lin 2004, "ROUGE: a package for automatic evaluation of summaries", section 3; Chen et al. 2015,
-- "Microsoft COCO captions: data collection and evaluation server", section 4.
-- @module metrics.rouge
local rouge = {}

local BETA = 1.2

-- The best precision and the best recall may come from different references.
local function score(captions, i)
  local precision, recall = 0, 0
  for j = 1, captions:references(i) do
    local common, length, reference = captions:common(i, j)
    precision = math.max(precision, common / length)
    recall = math.max(recall, common / reference)
  end
  if precision == 0 or recall == 0 then return 0.0 end
  return (1 + BETA ^ 2) * precision * recall / (recall + BETA ^ 2 * precision)
end

--- Score a corpus and each of its images.
-- @tparam lac.text.corpus captions
-- @treturn table {corpus = mean of the images, images = list of numbers}
function rouge.score(captions)
  local total, images = 0, {}
  for i = 1, #captions do
    images[i] = score(captions, i)
    total = total + images[i]
  end
  return {corpus = total / #images, images = images}
end

return rouge
