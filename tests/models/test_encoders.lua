local lac = require "lac"
local check = require "check"
local Googlenet = require "models.encoders.googlenet"
local MobilenetV1 = require "models.encoders.mobilenet_v1"
local MobilenetV2 = require "models.encoders.mobilenet_v2"
local Small = require "models.encoders.small"
local ruled = require "ruled"

local T = {}

-- What PyTorch computed: tests/golden/encoders.py.
local function golden()
  return lac.safetensors.read(check.settings.root .. "/tests/golden/encoders.safetensors")
end

local NETWORKS = {
  googlenet = function() return Googlenet {size = 96, classes = 10, norm = "training"} end,
  mobilenet_v2 = function() return MobilenetV2 {size = 96, classes = 10, width = 0.25, norm = "training"} end,
}

local function filled(kind)
  local model = NETWORKS[kind]()
  ruled.fill(model)
  return model, ruled.values(kind .. "/pictures7", {2, 96, 96, 3}, 0.5, 0.5)
end

local function compare_logits(kind)
  local want, model, pictures = golden(), filled(kind)
  local scope <close> = lac.scope() -- luacheck: ignore 211
  check.close(model:eval():logits(pictures), want[kind .. "/logits"], 1e-4) -- the bound of the issue, float32
  model:close()
end

-- Relative to the norm of a gradient, or to a small share of that of all where it is nothing but rounding.
local function compare_gradients(kind)
  local want, model, pictures = golden(), filled(kind)
  model:train(lac.rng(1))
  local total = 0
  for name, x in pairs(want) do
    if name:find("^" .. kind .. "/gradient/") then total = total + x:totable()[1] ^ 2 end
  end
  do
    local tape <close> = lac.tape()
    local loss = (model:logits(pictures) * ruled.values(kind .. "/probe", {2, 10})):sum()
    tape:backward(loss)
  end
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    for _, p in ipairs(model:parameters()) do
      local norm, product = table.unpack(want[kind .. "/gradient/" .. p.name]:totable())
      local got = p.param.value:grad()
      local near = 1e-3 * math.max(norm, 1e-4 * total ^ 0.5)
      check.close(got:square():sum():item() ^ 0.5, norm, near)
      check.close((got * ruled.values("gradient/" .. p.name, p.param.shape)):sum():item(), product, near)
    end
    for _, p in ipairs(model:tensors()) do
      local after = want[kind .. "/after/" .. p.name]
      if after then check.close(p.param.value, after, 1e-4) end
    end
  end
  model:close()
end

function T.googlenet_gives_the_logits_of_torchvision()
  compare_logits "googlenet"
end

function T.mobilenet_v2_gives_the_logits_of_torchvision()
  compare_logits "mobilenet_v2"
end

function T.googlenet_in_training_has_the_gradients_of_torchvision()
  compare_gradients "googlenet"
end

function T.mobilenet_v2_in_training_has_the_gradients_of_torchvision()
  compare_gradients "mobilenet_v2"
end

-- A model with values.
local function made(class, cfg)
  local model = class(cfg)
  model:initialise(lac.rng(1))
  return model
end

local function shapes_of(model)
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local size = model.cfg.size
  local att, fc = model:eval()(lac.rng(2):uniform {2, size, size, 3})
  return att:shape(), fc:shape()
end

function T.positions_and_features_are_those_of_the_maps()
  local cases = {
    {Googlenet, {width = 0.125, size = 96}, {6, 6}, 104, 128},
    {Googlenet, {width = 0.125, size = 96, padding = "same"}, {6, 6}, 104, 128},
    {MobilenetV1, {width = 0.25, size = 64}, {2, 2}, 256, 256},
    {MobilenetV1, {width = 0.25, size = 64, padding = "torch"}, {2, 2}, 256, 256},
    {MobilenetV2, {width = 0.25, size = 64}, {2, 2}, 1280, 1280},
    {Small, {size = 64, channels = {4, 8, 12}}, {8, 8}, 12, 12},
  }
  for _, case in ipairs(cases) do
    local class, cfg, positions, features, fc = table.unpack(case)
    local model = made(class, cfg)
    check.equal(model.positions, positions)
    check.equal({model.features, model.fc_features}, {features, fc})
    local att_shape, fc_shape = shapes_of(model)
    check.equal(att_shape, {2, positions[1] * positions[2], features})
    check.equal(fc_shape, {2, fc})
    model:close()
  end
end

function T.the_published_sizes_are_the_defaults()
  local model = Googlenet {}
  check.equal({model.positions, model.features, model.fc_features}, {{14, 14}, 832, 1024})
  check.equal(model.pictures, {size = 224, resize = 256, keep_aspect = false, grid = "half_pixel"})
  local masked, kernels = 0, 0
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then masked, kernels = masked + p.param:numel(), kernels + 1 end
  end
  check.equal({masked, kernels}, {5585344, 57}) -- Inception-V1 kernels of the publication
  check.equal({MobilenetV1({}).positions, MobilenetV1({}).features}, {{7, 7}, 1024})
  check.equal({MobilenetV2({}).positions, MobilenetV2({}).features}, {{7, 7}, 1280})
end

function T.only_kernels_and_the_classifier_may_be_masked()
  for _, class in ipairs {Googlenet, MobilenetV1, MobilenetV2, Small} do
    for _, p in ipairs(class {classes = 3}:parameters()) do
      check.equal({p.name, p.param.maskable}, {p.name, #p.param.shape > 1})
    end
  end
end

function T.multiplications_are_counted_by_position()
  local model = Small {size = 32, channels = {2, 3}, classes = 4}
  -- 32 -> 16, 16 -> 8, 8
  check.equal(model:uses "features.0.0.0.weight", 256)
  check.equal(model:uses "features.1.1.0.weight", 64)
  check.equal(model:uses "classifier.1.weight", 1)
  check.equal(model:uses "features.0.0.1.weight", 0)
  check.equal(model:uses "features.0.0.1.running_mean", 0)
  local total, v1 = 0, MobilenetV1 {classes = 1000}
  for _, p in ipairs(v1:parameters()) do total = total + v1:uses(p.name) * p.param:numel() end
  check.equal(math.floor(total / 1e6 + 0.5), 569) -- million multiply-accumulates, table 4 of the paper
end

function T.frozen_statistics_stay_and_training_ones_move()
  for norm, moves in pairs {frozen = false, training = true} do
    local model = made(Small, {size = 32, channels = {2}, norm = norm})
    model:train(lac.rng(1))
    do
      local scope <close> = lac.scope() -- luacheck: ignore 211
      model(lac.rng(2):uniform {2, 32, 32, 3})
      local mean = model:tensors()[4]
      check.equal(mean.name, "features.0.0.1.running_mean")
      check.equal(mean.param.value:abs():max():item() > 0, moves)
    end
    model:close()
  end
end

function T.folding_gives_the_same_numbers()
  local model, folded = made(Small, {size = 32, channels = {3}}), Small {size = 32, channels = {3}, norm = "folded"}
  do
    local values = {}
    for _, p in ipairs(model:tensors()) do values[p.name] = p.param.value end
    local rng = lac.rng(5)
    local scope <close> = lac.scope()
    local found = {}
    for i = 0, 1 do
      local conv, norm = ("features.0.%d.0."):format(i), ("features.0.%d.1."):format(i)
      values[norm .. "running_mean"]:copy(rng:uniform({3}, -1, 1))
      values[norm .. "bias"]:copy(rng:uniform({3}, -1, 1))
      local factor = values[norm .. "weight"] / (values[norm .. "running_var"] + 1e-5):sqrt()
      found[conv .. "weight"] = values[conv .. "weight"] * factor:reshape(3, 1, 1, 1)
      found[conv .. "bias"] = values[norm .. "bias"] - values[norm .. "running_mean"] * factor
    end
    for name, x in pairs(found) do found[name] = scope:keep(x) end
    folded:load(found)
  end
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local pictures = lac.rng(6):uniform {2, 32, 32, 3}
    local att, fc = model:eval()(pictures)
    local folded_att, folded_fc = folded:eval()(pictures)
    check.close(folded_att, att, 1e-5)
    check.close(folded_fc, fc, 1e-5)
  end
  model:close()
  folded:close()
end

function T.pictures_become_what_the_network_wants()
  local pictures <close> = lac.tensor {{0, 0.5, 1}}
  local wants = {symmetric = {-1, 0, 1}, byte = {-1, 127.5 / 128 - 1, 255 / 128 - 1}, unit = {0, 0.5, 1},
                 imagenet = {-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225}}
  for input, want in pairs(wants) do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local model = Small {size = 32, input = input}
    local x = model:read(pictures:reshape(1, 3):repeat_rows(32 * 32):reshape(1, 32, 32, 3))
    check.close(x:slice(2, 1, 1):slice(3, 1, 1):reshape(3), want, 1e-6)
  end
end

function T.settings_that_cannot_be_are_refused()
  check.fails('models.encoders.googlenet: unknown key "sizes"; did you mean "size"%?', Googlenet, {sizes = 3})
  check.fails('norm must be one of frozen, training, folded, got "frosen"; did you mean "frozen"%?', Googlenet,
    {norm = "frosen"})
  check.fails("size must be a whole number from 32 to 4096, got 16", MobilenetV1, {size = 16})
  check.fails("resize must be at least size, got 100 and 128", Small, {resize = 100})
  check.fails("width must be above 0 and at most 16, got 0", MobilenetV2, {width = 0})
  check.fails("channels must be a list of 1 to 8 numbers, got 0", Small, {channels = {}})
  check.fails("channels%[1%] must be a whole number from 1 to 4096, got 0.5", Small, {channels = {0.5}})
  check.fails("eps must be above 0", Small, {eps = 0})
end

function T.pictures_of_another_shape_are_refused()
  local model = made(Small, {size = 32, channels = {2}})
  local x <close> = lac.zeros {1, 32, 16, 3}
  check.fails("pictures have the shape %[images, 32, 32, 3%], got %[1, 32, 16, 3%]", model, x)
  local y <close> = lac.zeros {1, 32, 32, 3}
  check.fails("this encoder has no classifier", model.logits, model, y)
  model:close()
end

return T
