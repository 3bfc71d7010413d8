--- Weights go before training, without data, by how much of a flow through the network they carry.
--
-- All weights are taken as |w|, all features as ones, and R is the sum of the outputs; a weight is worth |w dR/dw|.
-- A hundred times the network is looked at and the smallest go, each time the same share of those left, so that no
-- layer is emptied while others are full. Weights and mode are put back bit for bit.
--
-- For layers of weights and ReLU this is exact: Tanaka, Kunin, Yamins and Ganguli 2020, "Pruning neural networks
-- without any data by iteratively conserving synaptic flow", equation 3 and algorithm 1. Biases are left out, as they
-- bring a flow of their own. What else a captioning model has is only approximate, since R is no product of weights
-- there:
--
-- * Gates and tanh would stand still at such inputs. So every tensor is divided by what one output sums on average,
--   which takes nothing from the order of the scores of plain layers: each path has each tensor's factor once.
-- * A normalised row of equal values is zero, and carries nothing. So rows are taken as they are in place of layer
--   normalisation, and maps in place of batch normalisation; the residuals around them only add.
-- * Words cannot be ones: every word of the vocabulary begins a caption of three words, those after it follow it.
-- * Attention cannot tell equal regions apart, and its weights would carry nothing: region r is ones over r. Behind an
--   encoder of pictures position r is what it makes of a white picture, over r.
-- @module prune.synflow
local lac = require "lac"
local BatchNorm = require "nn.batch_norm"
local LayerNorm = require "nn.layer_norm"

local STEPS = 3 -- words of a caption: recurrent weights see a state from the second on
local OUTPUTS = 10000000 -- at once

-- The value of every parameter as the flow sees it.
local function linearise(model)
  for _, p in ipairs(model:parameters()) do
    local param = p.param
    if param.maskable then
      local mean = lac.map("fabs(w)", {w = param:tensor()}):mean()
      lac.map("c > 0 ? fabs(w) / c : 0", {w = param.value, c = mean:scale(param.fan)}, param.value)
    else
      param.value:fill(0)
    end
  end
end

local function as_it_is(_, x)
  return x
end

-- Let normalisation pass its rows on, with as_it_is, or again do its work, with nil.
local function pass_norms(module, forward)
  if module:is(LayerNorm) or module:is(BatchNorm) then module.forward = forward end
  for _, part in ipairs(module.parts) do
    if part.module then pass_norms(part.module, forward) end
  end
end

-- One over the number of each region: [1, regions, 1].
local function distances(regions)
  local far = {}
  for r = 1, regions do far[r] = 1 / r end
  return lac.tensor(far):reshape(1, regions, 1)
end

-- What an encoder gives, its positions over their number.
local function tell_apart(encoder, pictures)
  local att, fc = getmetatable(encoder).forward(encoder, pictures)
  return att * distances(att:shape(2)), fc
end

-- What there is to see: one image of ones.
local function one_image(like)
  if like.pictures then
    local size = like.pictures:shape(2)
    return {pictures = lac.zeros({1, size, size, 3}):fill(1)}
  end
  local regions = like.att:shape(2)
  return {
    fc = lac.zeros({1, like.fc:shape(2)}):fill(1),
    att = lac.zeros({1, regions, like.att:shape(3)}):fill(1) * distances(regions),
    boxes = like.boxes and like.boxes:slice(1, 1, 1),
  }
end

-- That image, and captions that begin with the words first .. last (from 0).
local function ones(like, vocab, first, last)
  local words, batch = {}, one_image(like)
  for t = 1, STEPS do
    words[t] = {}
    for word = first, last do words[t][word - first + 1] = (word + t - 1) % vocab end
  end
  batch.words = lac.tensor(words, "i32")
  return batch
end

-- Gradients of R stay on the parameters.
local function flow(model, like, vocab)
  local many = math.max(1, OUTPUTS // (STEPS * vocab))
  for first = 0, vocab - 1, many do
    local tape <close> = lac.tape()
    tape:backward(model:forward(ones(like, vocab, first, math.min(vocab, first + many) - 1)):sum())
  end
end

local function measure(pruner, run)
  local scope <close> = lac.scope()
  local model, start = pruner.model, {}
  local training, rng = model.training, model.rng
  for i, p in ipairs(model:parameters()) do start[i] = p.param.value:clone() end
  model:eval()
  model:zero_grad()
  linearise(model)
  pass_norms(model, as_it_is)
  if model.encoder then model.encoder.forward = tell_apart end
  flow(model, run.batch(1), run.vocab)
  if model.encoder then model.encoder.forward = nil end
  pass_norms(model, nil)
  for _, part in ipairs(pruner.active) do
    lac.map("fabs(w * g)", {w = part.param.value, g = pruner:value_of(part, "g")}, part.s)
  end
  model:zero_grad()
  for i, p in ipairs(model:parameters()) do p.param.value:copy(start[i]) end
  if training then model:train(rng) end
end

return require "prune.preset" ("prune.synflow", {score = "s", iterations = 100}, {measure = measure})
