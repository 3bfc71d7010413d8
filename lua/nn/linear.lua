--- y = x W^T + b, W [outputs, inputs].
-- @module nn.linear
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"

local Linear = class("Linear", Module)

local defaults = {inputs = config.optional("number"), outputs = config.optional("number"), bias = true,
                  start = config.optional("function"), bias_start = config.optional("function")}

--- Weights and bias start uniform in +-1/sqrt(inputs) (He et al. 2015 with a = sqrt 5).
-- @tparam table cfg inputs, outputs, bias (true); start, bias_start: other initial distributions, see nn.init
function Linear:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.linear")
  local start = init.uniform(1 / math.sqrt(cfg.inputs))
  self.outputs, self.inputs = cfg.outputs, cfg.inputs
  self.weight = self:add_param("weight", Param({cfg.outputs, cfg.inputs}, cfg.start or start, {maskable = true}))
  if cfg.bias then self.bias = self:add_param("bias", Param({cfg.outputs}, cfg.bias_start or start)) end
end

--- @tparam tensor x [..., inputs]
-- @treturn tensor [..., outputs]
function Linear:forward(x)
  return x:linear(self.weight:weights(), self.bias and self.bias:tensor())
end

function Linear:__tostring()
  return ("Linear(%d -> %d)"):format(self.inputs, self.outputs)
end

return Linear
