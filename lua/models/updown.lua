--- Up-Down: bottom-up and top-down attention with two LSTMs.
-- Anderson et al. 2018, "Bottom-up and top-down attention for image captioning and visual question answering",
-- as in Tan, Chan and Chuah 2022. Parameter names are those of the published checkpoints.
--
-- What does not depend on time is computed before the time loop: the attention LSTM sees the words of all
-- steps in one product, and the image vector once per image. Where weights change from step to step (nn.param)
-- all of that happens in the loop.
-- @module models.updown
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local AdditiveAttention = require "nn.additive_attention"
local Dropout = require "nn.dropout"
local Embedding = require "nn.embedding"
local Linear = require "nn.linear"
local Lstm = require "nn.lstm"
local Module = require "nn.module"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"

local UpDown = class("UpDown", Module)

--- vocab: rows of the word table and the classifier; features, fc_features: sizes of a region's and of the
-- image's vector; logit_layers: Linear layers of the classifier.
UpDown.defaults = {
  vocab = config.optional("number"), embed = 1000, hidden = 1000, attention = 512, features = 2048,
  fc_features = 2048, dropout = 0.5, logit_layers = 1,
}

local function classifier(cfg)
  if cfg.logit_layers == 1 then return Linear {inputs = cfg.hidden, outputs = cfg.vocab} end
  local chain = {}
  for _ = 1, cfg.logit_layers - 1 do
    chain[#chain + 1] = Linear {inputs = cfg.hidden, outputs = cfg.hidden}
    chain[#chain + 1] = Relu()
    chain[#chain + 1] = Dropout(cfg.dropout)
  end
  chain[#chain + 1] = Linear {inputs = cfg.hidden, outputs = cfg.vocab}
  return Sequential(chain)
end

local function check_sizes(cfg)
  if not cfg.vocab then error("models.updown: vocab must be given", 0) end
  for _, key in ipairs {"vocab", "embed", "hidden", "attention", "features", "fc_features", "logit_layers"} do
    local n = cfg[key]
    if math.tointeger(n) == nil or n < 1 then
      error(("models.updown: %s must be a whole number >= 1, got %s"):format(key, n), 0)
    end
  end
end

function UpDown:init(cfg)
  Module.init(self)
  cfg = config.merge(UpDown.defaults, cfg, "models.updown")
  check_sizes(cfg)
  self.cfg = cfg
  local hidden, drop = cfg.hidden, cfg.dropout
  self.embed = self:add("embed", Sequential {
    Embedding {count = cfg.vocab, size = cfg.embed}, Relu(), Dropout(drop)})
  self.fc_embed = self:add("fc_embed", Sequential {
    Linear {inputs = cfg.fc_features, outputs = hidden}, Relu(), Dropout(drop)})
  self.att_embed = self:add("att_embed", Sequential {
    Linear {inputs = cfg.features, outputs = hidden}, Relu(), Dropout(drop)})
  self.logit = self:add("logit", classifier(cfg))
  self.ctx2att = self:add("ctx2att", Linear {inputs = hidden, outputs = cfg.attention})
  self.core = self:add("core", Module())
  self.att_lstm = self.core:add("att_lstm", Lstm {inputs = 2 * hidden + cfg.embed, hidden = hidden})
  self.lang_lstm = self.core:add("lang_lstm", Lstm {inputs = 2 * hidden, hidden = hidden})
  self.attention = self.core:add("attention", AdditiveAttention {query = hidden, size = cfg.attention})
  self.output_dropout = Dropout(drop) -- on the copy of h that feeds the classifier
end

function UpDown:train(rng)
  self.output_dropout:train(rng)
  return Module.train(self, rng)
end

function UpDown:eval()
  self.output_dropout:eval()
  return Module.eval(self)
end

--- Embed the images, once however many captions each has.
-- @tparam table batch fc [images, fc_features], att [images, regions, features], mask [images, regions] with 1
-- for a real region (absent: all are real)
-- @treturn table what the steps look at
function UpDown:encode(batch)
  local fc = self.fc_embed(batch.fc)
  local values = self.att_embed(batch.att)
  if batch.mask then
    local images, regions = batch.mask:shape(1), batch.mask:shape(2)
    values = values * batch.mask:reshape(images, regions, 1) -- padded regions are exact zeros
  end
  return {fc = fc, values = values, keys = self.ctx2att(values), mask = batch.mask, images = batch.fc:shape(1)}
end

local function as_it_is(weight)
  return weight
end

-- Weights in the form that many products like, and their end: prepared(weight), prepared:close().
local Prepared = class("Prepared")

function Prepared:init()
  self.weights = {}
end

function Prepared:__call(weight)
  local made = lac.prepare(weight)
  table.insert(self.weights, made)
  return made
end

function Prepared:close()
  for _, weights in ipairs(self.weights) do weights:close() end
end

Prepared.__close = Prepared.close

-- The weights that a step uses, taken apart by the input they meet. `ready` maps those of a time loop to the form
-- in which lac.linear gets them, `once` those of the inputs that teacher forcing sees before it.
function UpDown:step_weights(ready, once)
  local hidden, embed = self.cfg.hidden, self.cfg.embed
  local att_h2, att_fc, att_word = self.att_lstm.weight_ih:weights {hidden, hidden, embed}
  local lang_v, lang_h1 = self.lang_lstm.weight_ih:weights {hidden, hidden}
  return {
    att_h2 = ready(att_h2), att_fc = once(att_fc), att_word = once(att_word),
    att_hh = ready(self.att_lstm.weight_hh:weights()),
    att_bias = self.att_lstm:bias(),
    lang_v = ready(lang_v), lang_h1 = ready(lang_h1),
    lang_hh = ready(self.lang_lstm.weight_hh:weights()),
    lang_bias = self.lang_lstm:bias(),
    v = self.attention:vector(),
    h2att = not self.attention.h2att.weight:redraws() and ready(self.attention.h2att.weight:weights()) or nil,
  }
end

-- The part of the attention LSTM that the image vector gives, a row per caption.
local function image_part(seen, w, each)
  return seen.fc:linear(w.att_fc):repeat_rows(each)
end

-- The part that the words give, a row per word.
function UpDown:word_part(words, w)
  return self.embed(words):linear(w.att_word, w.att_bias)
end

-- One step: the attention LSTM, look, the language LSTM. `add` is what the image and the word give.
function UpDown:advance(seen, w, state, add)
  local z = lac.linear {state.h2, w.att_h2, state.h1, w.att_hh, add = add}
  local new = {h2 = state.h2, c2 = state.c2}
  new.h1, new.c1 = lac.lstm_cell(z, state.c1)
  new.h2, new.c2 = self:look_and_speak(seen, w, new)
  return new
end

-- The rest of a step after the attention LSTM: look, then the language LSTM.
function UpDown:look_and_speak(seen, w, state)
  local context = self.attention(state.h1, seen.keys, seen.values, seen.mask, w.v, w.h2att)
  local z = lac.linear {context, w.lang_v, state.h1, w.lang_h1, state.h2, w.lang_hh, bias = w.lang_bias}
  return lac.lstm_cell(z, state.c2)
end

local function zero_state(rows, hidden)
  return {h1 = lac.zeros {rows, hidden}, c1 = lac.zeros {rows, hidden},
          h2 = lac.zeros {rows, hidden}, c2 = lac.zeros {rows, hidden}}
end

--- Teacher forcing: the scores of every next word.
-- @tparam table batch as for encode, and words: i32 [steps, captions] (time first), the ids fed at each step;
-- the captions of an image lie together, each image has as many
-- @treturn tensor logits [steps * captions, vocab], step after step
function UpDown:forward(batch)
  local held <close> = self:hold()
  local seen = self:encode(batch)
  if self:redraws() then return self:forward_redrawing(batch, seen) end
  local steps, rows = batch.words:shape(1), batch.words:shape(2)
  local prepared <close> = Prepared()
  local w = self:step_weights(prepared, as_it_is)
  local add = self:word_part(batch.words, w) + image_part(seen, w, rows // seen.images)
  local state, outputs = zero_state(rows, self.cfg.hidden), {}
  for t = 1, steps do
    state = self:advance(seen, w, state, add:select(1, t))
    outputs[t] = state.h2
  end
  return self.logit(self.output_dropout(lac.concat(outputs, 1)))
end

-- The same with weights that every step draws anew.
function UpDown:forward_redrawing(batch, seen)
  local steps, rows = batch.words:shape(1), batch.words:shape(2)
  local state, logits = zero_state(rows, self.cfg.hidden), {}
  for t = 1, steps do
    local w = self:step_weights(as_it_is, as_it_is)
    local add = self:word_part(batch.words:select(1, t), w) + image_part(seen, w, rows // seen.images)
    state = self:advance(seen, w, state, add)
    logits[t] = self.logit(self.output_dropout(state.h2))
  end
  return lac.concat(logits, 1)
end

--- Begin decoding, `each` captions per image at once.
-- @tparam table seen from encode
-- @tparam integer each
-- @treturn table a session for step; close it with session:close()
function UpDown:begin(seen, each)
  local prepared, held = Prepared(), self:hold()
  local session = {seen = seen, each = each}
  if not self:redraws() then
    session.w = self:step_weights(prepared, prepared)
    session.image = image_part(seen, session.w, each)
  end
  function session.close()
    prepared:close()
    held:close()
  end
  return session, zero_state(seen.images * each, self.cfg.hidden)
end

--- One step of decoding.
-- @tparam table session from begin
-- @tparam table state from begin or the step before
-- @tparam tensor words i32 [rows]
-- @treturn tensor logits [rows, vocab]
-- @treturn table the new state
function UpDown:step(session, state, words)
  local seen, w = session.seen, session.w or self:step_weights(as_it_is, as_it_is)
  local image = session.image or image_part(seen, w, session.each)
  local new = self:advance(seen, w, state, self:word_part(words, w) + image)
  return self.logit(new.h2), new
end

return UpDown
