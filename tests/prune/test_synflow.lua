--- SynFlow: products along paths in plain Lua, what is conserved, and the real model.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local class = require "core.class"
local files = require "files"
local pictures = require "pictures"
local plain = require "prune.plain"
local runs = require "runs"
local toy = require "toy"
local Dropout = require "nn.dropout"
local Linear = require "nn.linear"
local Module = require "nn.module"

local T = {}

-- Linear layers with ReLU between them, from the image's vector.
local Chain = class("Chain", Module)

function Chain:init(sizes)
  Module.init(self)
  self.layers, self.drop = {}, self:add("drop", Dropout(0.5))
  for i = 1, #sizes - 1 do
    self.layers[i] = self:add(("layer%d"):format(i), Linear {inputs = sizes[i], outputs = sizes[i + 1]})
  end
end

function Chain:forward(batch)
  local x = batch.fc
  for i, layer in ipairs(self.layers) do x = layer(i > 1 and self.drop(x:relu()) or x) end
  return x
end

local SIZES = {5, 8, 7, 4}

local function chain(seed)
  local model = Chain(SIZES)
  model:initialise(lac.rng(seed))
  return model
end

local function weights(model)
  local out = {}
  for i, layer in ipairs(model.layers) do out[i] = bare.flat(layer.weight.value) end
  return out
end

local function masks_of(model)
  local out = {}
  for i, layer in ipairs(model.layers) do out[i] = bare.flat(layer.weight.mask.values) end
  return out
end

-- Rows of |w| m times a vector, or columns.
local function times(list, rows, columns, x, transposed)
  local out = {}
  for i = 1, transposed and columns or rows do
    out[i] = 0
    for j = 1, transposed and rows or columns do
      out[i] = out[i] + list[transposed and (j - 1) * columns + i or (i - 1) * columns + j] * x[j]
    end
  end
  return out
end

local function ones(n)
  local out = {}
  for i = 1, n do out[i] = 1 end
  return out
end

-- |w dR/dw| where R is the product of all |w| m with ones at both ends.
local function scores_of(w, masks)
  local a = plain.map(function(x, m) return math.abs(x) * m end, w, masks)
  local before, after = {ones(SIZES[1])}, {[#w] = ones(SIZES[#w + 1])}
  for i = 1, #w - 1 do before[i + 1] = times(a[i], SIZES[i + 1], SIZES[i], before[i]) end
  for i = #w, 2, -1 do after[i - 1] = times(a[i], SIZES[i + 1], SIZES[i], after[i], true) end
  local out = {}
  for i, list in ipairs(a) do
    out[i] = {}
    for j, x in ipairs(list) do
      local row, column = (j - 1) // SIZES[i] + 1, (j - 1) % SIZES[i] + 1
      out[i][j] = x * after[i][row] * before[i][column]
    end
  end
  return out
end

local function view(training)
  return training:view {vocab = 2, batch = function()
    return {fc = lac.zeros {3, SIZES[1]}, att = lac.zeros {3, 2, 2}}
  end}
end

function T.masks_of_a_chain_agree_over_all_iterations()
  for seed, target in ipairs {0.5, 0.9, 0.97} do
    local model = chain(seed)
    local training <close> = bare.training(model, "synflow", {target = target})
    local w = weights(model)
    training.pruner:begin(view(training))
    local masks = plain.map(function() return 1 end, w)
    for i = 1, 100 do
      local k = math.floor((i == 100 and target or 1 - (1 - target) ^ (i / 100)) * 124)
      local s = plain.map(function(x, m) return m == 0 and -1 or x end, scores_of(w, masks), masks)
      masks = plain.smallest(s, k)
    end
    check.equal(masks_of(model), masks)
    for i, list in ipairs(masks) do check.yes(plain.sum {list} > 0, "layer " .. i .. " is empty") end
  end
end

-- What flows through a layer is the same for all: R.
function T.flow_is_conserved_from_layer_to_layer()
  local model = chain(4)
  local training <close> = bare.training(model, "synflow", {target = 0.5, iterations = 1})
  training.pruner:begin(view(training))
  local sums = {}
  for i, part in ipairs(training.pruner.active) do sums[i] = plain.sum {bare.flat(part.s)} end
  check.close(sums[2] / sums[1], 1, 1e-5)
  check.close(sums[3] / sums[1], 1, 1e-5)
end

-- Two inputs, two hidden, one output, |w| 1 .. 6: R = (1 + 2) 5 + (3 + 4) 6 = 57, and each weight's share of it is
-- 5, 10, 18, 24; 15, 42.
function T.these_three_weights_go()
  SIZES = {2, 2, 1}
  local model = Chain(SIZES)
  model:initialise(lac.rng(1))
  for i, w in ipairs {{{1, -2}, {3, 4}}, {{-5, 6}}} do
    local x <close> = lac.tensor(w)
    model.layers[i].weight.value:copy(x)
  end
  local training <close> = bare.training(model, "synflow", {target = 0.5, iterations = 1})
  training.pruner:begin(view(training))
  SIZES = {5, 8, 7, 4}
  check.equal(masks_of(model), {{0, 0, 1, 1}, {0, 1}})
  local s = {}
  for i, part in ipairs(training.pruner.active) do s[i] = bare.flat(part.s) end
  for i, want in ipairs {{5, 10, 18, 24}, {15, 42}} do
    for j, x in ipairs(want) do check.close(s[i][j] / s[1][1], x / 5, 1e-5) end
  end
end

-- The real model ------------------------------------------------------------------------------------------------

local function bits(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do out[i] = p.param.value:tobytes() end
  return out
end

function T.an_up_down_model_has_flow_everywhere_and_is_left_as_it_was()
  files.with_folder(function(folder)
    local run = runs.build(toy.recipe(folder), folder .. "/run", {"prune.method=synflow", "prune.target=0.9",
                                                                 "prune.iterations=1"})
    local before = bits(run.model)
    run.model:train(lac.rng(3))
    run.loop:begin()
    check.equal(bits(run.model), before)
    check.yes(run.model.training)
    for _, part in ipairs(run.pruner.active) do
      local x <close> = part.s:max()
      check.yes(x:item() > 0 and x:item() < math.huge, "no flow through " .. part.name)
      check.equal(part.param.value:grad(), nil)
    end
    check.equal(require("prune.stats").of(run.model).kept, 451) -- of 4502
    run.model:eval()
    run.loop:begin()
    check.yes(not run.model.training)
    run:close()
  end)
end

-- All that is seen comes through the encoder's convolutions, one behind the other, so as much flows through each.
function T.an_encoder_of_pictures_has_flow_and_conserves_it()
  files.with_folder(function(folder)
    local recipe = pictures.recipe(folder, (pictures.data(folder, 16)))
    for _, name in ipairs {"updown", "softattention", "ort"} do
      local sizes = name == "ort" and "{name='ort', size=8, heads=2, layers=1, inner=12}"
        or ("{name=%q, embed=8, hidden=12, attention=6}"):format(name)
      local run = runs.build(recipe, folder .. "/run", {"model=" .. sizes, "prune.method=synflow", "prune.target=0.9",
        "prune.iterations=1", "model.encoder={name='small', size=32, channels={4, 6}}"})
      local before, sums = bits(run.model), {}
      run.loop:begin()
      check.equal(bits(run.model), before)
      check.equal(rawget(run.model.encoder, "forward"), nil)
      for _, part in ipairs(run.pruner.active) do
        local x <close> = part.s:max()
        check.yes(x:item() > 0 and x:item() < math.huge, "no flow through " .. part.name)
        if part.name:find "^encoder" then sums[#sums + 1] = plain.sum {bare.flat(part.s)} end
      end
      check.equal(#sums, 4)
      for i = 2, 4 do check.close(sums[i] / sums[1], 1, 1e-4) end -- sums of thousands of numbers
      run:close()
    end
  end)
end

return T
