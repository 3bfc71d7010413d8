--- What lacuna bench times: networks in the sizes of a paper, on random features and words that are the same in every
-- run.
-- @module cli.workload
local lac = require "lac"
local adam = require "optim.adam"
local beam = require "train.beam"
local checkpoint = require "train.checkpoint"
local sample = require "train.sample"
local scst = require "train.losses.scst"
local supermask = require "prune.supermask"
local vocab = require "data.vocab"

local workload = {}

-- A kind of network: its sizes by preset (paper: Tan, Chan and Chuah 2022, section 4; small: for devices), which of
-- them the model takes, settings of dropout as those models were trained, dense and with supermasks, settings of Adam,
-- its rate, and which inputs it has.
local KINDS = {
  updown = {
    presets = {
      paper = {vocab = 10001, embed = 1000, hidden = 1000, attention = 512, features = 2048, fc_features = 2048,
               images = 10, captions = 5, steps = 17, regions = 36},
      small = {vocab = 3000, embed = 96, hidden = 144, attention = 96, features = 2048, fc_features = 2048,
               images = 15, captions = 5, steps = 17, regions = 36},
    },
    sizes = {"vocab", "embed", "hidden", "attention", "features", "fc_features"},
    dropout = {none = {dropout = 0.5}, supermask = {dropout = 0.1}},
    adam = {eps = 1e-2, clip_value = 0.1}, rate = 0.01,
  },
  softattention = {
    presets = {
      paper = {vocab = 9962, embed = 256, hidden = 512, attention = 512, features = 832, fc_features = 1024,
               images = 32, captions = 1, steps = 13, regions = 196},
      small = {vocab = 3000, embed = 96, hidden = 144, attention = 96, features = 832, fc_features = 1024,
               images = 32, captions = 1, steps = 13, regions = 49},
    },
    sizes = {"vocab", "embed", "hidden", "attention", "features", "fc_features"},
    dropout = {none = {dropout = 0.35, attention_dropout = 0.1},
               supermask = {dropout = 0.11, attention_dropout = 0.03}},
    adam = {eps = 1e-2, form = "tensorflow", weight_decay = 1e-5}, rate = 0.01,
  },
  ort = {
    presets = {
      paper = {vocab = 10001, size = 512, inner = 2048, layers = 6, heads = 8, features = 2048,
               images = 15, captions = 5, steps = 17, regions = 36},
      small = {vocab = 3000, size = 104, inner = 416, layers = 2, heads = 8, features = 2048,
               images = 15, captions = 5, steps = 17, regions = 36},
    },
    sizes = {"vocab", "size", "inner", "layers", "heads", "features"},
    dropout = {none = {dropout = 0.5, inner_dropout = 0.1}, supermask = {dropout = 0.1, inner_dropout = 0.1 / 3}},
    adam = {beta2 = 0.98, eps = 1e-9, clip_value = 0.1}, rate = 1e-4, has_boxes = true,
  },
}

--- Names of networks.
workload.NAMES = {"ort", "softattention", "updown"}

--- Names of encoders of pictures.
workload.ENCODERS = {"googlenet", "mobilenet_v1", "mobilenet_v2"}

--- Names of sizes of them.
workload.PRESETS = {"paper", "small"}

--- Pictures that an encoder sees at once.
workload.PICTURES = 8

--- Images that are decoded at once.
workload.DECODED = 50

-- Self-critical steps: images and the captions drawn of each, and their words with the end: captions end after 7 to 14
-- words, as those of trained models do, since the words of a network with random weights hardly ever do.
local SELF_CRITICAL = {images = 5, captions = 15, steps = 14, shortest = 7}

--- The sizes of a network.
-- @tparam table args model, preset, loss
-- @treturn table
function workload.sizes(args)
  local sizes = KINDS[args.model].presets[args.preset]
  if args.loss ~= "scst" then return sizes end
  local own = {}
  for key, value in pairs(sizes) do own[key] = SELF_CRITICAL[key] or value end
  return own
end

--- Settings of its dropout.
-- @tparam table args model, prune
-- @treturn table
function workload.dropout(args)
  return KINDS[args.model].dropout[args.prune]
end

--- A network in training mode.
-- @tparam table args model, preset, prune
-- @treturn nn.Module
function workload.model(args)
  local kind, size, cfg = KINDS[args.model], workload.sizes(args), {name = args.model}
  for key, value in pairs(workload.dropout(args)) do cfg[key] = value end
  for _, key in ipairs(kind.sizes) do cfg[key] = size[key] end
  local model = checkpoint.build(cfg, "bench")
  model:initialise(lac.rng(1))
  return model:train(lac.rng(2))
end

local function make_images(args, images, rng)
  local size, batch = workload.sizes(args), {regions = {}}
  batch.att = rng:normal {images, size.regions, size.features}
  if size.fc_features then batch.fc = rng:normal {images, size.fc_features} end
  if KINDS[args.model].has_boxes then
    local corners = rng:uniform({images, size.regions, 2}, 0, 0.5)
    batch.boxes = lac.concat({corners, corners + rng:uniform({images, size.regions, 2}, 0.1, 0.5)}, 3)
  end
  for i = 1, images do batch.regions[i] = size.regions end
  return batch
end

-- Cross-entropy of random captions: a function that gives the loss under the current tape.
local function cross_entropy(model, batch, size, rng)
  local rows = size.images * size.captions
  batch.words = rng:integers({size.steps, rows}, size.vocab)
  batch.targets = rng:integers({size.steps * rows}, size.vocab)
  batch.weights = lac.zeros({size.steps * rows}):fill(1)
  return function() return lac.xent(model(batch), batch.targets, batch.weights) end
end

-- A data set as far as self-critical training looks at it: random words, and five references of ten words an image.
local function random_references(size, rng)
  local words, lists = {}, {}
  for i = 1, size.vocab - 4 do words[i] = "w" .. i end
  for i = 1, size.images do
    lists[i] = {}
    for j = 1, 5 do
      local text = {}
      for k = 1, 10 do text[k] = words[1 + rng:below(#words)] end
      lists[i][j] = table.concat(text, " ")
    end
  end
  return {vocab = vocab.from_words(words),
          rewards = function(_, weights) return lac.text.rewards(lists, weights) end}
end

-- The self-critical loss of captions that the network draws: step, which gives it under the current tape, and rewards,
-- which gives the seconds that the texts of the last step's captions and their rewards take when nothing else runs.
local function self_critical(model, batch, size, rng, clock)
  local loss, own = scst.new {samples = size.captions}, {}
  local at = {rng = lac.rng(5), length = size.steps, dataset = random_references(size, rng)}
  batch.images = {}
  for i = 1, size.images do batch.images[i] = i end
  function loss.draw(_, network, seen)
    local drawn = sample.captions(network, seen, {each = size.captions, length = size.steps, rng = at.rng})
    for r, caption in ipairs(drawn) do
      local last = SELF_CRITICAL.shortest + (7 * r) % (size.steps - SELF_CRITICAL.shortest + 1)
      for t = #caption.ids, last + 1, -1 do caption.ids[t] = nil end
    end
    return drawn
  end
  own.step = function() return (loss:of(model, batch, at)) end
  own.rewards = function()
    local start, images, texts = clock(), {}, {}
    for i, caption in ipairs(loss.last.captions) do
      images[i], texts[i] = (i - 1) // size.captions + 1, at.dataset.vocab:decode(caption.ids)
    end
    loss.rewards:score(images, texts)
    return clock() - start
  end
  return own
end

--- One training step: forward, cross-entropy, or the drawing of captions and their self-critical loss, backward,
-- clipping of gradients at 0.1 and Adam.
-- @tparam table args model, preset, prune, draw, loss
-- @tparam function clock
-- @treturn function () -> the loss, with the device idle
-- @treturn ?function () -> seconds that the rewards of the last step take by themselves
function workload.training(args, clock)
  local kind, size, rng = KINDS[args.model], workload.sizes(args), lac.rng(3)
  local model, batch, method = workload.model(args), make_images(args, size.images, rng), nil
  local rewarded = args.loss == "scst" and self_critical(model, batch, size, rng, clock)
  local caption_loss = rewarded and rewarded.step or cross_entropy(model, batch, size, rng)
  if args.prune == "supermask" then
    method = supermask.new {target = 0.975, draw = args.draw}
    method:attach(model)
    model:train(lac.rng(2))
  end
  local optimiser = adam.new(model:parameters(), kind.adam)
  return function()
    local tape <close> = lac.tape()
    local loss = caption_loss()
    if method then loss = loss + method:loss(model, {step = 50, steps = 100}) end
    tape:backward(loss)
    optimiser:step(kind.rate)
    if method then method:update(model) end
    model:zero_grad()
    return loss:item()
  end, rewarded and rewarded.rewards
end

--- The classes of pictures of 224x224, from numbers from 0 to 1 on; with `train`, in training mode and with the
-- gradients of all parameters.
-- @tparam table args model, train
-- @treturn function
function workload.encoding(args)
  local model = checkpoint.encoder({name = args.model, classes = 1000, norm = "training"}, "bench")
  model:initialise(lac.rng(1))
  local pictures = lac.rng(3):uniform {workload.PICTURES, 224, 224, 3}
  if not args.train then
    model:eval()
    return function()
      local scope <close> = lac.scope() -- luacheck: ignore 211
      return model:logits(pictures):totable()
    end
  end
  model:train(lac.rng(2))
  return function()
    local tape <close> = lac.tape()
    local loss = model:logits(pictures):square():sum()
    tape:backward(loss)
    model:zero_grad()
    return loss:item()
  end
end

--- Greedy captions of images, from their features on.
-- @tparam table args model, preset
-- @treturn function () -> lists of ids
function workload.decoding(args)
  local model, batch = workload.model(args):eval(), make_images(args, workload.DECODED, lac.rng(3))
  return function()
    local scope <close> = lac.scope() -- luacheck: ignore 211
    return beam.greedy(model, model:encode(batch), {length = workload.sizes(args).steps})
  end
end

return workload
