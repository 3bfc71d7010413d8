--- MobileNet-V1: depthwise convolutions, each followed by a 1x1 one.
-- Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications", table 1.
-- Parameter names are in the style of torchvision's MobileNet-V2: features.0 is the first convolution, features.1 to
-- features.13 hold the depthwise one as 0 and the 1x1 one as 1.
-- @module models.encoders.mobilenet_v1
local class = require "core.class"
local Encoder = require "models.encoders.base"
local Module = require "nn.module"
local Sequential = require "nn.sequential"

local MobileNetV1 = class("MobileNetV1", Encoder)

MobileNetV1.label = "models.encoders.mobilenet_v1"

--- As for models.encoders.base; width: channels as a multiple of the published ones.
MobileNetV1.defaults = Encoder.settings {width = 1, padding = "same"}

-- Channels and stride of each pair; the first convolution has 32 channels.
local PAIRS = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1},
               {512, 1}, {1024, 2}, {1024, 1}}

function MobileNetV1:init(cfg)
  Module.init(self)
  cfg = self:check(cfg)
  local block = Encoder.blocks(cfg, {activation = "relu6"})
  local function wide(n) return math.max(8, math.floor(n * cfg.width)) end
  local channels = wide(32)
  local stages = {block(3, channels, 3, {stride = 2})}
  for _, pair in ipairs(PAIRS) do
    local outputs, stride = wide(pair[1]), pair[2]
    stages[#stages + 1] = Sequential {block(channels, channels, 3, {stride = stride, groups = channels}),
                                      block(channels, outputs, 1)}
    channels = outputs
  end
  self:add("features", Sequential(stages))
  self:build(cfg, {stages = stages, grid = #stages, features = channels, fc_features = channels,
                   classifier = {self:add("classifier", Module()), "1"}})
end

return MobileNetV1
