--- MobileNet-V2: inverted residuals with linear bottlenecks.
-- Sandler, Howard, Zhu, Zhmoginov and Chen 2018, "MobileNetV2: inverted residuals and linear bottlenecks", table 2.
-- Parameter names are torchvision's.
-- @module models.encoders.mobilenet_v2
local class = require "core.class"
local Encoder = require "models.encoders.base"
local Module = require "nn.module"
local Sequential = require "nn.sequential"

local MobileNetV2 = class("MobileNetV2", Encoder)

MobileNetV2.label = "models.encoders.mobilenet_v2"

--- As for models.encoders.base; width: channels as a multiple of the published ones.
MobileNetV2.defaults = Encoder.settings {width = 1, eps = 1e-5, input = "imagenet"}

-- Expansion, channels, how many, stride of the first.
local ROWS = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}

-- The nearest multiple of 8, but not below nine tenths.
local function round8(n)
  local rounded = math.max(8, math.floor(n + 4) // 8 * 8)
  return rounded < 0.9 * n and rounded + 8 or rounded
end

-- Widen by a 1x1 convolution, a depthwise one, narrow by a 1x1 one without activation; added to x where it fits.
local Inverted = class("InvertedResidual", Module)

function Inverted:init(inputs, outputs, how, block)
  Module.init(self)
  local inner, conv = inputs * how.expansion, self:add("conv", Module())
  self.chain, self.adds = {}, how.stride == 1 and inputs == outputs
  local function add(made, index)
    self.chain[#self.chain + 1] = index and conv:add(tostring(index), made) or made
  end
  if how.expansion > 1 then add(block(inputs, inner, 1), 0) end
  local at = #self.chain
  add(block(inner, inner, 3, {stride = how.stride, groups = inner}), at)
  add(block(inner, outputs, 1, {activation = false, names = {tostring(at + 1), tostring(at + 2)}}, conv))
end

function Inverted:forward(x)
  local y = x
  for _, module in ipairs(self.chain) do y = module(y) end
  return self.adds and x + y or y
end

function Inverted:spread(height, width, note)
  for _, module in ipairs(self.chain) do height, width = module:spread(height, width, note) end
  return height, width
end

--- Channels after the first convolution and after each block, at a width.
-- @tparam number width
-- @treturn table from 0 to 17
function MobileNetV2.channels(width)
  local list, stage = {[0] = round8(32 * width)}, 0
  for _, row in ipairs(ROWS) do
    for _ = 1, row[3] do
      stage = stage + 1
      list[stage] = round8(row[2] * width)
    end
  end
  return list
end

function MobileNetV2:init(cfg)
  Module.init(self)
  cfg = self:check(cfg)
  local block = Encoder.blocks(cfg, {activation = "relu6"})
  local channels, last = round8(32 * cfg.width), round8(1280 * math.max(1, cfg.width))
  local stages = {block(3, channels, 3, {stride = 2})}
  for _, row in ipairs(ROWS) do
    local expansion, outputs, count, stride = row[1], round8(row[2] * cfg.width), row[3], row[4]
    for i = 1, count do
      stages[#stages + 1] = Inverted(channels, outputs, {expansion = expansion, stride = i == 1 and stride or 1}, block)
      channels = outputs
    end
  end
  stages[#stages + 1] = block(channels, last, 1)
  self:add("features", Sequential(stages))
  self:build(cfg, {stages = stages, grid = #stages, features = last, fc_features = last,
                   classifier = {self:add("classifier", Module()), "1"}})
end

return MobileNetV2
