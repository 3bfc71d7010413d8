--- Decode a split of a data set and score the captions.
-- @module train.evaluate
local lac = require "lac"
local config = require "core.config"
local decode = require "train.decode"
local standard = require "metrics.standard"

local evaluate = {}

evaluate.defaults = {
  decode = {}, -- how captions are found, see train.decode; bos and eos are the data set's
  batch = 50, -- images at once
  stop = config.optional("function"), -- asked between batches; true ends it
  progress = config.optional("function"), -- called with (images done, images)
}

--- Captions of a split.
-- @tparam nn.Module model in evaluation mode
-- @tparam table dataset as data.captions gives
-- @tparam string split
-- @tparam[opt] table cfg see defaults
-- @treturn ?table list of {image_id, caption}, in the split's order; nil when stopped
-- @treturn table a list of such lists, of which the first is that one: one for each caption that is drawn
function evaluate.captions(model, dataset, split, cfg)
  cfg = config.merge(evaluate.defaults, cfg, "evaluate")
  local draws, total, how = {}, dataset:size(split), cfg.decode
  for k = 1, how.sample or 1 do draws[k] = {} end
  how.bos, how.eos = dataset.vocab.bos, dataset.vocab.eos
  local outer <close> = lac.scope()
  local held <close> = model:hold()
  local next_batch = dataset:evaluation(split, cfg.batch)
  while true do
    if cfg.stop and cfg.stop() then return nil end
    local scope <close> = lac.scope()
    local batch = next_batch()
    if not batch then return draws[1], draws end
    for i, list in ipairs(decode.captions(model, model:encode(batch), how)) do
      for k, rows in ipairs(draws) do
        rows[#rows + 1] = {image_id = batch.ids[i], caption = dataset.vocab:decode(list[k].ids)}
      end
    end
    if cfg.progress then cfg.progress(#draws[1], total) end
  end
end

--- A judge of captions of a split, which has tokenised the references once.
-- @tparam table dataset
-- @tparam string split
-- @treturn function (rows as from `captions`: of the whole split, or of the images that could be seen) -> scores by
-- name, see metrics.standard
function evaluate.judge(dataset, split)
  local references = {} -- by image
  for _, image in ipairs(dataset:references(split)) do
    local texts = {}
    for j, text in ipairs(image.captions) do texts[j] = lac.text.ptb(text) end
    references[image.id] = texts
  end
  return function(rows)
    local captions, beside = {}, {}
    for i, row in ipairs(rows) do captions[i], beside[i] = lac.text.ptb(row.caption), references[row.image_id] end
    local corpus <close> = lac.text.corpus(captions, beside)
    return standard.score(corpus).corpus
  end
end

--- What one caption, the commonest of the training split, scores for every image: the least that a model must beat.
-- @tparam table dataset
-- @tparam table ids of the images
-- @treturn table rows as from `captions`
function evaluate.majority(dataset, ids)
  local counts, best = {}, nil
  for _, image in ipairs(dataset:references("train")) do
    for _, text in ipairs(image.captions) do counts[text] = (counts[text] or 0) + 1 end
  end
  for text, count in pairs(counts) do
    if not best or count > counts[best] or count == counts[best] and text < best then best = text end
  end
  local rows = {}
  for i, id in ipairs(ids) do rows[i] = {image_id = id, caption = best} end
  return rows
end

return evaluate
