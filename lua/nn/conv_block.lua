--- A convolution, its normalisation and its activation: y = act(norm(conv(x))).
--
-- Normalisation is batch normalisation with its own statistics ("training"), with the running ones in training, too
-- ("frozen"), or has become a bias of the convolution ("folded").
-- @module nn.conv_block
local class = require "core.class"
local config = require "core.config"
local BatchNorm = require "nn.batch_norm"
local Conv2d = require "nn.conv2d"
local Module = require "nn.module"

local ConvBlock = class("ConvBlock", Module)

local defaults = {
  inputs = config.optional("number"), outputs = config.optional("number"), size = 1, stride = 1, groups = 1,
  padding = config.either(0, "string"), activation = config.either("relu", "boolean"), norm = "training", eps = 1e-5,
  momentum = 0.1, gain = true,
  names = {}, -- of the two parts: {"0", "1"} unless given
}

local ACTIVATIONS = {
  relu = function(x) return x:relu() end,
  relu6 = function(x) return x:clamp(0, 6) end,
}

local NORMS = {training = true, frozen = true, folded = true}

local function check(cfg)
  if not NORMS[cfg.norm] then
    error(('nn.conv_block: norm must be "training", "frozen" or "folded", got "%s"'):format(cfg.norm), 0)
  end
  if cfg.activation and not ACTIVATIONS[cfg.activation] then
    error(('nn.conv_block: activation must be "relu", "relu6" or false, got "%s"'):format(tostring(cfg.activation)), 0)
  end
end

--- @tparam table cfg inputs, outputs, size (1), stride (1), groups (1), padding (0) of the convolution; activation
-- ("relu", or "relu6", or false); norm, eps, momentum, gain: see nn.batch_norm; names
-- @tparam[opt] nn.Module owner whose parts the two become, in place of this module's own
function ConvBlock:init(cfg, owner)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.conv_block")
  check(cfg)
  local folded, names = cfg.norm == "folded", #cfg.names == 2 and cfg.names or {"0", "1"}
  self.activation = cfg.activation
  owner = owner or self
  self.conv = owner:add(names[1], Conv2d {
    inputs = cfg.inputs, outputs = cfg.outputs, size = cfg.size, stride = cfg.stride, groups = cfg.groups,
    padding = cfg.padding, bias = folded})
  if folded then return end
  self.norm = owner:add(names[2], BatchNorm {
    size = cfg.outputs, eps = cfg.eps, momentum = cfg.momentum, gain = cfg.gain, frozen = cfg.norm == "frozen",
    activation = cfg.activation or nil})
end

function ConvBlock:forward(x)
  x = self.conv(x)
  if self.norm then return self.norm(x) end
  return self.activation and ACTIVATIONS[self.activation](x) or x
end

--- See nn.conv2d.
function ConvBlock:spread(height, width, note)
  return self.conv:spread(height, width, note)
end

return ConvBlock
