--- Captions drawn at random, word by word, several per image.
-- @module train.sample
local lac = require "lac"
local config = require "core.config"
local rows = require "train.rows"

local sample = {}

--- each: captions per image; length: tokens at most, the end included; temperature divides the scores before softmax;
-- top_k: only so many best words (0: all); nucleus: only the best words that together have this probability (1: all);
-- rng: where draws come from; bos and eos: the ids of beginning and end, those of a word tokenizer unless given;
-- constraints: what a caption must not say, see train.constraints.
sample.defaults = {each = 1, length = 18, temperature = 1, top_k = 0, nucleus = 1, rng = config.optional("userdata"),
                   bos = 2, eos = 3, constraints = config.optional("table")}

-- The choice of words, in a stream of its own, where captions stand one behind the other: a row's draws depend on the
-- seed, its caption's number and the step.
local function chooser(cfg)
  local rng = cfg.rng:fork(cfg.rng:below(math.maxinteger))
  return function(logits, forbidden, numbers)
    local places = {}
    for i, number in ipairs(numbers) do places[i] = (number - 1) * cfg.length end
    return lac.draw {logits = logits, rng = rng, places = lac.tensor(places, "i32"), words = forbidden,
                     temperature = cfg.temperature, top_k = cfg.top_k, nucleus = cfg.nucleus}
  end
end

--- Draw captions. The model may be in evaluation or in training mode, where dropout and masks are drawn from its own
-- generator. Words are drawn from softmax(logits / temperature) of those that top_k, nucleus and constraints allow; the
-- log-probabilities are those of softmax(logits) whatever these are. With the same logits, generator and number of its
-- row a caption is the same, whatever is beside it. Call it where no tape records.
-- @tparam nn.Module model
-- @tparam table seen from model:encode
-- @tparam table options see defaults; rng is required, and moves on
-- @treturn table {ids = list, logprobs = list} for each caption, those of an image together; ids end with eos if it was
-- said
function sample.captions(model, seen, options)
  local cfg = config.merge(sample.defaults, options, "sample")
  if not cfg.rng then error("sample: needs a generator, rng", 2) end
  return rows.walk(model, seen, cfg, chooser(cfg))
end

return sample
