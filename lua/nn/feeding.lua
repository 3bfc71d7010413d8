--- What a recurrent decoder is fed in training: the given words or, in part, words it has drawn itself.
-- Bengio, Vinyals, Jaitly and Shazeer 2015, "Scheduled sampling for sequence prediction with recurrent neural
-- networks", section 2.4.
-- @module nn.feeding
local lac = require "lac"
local ragged = require "nn.ragged"

local feeding = {}

--- Whether words are drawn.
-- @tparam table batch sampling: the probability that a word after the first is drawn by the model instead
function feeding.samples(batch)
  return (batch.sampling or 0) ~= 0
end

local function check(batch, label)
  local p = batch.sampling
  if type(p) ~= "number" or not (p >= 0 and p <= 1) then
    error(("%s: sampling must be a probability from 0 to 1, got %s"):format(label, p), 0)
  end
  if not batch.rng then error(label .. ": sampling needs a generator, batch.rng", 0) end
end

-- Every given word, with probability p replaced by one drawn from softmax(logits).
local function sample_words(given, logits, p, rng)
  local scope <close> = lac.scope() -- nothing is recorded: no gradient goes through a draw
  local drawn = lac.draw({logits = logits, rng = rng}):to_f32() -- ids are exact in float32
  local keeps = rng:uniform({logits:shape(1)}):greater(p)
  return scope:keep((drawn + (given:to_f32() - drawn) * keeps):to_i32())
end

--- Step by step, with everything inside the time loop: for weights that every step draws anew, and for sampling, where
-- a drawn word comes from the scores of the step before.
-- @tparam table batch as for a model's forward; sampling and its generator rng
-- @tparam string label of the model, for messages
-- @tparam function step (rows, words i32 [rows]) -> logits [rows, vocab]
-- @treturn tensor logits [words, vocab], step after step
function feeding.run(batch, label, step)
  local sampled = feeding.samples(batch)
  if sampled then check(batch, label) end
  local counts, given = ragged.steps(batch)
  local words, at, logits = given:slice(1, 1, counts[1]), counts[1] + 1, {}
  for t, rows in ipairs(counts) do
    logits[t] = step(rows, words)
    local following = counts[t + 1]
    if following then
      words, at = given:slice(1, at, following), at + following
      if sampled then
        words = sample_words(words, logits[t]:slice(1, 1, following), batch.sampling, batch.rng)
      end
    end
  end
  return lac.concat(logits, 1)
end

return feeding
