local lac = require "lac"
local check = require "check"
local Ort = require "models.ort"
local Small = require "models.encoders.small"
local UpDown = require "models.updown"
local attach = require "models.encoders.attach"
local checkpoint = require "train.checkpoint"
local files = require "files"
local sizes = require "train.sizes"
local stats = require "prune.stats"
local supermask = require "prune.supermask"

local T = {}

local CONFIG = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, dropout = 0,
                encoder = {name = "small", size = 32, channels = {2, 3}}}

local function updown(more)
  local cfg = {}
  for key, value in pairs(CONFIG) do cfg[key] = value end
  cfg.encoder = {}
  for key, value in pairs(CONFIG.encoder) do cfg.encoder[key] = value end
  for key, value in pairs(more or {}) do cfg.encoder[key] = value end
  local model = checkpoint.build(cfg, "test")
  model:initialise(lac.rng(1))
  return model, cfg
end

local function batch_of(pictures)
  return {pictures = pictures, words = lac.tensor({{1, 2}, {3, 4}}, "i32")}
end

function T.pictures_give_what_their_features_give()
  local model = updown():eval()
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local batch = batch_of(lac.rng(2):uniform {2, 32, 32, 3})
    local att, fc = model.encoder(batch.pictures)
    local with_features = model(setmetatable({att = att, fc = fc, words = batch.words}, nil))
    check.equal(model(batch), with_features)
    check.equal(batch.att, nil) -- the batch stays as it was
  end
  model:close()
end

function T.a_model_that_looks_at_boxes_gets_those_of_the_cells()
  local model = attach(Ort {vocab = 7, size = 8, inner = 8, layers = 1, heads = 2, features = 3},
    Small {size = 32, channels = {3, 3}})
  model:initialise(lac.rng(1))
  model:eval()
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local seen
    function model.relations(self, batch)
      seen = batch.boxes
      return Ort.relations(self, batch)
    end
    model(batch_of(lac.rng(2):uniform {2, 32, 32, 3}))
    check.equal(seen:shape(), {2, 64, 4})
    check.close(seen:totable()[2][10], {1 / 8, 1 / 8, 2 / 8, 2 / 8}, 1e-6)
  end
  model:close()
end

local function gradients(more)
  local model = updown(more)
  model:train(lac.rng(3))
  local count, moved = 0, nil
  do
    local tape <close> = lac.tape()
    tape:backward(model(batch_of(lac.rng(2):uniform {2, 32, 32, 3})):sum())
    for _, p in ipairs(model:parameters()) do
      local grad <close> = p.param.value:grad()
      if grad and p.name:find "^encoder%." then count = count + 1 end
    end
    for _, p in ipairs(model:tensors()) do
      if p.name == "encoder.features.0.0.1.running_mean" then moved = p.param.value:abs():max():item() > 0 end
    end
  end
  model:zero_grad()
  model:close()
  return count, moved
end

function T.gradients_reach_the_encoder_unless_it_is_frozen()
  check.equal({gradients()}, {12, true})
  check.equal({gradients {frozen = true}}, {0, false})
end

-- What a training step leaves of the statistics of an encoder whose parameters named so are frozen.
local function statistics(pattern)
  local model, values = updown {norm = "training"}, {}
  for _, p in ipairs(model:parameters()) do
    if p.name:find(pattern) then p.param.value:requires_grad(false) end
  end
  model:train(lac.rng(3))
  do
    local tape <close> = lac.tape() -- luacheck: ignore 211
    model(batch_of(lac.rng(2):uniform {2, 32, 32, 3}))
    for _, p in ipairs(model:tensors()) do
      if p.name:find "%.running_" then
        local start = p.name:find "_var$" and 1 or 0
        for _, x in ipairs(p.param.value:totable()) do values[#values + 1] = x == start end
      end
    end
  end
  model:close()
  return values
end

function T.statistics_of_frozen_weights_stay()
  local still, moving = statistics "^encoder%.", statistics "^logit%."
  check.yes(#still > 0)
  for i = 1, #still do check.equal({still[i], moving[i]}, {true, false}) end
end

function T.pruning_leaves_a_frozen_encoder_out()
  local model = updown {frozen = true}
  local method = supermask.new {target = 0.5, freeze = {"encoder.*"}, rounded = {"encoder.*"}}
  method:attach(model)
  local whole = 0
  for _, p in ipairs(model:parameters()) do
    local own = p.name:find "^encoder%." ~= nil
    check.equal(p.param.mask ~= nil, p.param.maskable and not own, p.name)
    if p.param.mask then whole = whole + p.param:numel() end
  end
  local found = stats.of(model)
  check.equal({method.whole, method.size, found.size}, {whole, whole, whole})
  for _, layer in ipairs(found) do check.yes(not layer.name:find "^encoder%.", layer.name) end
  check.equal(sizes.of(model).total.maskable_size, whole)
  method:close()
  model:close()
end

function T.parameters_of_both_can_be_masked_and_are_saved()
  local model, cfg = updown()
  files.with_folder(function(folder)
    local last = model:parameters()
    check.equal(last[#last].name, "encoder.features.1.1.1.bias")
    local kernel
    for _, p in ipairs(last) do
      if p.name == "encoder.features.1.0.0.weight" then kernel = p.param end
    end
    kernel:set_mask(lac.zeros(kernel.shape))
    local config = {model = cfg, decode = {length = 5}}
    checkpoint.save(folder .. "/m.h5", {model = model, config = config, form = "masked"})
    local found = checkpoint.load(folder .. "/m.h5")
    local names = {}
    for _, p in ipairs(found.model:tensors()) do names[p.name] = p.param end
    check.equal(names["encoder.features.0.0.1.running_var"].value, {1, 1})
    check.yes(names["encoder.features.1.0.0.weight"].mask)
    found.model:close()
    local status, text = check.run("info " .. folder .. "/m.h5")
    check.yes(status == 0, text)
    check.yes(text:find("encoder +channels 2, 3, size 32\n  pictures +32x32, cut from 36; 8x8 positions of 3 features"),
      text)
    check.yes(text:find("encoder%.features%.0%.0%.1%.running_var +2 +2 +not trained +dense +8 "), text)
    check.yes(text:find "MACs for an image of 64 regions", text)
  end)
  model:close()
end

function T.wrong_settings_of_the_encoder_are_refused()
  check.fails('test: there is no encoder of pictures "smal" in this program', updown, {name = "smal"})
  check.fails("test: the encoder of a captioning model has no classifier", updown, {classes = 3})
  check.fails("test: model.features is 7, but the encoder small gives 3", checkpoint.build,
    {name = "updown", vocab = 7, features = 7, encoder = CONFIG.encoder}, "test")
  check.fails("model.encoder must be a table", checkpoint.build, {name = "updown", vocab = 7, encoder = 3}, "test")
  local model = updown()
  check.fails("has an encoder already", attach, model, Small {})
  model:close()
end

function T.uses_of_both_are_counted()
  local model = UpDown {vocab = 7, embed = 3, hidden = 4, attention = 3, features = 3, fc_features = 3}
  attach(model, Small {size = 32, channels = {3}})
  check.equal(model:uses("encoder.features.0.0.0.weight", {regions = 4, words = 2}), 256)
  check.equal(model:uses("att_embed.0.weight", {regions = 4, words = 2}), 4)
end

return T
