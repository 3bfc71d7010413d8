--- y = (x - mean) / sqrt(variance + eps) * gain + offset for each channel, the last dimension.
-- Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
-- shift". Where gain and offset need no gradient (a stage freezes them), the running statistics are used in training,
-- too, and stay as they are. Parameters and buffers have the names of PyTorch: weight, bias, running_mean, running_var.
-- @module nn.batch_norm
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"
local whole = require "core.whole"

local BatchNorm = class("BatchNorm", Module)

local defaults = {size = config.optional("number"), eps = 1e-5, momentum = 0.1, gain = true, frozen = false,
                  activation = config.optional("string")}

--- @tparam table cfg size: channels; eps; momentum: share of a batch in the running statistics; gain: whether there is
-- one; frozen: the running statistics are used in training, too, and stay; activation: "relu" or "relu6" of the result
function BatchNorm:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.batch_norm")
  whole(cfg, {"size"}, "nn.batch_norm")
  if not (cfg.momentum >= 0 and cfg.momentum <= 1) then
    error(("nn.batch_norm: momentum must be from 0 to 1, got %g"):format(cfg.momentum), 0)
  end
  self.cfg = cfg
  if cfg.gain then self.weight = self:add_param("weight", Param({cfg.size}, init.ones())) end
  self.bias = self:add_param("bias", Param({cfg.size}, init.zeros()))
  self.mean = self:add_buffer("running_mean", {cfg.size}, init.zeros())
  self.variance = self:add_buffer("running_var", {cfg.size}, init.ones())
end

-- Whether a batch's own statistics are used: not where training leaves gain and offset as they are.
function BatchNorm:learns()
  if not self.training or self.cfg.frozen then return false end
  return self.bias.value:requires_grad() or self.weight ~= nil and self.weight.value:requires_grad()
end

--- @tparam tensor x [..., size]; the running statistics move where a batch's own are used
function BatchNorm:forward(x)
  return lac.batch_norm(x, {
    gain = self.weight and self.weight:tensor(), offset = self.bias:tensor(), mean = self.mean:tensor(),
    variance = self.variance:tensor(), eps = self.cfg.eps, momentum = self.cfg.momentum,
    training = self:learns(), activation = self.cfg.activation})
end

function BatchNorm:__tostring()
  return ("BatchNorm(%d)"):format(self.cfg.size)
end

return BatchNorm
