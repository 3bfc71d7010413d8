--- Cross-entropy: the captions of the data are taught word after word.
--
-- A loss has defaults, new(cfg, where) with its own checks, and of an object
--
-- * of(model, batch, at) -> the loss of a training batch under the current tape, and what else is to be logged, name ->
--   number; at: rng, dataset, length (of a caption that is decoded), sampling (share of words from the model itself)
-- * describe(images) -> what it does in words, with so many images in a batch
-- * close()
-- * score(dataset, split, rows) -> the mean of what it trains for over captions {image_id, caption}, where it can tell
--
-- and feeds_words: whether `sampling` means anything to it.
-- @module train.losses.xent
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"

local xent = {}

xent.defaults = {
  smoothing = 0, -- label smoothing
}

xent.feeds_words = true

local Xent = class("Xent")

function Xent:init(cfg)
  self.smoothing = cfg.smoothing
end

function Xent:of(model, batch, at)
  if at.sampling > 0 then batch.sampling, batch.rng = at.sampling, at.rng:fork("sampling") end
  return lac.xent(model:forward(batch), batch.targets, batch.weights, {smoothing = self.smoothing})
end

function Xent:describe()
  return "cross-entropy" .. (self.smoothing > 0 and (", label smoothing %g"):format(self.smoothing) or "")
end

function Xent.close() end

--- @tparam[opt] table cfg see defaults
-- @tparam[opt="loss"] string where a recipe says it, for messages
function xent.new(cfg, where)
  where = where or "loss"
  cfg = config.merge(xent.defaults, cfg, where)
  if not (cfg.smoothing >= 0 and cfg.smoothing < 1) then
    error(("%s.smoothing must be in [0, 1), got %g"):format(where, cfg.smoothing), 0)
  end
  return Xent(cfg)
end

return xent
