--- The scores that captioning papers print, by the names that coco-caption gives them.
-- @module metrics.standard
local bleu = require "metrics.bleu"
local cider = require "metrics.cider"
local rouge = require "metrics.rouge"

local standard = {}

standard.NAMES = {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"}

--- The scores of each metric by its short name; the last is the one that stands for it.
standard.GROUPS = {bleu = {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"}, rouge = {"ROUGE_L"}, cider = {"CIDEr"}}

--- The score that stands for a metric: "Bleu_4" for "bleu".
-- @tparam string metric a key of GROUPS
-- @treturn string
function standard.main(metric)
  local group = standard.GROUPS[metric]
  return group[#group]
end

--- A score's name as papers print it: "BLEU-4".
-- @tparam string key one of NAMES
-- @treturn string
function standard.label(key)
  return (key:gsub("^Bleu", "BLEU"):gsub("_", "-"))
end

local function name(b, r, c)
  return {Bleu_1 = b[1], Bleu_2 = b[2], Bleu_3 = b[3], Bleu_4 = b[4], ROUGE_L = r, CIDEr = c}
end

--- Score a corpus and each of its images.
-- @tparam lac.text.corpus captions tokenised, see lac.text.ptb
-- @treturn table {corpus = scores by name, images = list of the same}
function standard.score(captions)
  local b, r, c = bleu.score(captions), rouge.score(captions), cider.score(captions)
  local images = {}
  for i = 1, #captions do images[i] = name(b.images[i], r.images[i], c.images[i]) end
  return {corpus = name(b.corpus, r.corpus, c.corpus), images = images}
end

return standard
