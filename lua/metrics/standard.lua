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

--- The names of the scores that `score` gives.
-- @param[opt] frequencies as for `score`
-- @treturn table list: NAMES, and "CIDEr_D" where there are frequencies
function standard.names(frequencies)
  local names = table.move(standard.NAMES, 1, #standard.NAMES, 1, {})
  if frequencies then names[#names + 1] = "CIDEr_D" end
  return names
end

local function name(b, r, c, d)
  return {Bleu_1 = b[1], Bleu_2 = b[2], Bleu_3 = b[3], Bleu_4 = b[4], ROUGE_L = r, CIDEr = c, CIDEr_D = d}
end

--- Score a corpus and each of its images. CIDEr and CIDEr-D are one formula; the former takes document frequencies from
-- the references that are scored with, the latter, as self-critical training does, from elsewhere.
-- @tparam lac.text.corpus captions tokenised, see lac.text.ptb
-- @param[opt] frequencies of CIDEr-D, which is not there without: see cider.score and
-- data.references.open_frequencies
-- @treturn table {corpus = scores by name, images = list of the same}
function standard.score(captions, frequencies)
  local b, r, c = bleu.score(captions), rouge.score(captions), cider.score(captions)
  local d = frequencies and cider.score(captions, frequencies) or {images = {}}
  local images = {}
  for i = 1, #captions do images[i] = name(b.images[i], r.images[i], c.images[i], d.images[i]) end
  return {corpus = name(b.corpus, r.corpus, c.corpus, d.corpus), images = images}
end

return standard
