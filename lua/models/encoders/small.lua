--- A small network for training from scratch: 3x3 convolutions, every second of which halves the sides.
-- @module models.encoders.small
local class = require "core.class"
local config = require "core.config"
local Encoder = require "models.encoders.base"
local Module = require "nn.module"
local Sequential = require "nn.sequential"
local whole = require "core.whole"

local Small = class("Small", Encoder)

Small.label = "models.encoders.small"

--- As for models.encoders.base; channels: of each stage, two convolutions that halve the sides together.
Small.defaults = Encoder.settings {size = 128, norm = "training", eps = 1e-5,
                                   channels = config.either {32, 64, 128, 256}}

local MOST = 4096 -- channels; beyond, a file or recipe is wrong

function Small:init(cfg)
  Module.init(self)
  cfg = self:check(cfg)
  if #cfg.channels < 1 or #cfg.channels > 8 then
    error(("%s: channels must be a list of 1 to 8 numbers, got %d"):format(self.label, #cfg.channels), 0)
  end
  local block, stages, inputs = Encoder.blocks(cfg, {}), {}, 3
  for i, n in ipairs(cfg.channels) do
    local key = ("channels[%d]"):format(i)
    whole({[key] = n}, {key}, self.label, 1, MOST)
    stages[i] = Sequential {block(inputs, n, 3, {stride = 2}), block(n, n, 3)}
    inputs = n
  end
  self:add("features", Sequential(stages))
  self:build(cfg, {stages = stages, grid = #stages, features = inputs, fc_features = inputs,
                   classifier = {self:add("classifier", Module()), "1"}})
end

return Small
