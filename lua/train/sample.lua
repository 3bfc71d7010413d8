--- Captions drawn at random, word by word, several per image.
-- @module train.sample
local lac = require "lac"
local config = require "core.config"
local Constraints = require "train.constraints"

local sample = {}

--- each: captions per image; length: tokens at most, the end included; temperature divides the scores before softmax;
-- top_k: only so many best words (0: all); nucleus: only the best words that together have this probability (1: all);
-- rng: where draws come from; bos and eos: the ids of beginning and end, those of a word tokenizer unless given;
-- constraints: what a caption must not say, see train.constraints.
sample.defaults = {each = 1, length = 18, temperature = 1, top_k = 0, nucleus = 1, rng = config.optional("userdata"),
                   bos = 2, eos = 3, constraints = config.optional("table")}

-- Where rows stand in a stream of their own: a row's draws depend on the seed, its number and the step.
local function stream(rng)
  return rng:fork(rng:below(math.maxinteger))
end

local function close(state)
  for _, x in pairs(state) do x:close() end
end

-- One step in a scope of its own: only the new state and the words survive it.
local function advance(model, session, state, words, draw)
  local scope <close> = lac.scope()
  local logits, new = model:step(session, state, words)
  draw.logits = logits
  local drawn, logprobs = lac.draw(draw)
  for _, x in pairs(new) do scope:keep(x) end
  return scope:keep(drawn), logprobs:totable(), new
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
  local outer <close> = lac.scope()
  local constraints = Constraints(cfg.constraints, cfg.length, cfg.eos)
  local rows, results, places, last, open = seen.images * cfg.each, {}, {}, {}, 0
  for r = 1, rows do
    results[r], places[r], last[r], open = {ids = {}, logprobs = {}}, (r - 1) * cfg.length, cfg.bos, open + 1
  end
  local draw = {rng = stream(cfg.rng), places = lac.tensor(places, "i32"), temperature = cfg.temperature,
                top_k = cfg.top_k, nucleus = cfg.nucleus}
  local session, state = model:begin(seen, cfg.each)
  local words = lac.tensor(last, "i32")
  for t = 1, cfg.length do
    draw.words = constraints:forbidden(last, t)
    local drawn, logprobs, new = advance(model, session, state, words, draw)
    close(state)
    words, state, last = drawn, new, drawn:totable()
    for r, result in ipairs(results) do
      if not result.ended then
        result.ids[t], result.logprobs[t] = last[r], logprobs[r]
        result.ended = last[r] == cfg.eos
        open = result.ended and open - 1 or open
      end
    end
    if open == 0 then break end
  end
  session.close()
  for _, result in ipairs(results) do result.ended = nil end
  return results
end

return sample
