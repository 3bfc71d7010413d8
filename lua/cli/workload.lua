--- What lacuna bench times: networks in the sizes of a paper, on random features and words that are the same in every
-- run.
-- @module cli.workload
local lac = require "lac"
local adam = require "optim.adam"
local beam = require "train.beam"
local checkpoint = require "train.checkpoint"
local supermask = require "prune.supermask"

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

--- Names of sizes of them.
workload.PRESETS = {"paper", "small"}

--- Images that are decoded at once.
workload.DECODED = 50

--- The sizes of a network.
-- @tparam table args model, preset
-- @treturn table
function workload.sizes(args)
  return KINDS[args.model].presets[args.preset]
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

--- One training step: forward, cross-entropy, backward, clipping of gradients at 0.1 and Adam.
-- @tparam table args model, preset, prune, draw
-- @treturn function () -> the loss, with the device idle
function workload.training(args)
  local kind, size, rng = KINDS[args.model], workload.sizes(args), lac.rng(3)
  local model, batch, method = workload.model(args), make_images(args, size.images, rng), nil
  local rows = size.images * size.captions
  batch.words = rng:integers({size.steps, rows}, size.vocab)
  batch.targets = rng:integers({size.steps * rows}, size.vocab)
  batch.weights = lac.zeros({size.steps * rows}):fill(1)
  if args.prune == "supermask" then
    method = supermask.new {target = 0.975, draw = args.draw}
    method:attach(model)
    model:train(lac.rng(2))
  end
  local optimiser = adam.new(model:parameters(), kind.adam)
  return function()
    local tape <close> = lac.tape()
    local loss = lac.xent(model(batch), batch.targets, batch.weights)
    if method then loss = loss + method:loss(model, {step = 50, steps = 100}) end
    tape:backward(loss)
    optimiser:step(kind.rate)
    if method then method:update(model) end
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
