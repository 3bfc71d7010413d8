--- GoogLeNet, or Inception-V1, with batch normalisation.
-- Szegedy et al. 2015, "Going deeper with convolutions", table 1; with 3x3 windows in place of 5x5 as both published
-- programs have it. Parameter names are torchvision's; captions look at the 14x14 positions after inception4e (Mixed_4f
-- in TensorFlow's numbering), the image's vector is the mean after inception5b.
-- @module models.encoders.googlenet
local lac = require "lac"
local class = require "core.class"
local Encoder = require "models.encoders.base"
local MaxPool = require "nn.max_pool"
local Module = require "nn.module"
local Sequential = require "nn.sequential"

local GoogLeNet = class("GoogLeNet", Encoder)

GoogLeNet.label = "models.encoders.googlenet"

--- As for models.encoders.base; width: channels as a multiple of the published ones.
GoogLeNet.defaults = Encoder.settings {width = 1}

-- What lies between the convolutions of the beginning and the mean: outputs of the four branches, the first
-- convolutions of the second and third before them; a number is the size of a pool with stride 2.
local BODY = {
  {"inception3a", 64, 96, 128, 16, 32, 32}, {"inception3b", 128, 128, 192, 32, 96, 64}, 3,
  {"inception4a", 192, 96, 208, 16, 48, 64}, {"inception4b", 160, 112, 224, 24, 64, 64},
  {"inception4c", 128, 128, 256, 24, 64, 64}, {"inception4d", 112, 144, 288, 32, 64, 64},
  {"inception4e", 256, 160, 320, 32, 128, 128}, 2,
  {"inception5a", 256, 160, 320, 32, 128, 128}, {"inception5b", 384, 192, 384, 48, 128, 128},
}

local GRID = "inception4e"

-- Four branches side by side: 1x1; 1x1 and 3x3; 1x1 and 3x3; pool and 1x1.
local Inception = class("Inception", Module)

function Inception:init(inputs, sizes, block, pool)
  Module.init(self)
  local one, before2, two, before3, three, four = table.unpack(sizes)
  self.branches = {
    self:add("branch1", block(inputs, one, 1)),
    self:add("branch2", Sequential {block(inputs, before2, 1), block(before2, two, 3)}),
    self:add("branch3", Sequential {block(inputs, before3, 1), block(before3, three, 3)}),
    self:add("branch4", Sequential {pool(3, 1), block(inputs, four, 1)}),
  }
  self.outputs = one + two + three + four
end

function Inception:forward(x)
  local maps = {}
  for i, branch in ipairs(self.branches) do maps[i] = branch(x) end
  return lac.concat(maps, 4)
end

function Inception:spread(height, width, note)
  local rows, columns
  for _, branch in ipairs(self.branches) do rows, columns = branch:spread(height, width, note) end
  return rows, columns
end

-- Pools as the two programs have them: windows may end beyond the maps.
local function pools(cfg)
  return function(size, stride)
    if cfg.padding == "same" then return MaxPool {size = size, stride = stride, padding = "same"} end
    return MaxPool {size = size, stride = stride, padding = stride == 1 and 1 or 0, ceil = true}
  end
end

function GoogLeNet:init(cfg)
  Module.init(self)
  cfg = self:check(cfg)
  local block, pool = Encoder.blocks(cfg, {names = {"conv", "bn"}}), pools(cfg)
  local function wide(n) return math.max(1, math.floor(n * cfg.width)) end
  local stages, grid, features = {}, nil, nil
  local function add(stage, name)
    stages[#stages + 1] = name and self:add(name, stage) or stage
  end
  add(block(3, wide(64), 7, {stride = 2}), "conv1")
  add(pool(3, 2))
  add(block(wide(64), wide(64), 1), "conv2")
  add(block(wide(64), wide(192), 3), "conv3")
  add(pool(3, 2))
  local channels = wide(192)
  for _, row in ipairs(BODY) do
    if type(row) == "number" then
      add(pool(row, 2))
    else
      local sizes = {}
      for i = 2, #row do sizes[i - 1] = wide(row[i]) end
      add(Inception(channels, sizes, block, pool), row[1])
      channels = stages[#stages].outputs
      if row[1] == GRID then grid, features = #stages, channels end
    end
  end
  self:build(cfg, {stages = stages, grid = grid, features = features, fc_features = channels,
                   classifier = {self, "fc"}})
end

return GoogLeNet
