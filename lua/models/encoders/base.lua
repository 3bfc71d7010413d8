--- What all encoders of pictures are: a row of stages from pictures to maps [images, height, width, channels], the maps
-- that captions look at, and maybe a classifier.
--
-- A network derives from this class, hands its checked settings and its stages to `build`, and is done.
-- @module models.encoders.base
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local suggest = require "core.suggest"
local ConvBlock = require "nn.conv_block"
local Linear = require "nn.linear"
local Module = require "nn.module"
local whole = require "core.whole"

local Encoder = class("PictureEncoder", Module)

-- What numbers from 0 to 1 become: x * factor + addend, a number or one per channel.
local INPUTS = {
  symmetric = {2, -1},
  byte = {255 / 128, -1}, -- of a byte p: (p - 128) / 128
  imagenet = {{1 / 0.229, 1 / 0.224, 1 / 0.225}, {-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225}},
  unit = {1, 0},
}

local CHOICES = {
  input = {"symmetric", "byte", "imagenet", "unit"}, padding = {"torch", "same"},
  norm = {"frozen", "training", "folded"}, grid = {"half_pixel", "legacy"},
}

--- Settings of every encoder.
local SHARED = {
  size = 224, -- of the pictures, in pixels
  resize = config.optional("number"), -- what they are cut from; 8/7 of the size unless given
  keep_aspect = false, grid = "half_pixel", -- how they are resized
  input = "symmetric", -- "symmetric": -1 to 1; "byte": (p - 128) / 128; "imagenet": mean 0 and variance 1; "unit"
  padding = "torch", -- "torch": the same before and behind; "same": TensorFlow's, see nn.same_padding
  norm = "frozen", -- see nn.conv_block
  eps = 1e-3, momentum = 0.1, gain = true, -- of the normalisation
  classes = 0, -- of the classifier; 0: there is none
  frozen = false, -- no gradient reaches the encoder: it stays as it is while a decoder learns
}

--- Defaults of a network: its own over the shared ones.
-- @tparam table own
-- @treturn table
function Encoder.settings(own)
  local defaults = {}
  for key, value in pairs(SHARED) do defaults[key] = value end
  for key, value in pairs(own) do defaults[key] = value end
  return defaults
end

--- Settings over a network's defaults, checked.
-- @tparam table cfg
-- @treturn table
function Encoder:check(cfg)
  cfg = config.merge(self.defaults, cfg, self.label)
  for key, choices in pairs(CHOICES) do
    local known = false
    for _, choice in ipairs(choices) do known = known or cfg[key] == choice end
    if not known then
      error(('%s: %s must be one of %s, got "%s"%s'):format(self.label, key, table.concat(choices, ", "), cfg[key],
        suggest.hint(cfg[key], choices)), 0)
    end
  end
  whole(cfg, {"size"}, self.label, 32, 4096)
  if cfg.resize then whole(cfg, {"resize"}, self.label, 32, 8192) end
  whole(cfg, {"classes"}, self.label, 0, 1000000)
  if cfg.resize and cfg.resize < cfg.size then
    error(("%s: resize must be at least size, got %d and %d"):format(self.label, cfg.resize, cfg.size), 0)
  end
  if not (cfg.eps > 0 and cfg.eps < math.huge) then
    error(("%s: eps must be above 0, got %g"):format(self.label, cfg.eps), 0)
  end
  if cfg.width and not (cfg.width > 0 and cfg.width <= 16) then
    error(("%s: width must be above 0 and at most 16, got %g"):format(self.label, cfg.width), 0)
  end
  return cfg
end

--- A function that makes convolutions with normalisation as the settings say.
-- @tparam table cfg settings
-- @tparam table usual further settings of each, see nn.conv_block
-- @treturn function (inputs, outputs, size, more, owner) -> nn.ConvBlock
function Encoder.blocks(cfg, usual)
  return function(inputs, outputs, size, more, owner)
    local own = {inputs = inputs, outputs = outputs, size = size, norm = cfg.norm, eps = cfg.eps,
                 momentum = cfg.momentum, gain = cfg.gain, padding = cfg.padding == "same" and "same" or size // 2}
    for key, value in pairs(usual) do own[key] = value end
    for key, value in pairs(more or {}) do own[key] = value end
    return ConvBlock(own, owner)
  end
end

--- The rest of init: takes the stages, adds the classifier.
-- @tparam table cfg settings
-- @tparam table network stages: list of modules that are parts already; grid: number of the stage whose maps are the
-- positions; features, fc_features: channels there and after the last stage; classifier: {part, name} where the
-- classifier is added
function Encoder:build(cfg, network)
  self.cfg, self.stages, self.grid = cfg, network.stages, network.grid
  self.features, self.fc_features = network.features, network.fc_features
  self.pictures = {size = cfg.size, resize = cfg.resize or cfg.size * 8 // 7, keep_aspect = cfg.keep_aspect,
                   grid = cfg.grid}
  self.times = {}
  local height, width = cfg.size, cfg.size
  for i, stage in ipairs(self.stages) do
    height, width = stage:spread(height, width, function(param, n) self.times[param] = n end)
    if height < 1 or width < 1 then
      error(("%s: pictures of %d pixels are too small for this network"):format(self.label, cfg.size), 0)
    end
    if i == self.grid then self.positions = {height, width} end
  end
  if cfg.classes > 0 then
    local owner, name = table.unpack(network.classifier)
    self.classifier = owner:add(name, Linear {inputs = self.fc_features, outputs = cfg.classes})
    self.times[self.classifier.weight] = 1
  end
end

-- Pictures as the network wants them.
function Encoder:read(pictures)
  local shape, size = pictures:shape(), self.cfg.size
  if #shape ~= 4 or shape[2] ~= size or shape[3] ~= size or shape[4] ~= 3 then
    error(("%s: pictures have the shape [images, %d, %d, 3], got [%s]"):format(self.label, size, size,
      table.concat(shape, ", ")), 0)
  end
  local factor, addend = table.unpack(INPUTS[self.cfg.input])
  if type(factor) == "table" then factor, addend = lac.tensor(factor), lac.tensor(addend) end
  return factor == 1 and pictures or pictures * factor + addend
end

-- Maps of the stage that gives positions, and of the last one that is asked for.
function Encoder:maps(pictures)
  local x, grid = self:read(pictures), nil
  for i, stage in ipairs(self.stages) do
    x = stage(x)
    if i == self.grid then grid = x end
  end
  return grid, x
end

-- The mean over all positions.
local function mean(maps)
  local shape = maps:shape()
  return maps:reshape(shape[1], shape[2] * shape[3], shape[4]):mean(2)
end

--- What captions look at.
-- @tparam tensor pictures [images, size, size, 3], RGB from 0 to 1
-- @treturn tensor att [images, positions, features], row by row
-- @treturn tensor fc [images, fc_features], the mean over positions of the last maps
function Encoder:forward(pictures)
  local grid, last = self:maps(pictures)
  return grid:reshape(grid:shape(1), self.positions[1] * self.positions[2], self.features), mean(last)
end

--- The scores of the classes.
-- @tparam tensor pictures as for forward
-- @treturn tensor [images, classes]
function Encoder:logits(pictures)
  if not self.classifier then error(self.label .. ": this encoder has no classifier (its classes are 0)", 2) end
  local _, last = self:maps(pictures)
  return self.classifier(mean(last))
end

--- What tells this encoder from those that make other features of the same pictures: a check of its values, with masks
-- multiplied in, and of how it reads pictures. The classifier takes no part.
-- @treturn string
function Encoder:fingerprint()
  local parts, pictures = {}, self.pictures
  for _, p in ipairs(self:tensors()) do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local counts = not self.classifier or p.param ~= self.classifier.weight and p.param ~= self.classifier.bias
    if counts then -- adding 0 makes a 0 of -0
      parts[#parts + 1] = ("%s %08x"):format(p.name, lac.files.crc32c((p.param:pruned() + 0):tobytes()))
    end
  end
  parts[#parts + 1] = ("%d %d %s %s"):format(pictures.size, pictures.resize, pictures.keep_aspect, pictures.grid)
  parts[#parts + 1] = ("%s %s %.9g"):format(self.cfg.input, self.cfg.padding, self.cfg.eps)
  return ("%s %08x"):format(self.label, lac.files.crc32c(table.concat(parts, "\n")))
end

--- How often each weight of a parameter is multiplied for one picture.
-- @tparam string name of a parameter
-- @treturn number 0 for what is added, and for the normalisation
function Encoder:uses(name)
  if not self.used then
    self.used = {}
    for _, p in ipairs(self:parameters()) do self.used[p.name] = self.times[p.param] end
  end
  return self.used[name] or 0
end

return Encoder
