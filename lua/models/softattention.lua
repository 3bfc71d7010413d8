--- Soft attention: one recurrent layer that looks at the image after each word.
-- Xu et al. 2015, "Show, attend and tell: neural image caption generation with visual attention", in the form that Tan,
-- Chan and Chuah 2022 prune:
--
--     h_0 = W_i fc                 x_t = (embed(word_t), context_(t-1))       h_t = cell(x_t, h_(t-1))
--     logits_t = W_o h_t + b_o     e_s = v . tanh(W_k att_s + W_q h_t)        context_t = sum_s softmax(e)_s W_v att_s
--
-- The context meets the classifier only through the cell of the next step. Dropout is on x_t, on the copy of h_t that
-- query and classifier get, and on the attention's weights, which it does not make sum to 1 again.
--
-- What does not depend on time is computed before the time loop: keys and values once per image, and what words give to
-- the cell for the words of all steps at once. Where weights change from step to step (nn.param) all of that happens
-- in the loop; this model's own draw of masks is one per forward pass.
-- @module models.softattention
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local AdditiveAttention = require "nn.additive_attention"
local BasicLstm = require "nn.basic_lstm"
local Dropout = require "nn.dropout"
local Embedding = require "nn.embedding"
local Gru = require "nn.gru"
local Linear = require "nn.linear"
local Module = require "nn.module"
local Prepared = require "nn.prepared"
local feeding = require "nn.feeding"
local init = require "nn.init"
local ragged = require "nn.ragged"
local whole = require "core.whole"

local SoftAttention = class("SoftAttention", Module)

--- vocab: rows of the word table and the classifier; features, fc_features: sizes of a region's and of the image's
-- vector; attention: size of keys, queries and values; dropout: of the cell's input and output. With masks the
-- published runs have dropout = 0.11, attention_dropout = 0.03.
SoftAttention.defaults = {
  vocab = config.optional("number"), embed = 256, hidden = 512, attention = 512, features = 832, fc_features = 1024,
  cell = "lstm", -- or "gru"
  dropout = 0.35, attention_dropout = 0.1,
}

--- Settings that a recipe does not get from here, since the data decide them.
SoftAttention.unfilled = {"features", "fc_features"}

--- In the published program's search a caption that has ended competes with those that have not, see train.beam.
SoftAttention.beam_ends = "stay"

local CELLS = {lstm = BasicLstm, gru = Gru}

local function check(cfg)
  if not cfg.vocab then error("models.softattention: vocab must be given", 0) end
  whole(cfg, {"vocab", "embed", "hidden", "attention", "features", "fc_features"}, "models.softattention")
  if not CELLS[cfg.cell] then
    error(('models.softattention: cell must be "lstm" or "gru", got "%s"'):format(cfg.cell), 0)
  end
  for _, key in ipairs {"dropout", "attention_dropout"} do
    Dropout.check(cfg[key], "models.softattention: " .. key)
  end
end

function SoftAttention:init(cfg)
  Module.init(self)
  cfg = config.merge(SoftAttention.defaults, cfg, "models.softattention")
  check(cfg)
  self.cfg = cfg
  local function matrix(inputs, outputs)
    return Linear {inputs = inputs, outputs = outputs, bias = false, start = init.xavier()}
  end
  self.embed = self:add("embed", Embedding {count = cfg.vocab, size = cfg.embed, start = init.xavier()})
  self.start = self:add("start", matrix(cfg.fc_features, cfg.hidden))
  self.keys = self:add("keys", matrix(cfg.features, cfg.attention))
  self.values = self:add("values", matrix(cfg.features, cfg.attention))
  self.attention = self:add("attention", AdditiveAttention {
    query = cfg.hidden, size = cfg.attention, bias = false, dropout = cfg.attention_dropout,
    query_start = init.xavier(), vector_start = init.uniform(math.sqrt(3 / cfg.attention))})
  self.cell = self:add("cell", CELLS[cfg.cell] {inputs = cfg.embed + cfg.attention, hidden = cfg.hidden})
  self.logit = self:add("logit", Linear {inputs = cfg.hidden, outputs = cfg.vocab, start = init.xavier(),
                                         bias_start = init.zeros()})
  self.input_dropout = self:add("input_dropout", Dropout(cfg.dropout))
  self.output_dropout = self:add("output_dropout", Dropout(cfg.dropout))
end

-- How often a step or a region meets the weights of each part; the rest is met once per word.
local USES = {
  embed = function() return 0 end, -- a row is looked up
  start = function() return 1 end,
  keys = function(image) return image.regions end,
  values = function(image) return image.regions end,
  ["attention.alpha_net"] = function(image) return image.regions * image.words end,
}

--- How often each weight of a parameter is multiplied for one image with one caption.
-- @tparam string name of a parameter
-- @tparam table image regions; words, steps of the decoder, the one that ends the caption included
-- @treturn number 0 for biases
function SoftAttention.uses(_, name, image)
  local part, kind = name:match("^(.*)%.([^.]+)$")
  if kind ~= "weight" then return 0 end
  local uses = USES[part]
  return uses and uses(image) or image.words
end

--- Embed the images, once however many captions each has.
-- @tparam table batch fc [images, fc_features], att [images, regions, features], mask [images, regions] with 1
-- for a real region (absent: all are real)
-- @treturn table what the steps look at
function SoftAttention:encode(batch)
  return {first = self.start(batch.fc), keys = self.keys(batch.att), values = self.values(batch.att),
          mask = batch.mask, images = batch.fc:shape(1)}
end

-- The weights that a step uses; `ready` and `once` as in nn.basic_lstm.
function SoftAttention:step_weights(ready, once)
  local h2att = self.attention.h2att.weight
  return {
    cell = self.cell:split({self.cfg.embed, self.cfg.attention}, ready, once),
    v = self.attention:vector(),
    h2att = not h2att:redraws() and ready(h2att:weights()) or nil,
  }
end

-- The state before the first step, a row per caption.
function SoftAttention:first_state(seen, rows)
  local h = seen.owners and lac.embedding(seen.first, seen.owners:slice(1, 1, rows))
    or seen.first:repeat_rows(rows // seen.images)
  local state = self.cell:first(h)
  state.context = lac.zeros {rows, self.cfg.attention}
  return state
end

-- What words give to the cell, a row per word.
function SoftAttention:word_sums(w, words)
  return self.cell:ahead(w.cell, self.input_dropout(self.embed(words)))
end

-- A step, onto the sums that the words gave; returns the new state and what query and classifier see of it.
function SoftAttention:advance(seen, w, sums, state, places)
  local new = self.cell:step(w.cell, sums, self.input_dropout(state.context), state, places)
  local out = self.output_dropout(new.h)
  new.context = self.attention(out, seen, w.v, w.h2att, places)
  return new, out
end

-- Tensors for the results of all steps, a row per word, so that what several steps make need not be put together for
-- the classifier and for the gradients of weights.
function SoftAttention:all_places(rows)
  local places = self.cell:places(rows)
  places.scored, places.context = lac.zeros {rows, self.cfg.attention}, lac.zeros {rows, self.cfg.attention}
  return places
end

--- Teacher forcing: the scores of every next word.
-- @tparam table batch as for encode, and words, counts, owners, members, seen and sampling as for models.updown
-- @treturn tensor logits [words, vocab], step after step
function SoftAttention:forward(batch)
  local held <close> = self:hold()
  local seen = ragged.seen(self, batch)
  if self:redraws() or feeding.samples(batch) then return self:forward_stepwise(batch, seen) end
  local counts, words = ragged.steps(batch)
  local prepared <close> = Prepared()
  local w = self:step_weights(prepared, Prepared.none)
  local sums, places = self:word_sums(w, words), self:all_places(words:shape(1))
  local state, at, outs = self:first_state(seen, counts[1]), 1, {}
  for t, rows in ipairs(counts) do
    state, outs[t] = self:advance(seen, w, ragged.rows(sums, at, rows), ragged.first(state, rows),
                                  ragged.rows(places, at, rows))
    at = at + rows
  end
  local dropped = self.training and self.cfg.dropout > 0
  return self.logit(dropped and lac.concat(outs, 1) or places.h)
end

-- The same with everything inside the time loop, see nn.feeding.
function SoftAttention:forward_stepwise(batch, seen)
  local fixed = not self:redraws() and self:step_weights(Prepared.none, Prepared.none)
  local state = self:first_state(seen, ragged.steps(batch)[1])
  return feeding.run(batch, "models.softattention", function(rows, words)
    local w = fixed or self:step_weights(Prepared.none, Prepared.none)
    local sums = ragged.rows(self:word_sums(w, words), 1, rows)
    local new, out = self:advance(seen, w, sums, ragged.first(state, rows))
    state = new
    return self.logit(out)
  end)
end

--- Begin decoding, `each` captions per image at once.
-- @tparam table seen from encode
-- @tparam integer each
-- @treturn table a session for step; close it with session:close()
-- @treturn table the state before the first step
function SoftAttention:begin(seen, each)
  local prepared, held = Prepared(), self:hold()
  local session = {seen = seen}
  if not self:redraws() then session.w = self:step_weights(prepared, prepared) end
  held:prepare(self.logit)
  function session.close()
    prepared:close()
    held:close()
  end
  return session, self:first_state(seen, seen.images * each)
end

--- Go on with some of a session's rows; see models.updown.
function SoftAttention.narrow(_, session, _, owners)
  session.seen = ragged.owned(session.seen, owners)
end

--- One step of decoding.
-- @tparam table session from begin
-- @tparam table state from begin or the step before
-- @tparam tensor words i32 [rows]
-- @treturn tensor logits [rows, vocab]
-- @treturn table the new state
function SoftAttention:step(session, state, words)
  local w = session.w or self:step_weights(Prepared.none, Prepared.none)
  local sums = ragged.rows(self:word_sums(w, words), 1, words:shape(1))
  local new, out = self:advance(session.seen, w, sums, state)
  return self.logit(out), new
end

return SoftAttention
