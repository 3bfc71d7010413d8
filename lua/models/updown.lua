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
local Prepared = require "nn.prepared"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"
local feeding = require "nn.feeding"
local ragged = require "nn.ragged"
local whole = require "core.whole"

local UpDown = class("UpDown", Module)

--- vocab: rows of the word table and the classifier; features, fc_features: sizes of a region's and of the
-- image's vector; logit_layers: Linear layers of the classifier.
UpDown.defaults = {
  vocab = config.optional("number"), embed = 1000, hidden = 1000, attention = 512, features = 2048,
  fc_features = 2048, dropout = 0.5, logit_layers = 1,
}

--- Settings that a recipe does not get from here, since the data decide them.
UpDown.unfilled = {"features", "fc_features"}

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
  whole(cfg, {"vocab", "embed", "hidden", "attention", "features", "fc_features", "logit_layers"}, "models.updown")
  if cfg.logit_layers > 100 then
    error(("models.updown: logit_layers must be at most 100, got %d"):format(cfg.logit_layers), 0)
  end
  Dropout.check(cfg.dropout, "models.updown: dropout")
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

-- How often a step or a region meets the weights of each part; the rest is met once per word.
local USES = {
  embed = function() return 0 end, -- a row is looked up
  fc_embed = function() return 1 end,
  att_embed = function(image) return image.regions end,
  ctx2att = function(image) return image.regions end,
  ["core.attention.alpha_net"] = function(image) return image.regions * image.words end,
}

--- How often each weight of a parameter is multiplied for one image with one caption. What this program computes once
-- for an image although a step uses it (the image vector's part of the attention LSTM) counts as in the equations.
-- @tparam string name of a parameter
-- @tparam table image regions; words, steps of the decoder, the one that ends the caption included
-- @treturn number 0 for biases
function UpDown.uses(_, name, image)
  local part, kind = name:match("^(.*)%.([^.]+)$")
  if not kind:find("^weight") then return 0 end
  local uses = USES[part] or USES[part:match("^[^.]+")]
  return uses and uses(image) or image.words
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

-- The rest of a step after the sum z of the attention LSTM, with a place for every result, see all_places.
function UpDown:advance_in(places, seen, w, state, z)
  local h1, c1 = lac.lstm_cell(z, state.c1, places.h1, places.c1)
  local context = self.attention(h1, seen, w.v, w.h2att, places)
  z = lac.linear {context, w.lang_v, h1, w.lang_h1, state.h2, w.lang_hh, onto = places.lang_z}
  local h2, c2 = lac.lstm_cell(z, state.c2, places.h2, places.c2)
  return {h1 = h1, c1 = c1, h2 = h2, c2 = c2}
end

-- Tensors for the results of all steps, a row per word, so that what several steps make need not be put together for
-- the classifier and for the gradients of weights. Sums begin as what does not depend on the steps before.
function UpDown:all_places(rows)
  local hidden, size = self.cfg.hidden, self.cfg.attention
  local function biases(bias, n)
    return bias:reshape(1, n):repeat_rows(rows)
  end
  return {lang_z = biases(self.lang_lstm:bias(), 4 * hidden),
          scored = biases(self.attention.h2att.bias:tensor(), size), context = lac.zeros {rows, hidden},
          h1 = lac.zeros {rows, hidden}, c1 = lac.zeros {rows, hidden},
          h2 = lac.zeros {rows, hidden}, c2 = lac.zeros {rows, hidden}}
end

local function zero_state(rows, hidden)
  return {h1 = lac.zeros {rows, hidden}, c1 = lac.zeros {rows, hidden},
          h2 = lac.zeros {rows, hidden}, c2 = lac.zeros {rows, hidden}}
end

-- What the words and the images give to the attention LSTM, for the words of all steps at once.
function UpDown:all_inputs(batch, seen, w, words)
  if batch.counts then
    local image = lac.embedding(seen.fc:linear(w.att_fc), batch.word_owners)
    return lac.linear {self.embed(words), w.att_word, bias = w.att_bias, add = image}
  end
  local steps, rows = batch.words:shape(1), batch.words:shape(2)
  local add = self:word_part(batch.words, w) + image_part(seen, w, rows // seen.images)
  return add:reshape(steps * rows, 4 * self.cfg.hidden)
end

-- For one step: the vectors of the words, and what the images give, a row per word; `image`, what the image vectors
-- give, where it was made before.
function UpDown:step_inputs(batch, seen, w, words, image)
  local rows = words:shape(1)
  image = image or seen.fc:linear(w.att_fc)
  if batch.owners then
    image = lac.embedding(image, batch.owners:slice(1, 1, rows))
  else
    image = image:repeat_rows(rows // seen.images)
  end
  return self.embed(words), image
end

--- Teacher forcing: the scores of every next word.
-- @tparam table batch as for encode, and either
--
-- * words: i32 [steps, captions] (time first), the ids fed at each step; the captions of an image lie together, each
--   image has as many
-- * or, captions in the order of their lengths, longest first: counts, how many there are at each step; words: i32
--   [sum of counts], step after step; owners: i32 [captions], the image of each, from 0; word_owners: i32 [sum of
--   counts], the same for each word; members: i32 [images, captions of an image], ascending
--
-- and maybe seen, what encode gave for these images; and sampling: the probability that a word after the first is drawn
-- by the model instead, with the generator rng; see nn.feeding
-- @treturn tensor logits [words, vocab], step after step
function UpDown:forward(batch)
  local held <close> = self:hold()
  local seen = ragged.seen(self, batch)
  if self:redraws() or feeding.samples(batch) then return self:forward_stepwise(batch, seen) end
  local counts, words = ragged.steps(batch)
  local prepared <close> = Prepared()
  local w = self:step_weights(prepared, Prepared.none)
  local places = self:all_places(words:shape(1))
  places.att_z = self:all_inputs(batch, seen, w, words)
  local state, at = zero_state(counts[1], self.cfg.hidden), 1
  for _, rows in ipairs(counts) do
    local here, before = ragged.rows(places, at, rows), ragged.first(state, rows)
    local z = lac.linear {before.h2, w.att_h2, before.h1, w.att_hh, onto = here.att_z}
    state, at = self:advance_in(here, seen, w, before, z), at + rows
  end
  return self.logit(self.output_dropout(places.h2))
end

-- The same with everything inside the time loop, see nn.feeding.
function UpDown:forward_stepwise(batch, seen)
  local counts, given = ragged.steps(batch)
  local fixed = not self:redraws() and self:step_weights(Prepared.none, Prepared.none)
  local image = fixed and seen.fc:linear(fixed.att_fc)
  local places, first = self:all_places(given:shape(1)), 1
  local state = zero_state(counts[1], self.cfg.hidden)
  return feeding.run(batch, "models.updown", function(rows, words)
    local w = fixed or self:step_weights(Prepared.none, Prepared.none)
    local before = ragged.first(state, rows)
    local x, add = self:step_inputs(batch, seen, w, words, image)
    local z = lac.linear {x, w.att_word, before.h2, w.att_h2, before.h1, w.att_hh, bias = w.att_bias, add = add}
    state, first = self:advance_in(ragged.rows(places, first, rows), seen, w, before, z), first + rows
    return self.logit(self.output_dropout(state.h2))
  end)
end

-- The same for the rows of a session, some of which may have been left.
local function session_image(session, w)
  if not session.left then return image_part(session.seen, w, session.each) end
  return lac.embedding(session.seen.fc:linear(w.att_fc), session.seen.owners)
end

--- Begin decoding, `each` captions per image at once.
-- @tparam table seen from encode
-- @tparam integer each
-- @treturn table a session for step; close it with session:close()
function UpDown:begin(seen, each)
  local prepared, held = Prepared(), self:hold()
  local session = {seen = seen, each = each, lang_bias = self.lang_lstm:bias()}
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

--- Go on with some of a session's rows.
-- @tparam table session from begin
-- @tparam tensor index i32, the rows, from 0
-- @tparam table owners the image of each, from 0
function UpDown.narrow(_, session, index, owners)
  session.seen, session.left = ragged.owned(session.seen, owners), true
  session.image = session.image and lac.embedding(session.image, index)
end

--- One step of decoding.
-- @tparam table session from begin
-- @tparam table state from begin or the step before
-- @tparam tensor words i32 [rows]
-- @treturn tensor logits [rows, vocab]
-- @treturn table the new state
function UpDown:step(session, state, words)
  local seen, w = session.seen, session.w or self:step_weights(Prepared.none, Prepared.none)
  local image = session.image or session_image(session, w)
  local z = lac.linear {state.h2, w.att_h2, state.h1, w.att_hh, add = self:word_part(words, w) + image}
  local h1, c1 = lac.lstm_cell(z, state.c1)
  local context = self.attention(h1, seen, w.v, w.h2att)
  z = lac.linear {context, w.lang_v, h1, w.lang_h1, state.h2, w.lang_hh, bias = session.lang_bias}
  local h2, c2 = lac.lstm_cell(z, state.c2)
  return self.logit(self.output_dropout(h2)), {h1 = h1, c1 = c1, h2 = h2, c2 = c2}
end

return UpDown
