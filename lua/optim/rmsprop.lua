--- RMSprop: steps scaled by a running mean of the gradient's square.
--
--     v = alpha v + (1 - alpha) g^2        d = g / (sqrt(v) + eps)        w = w - lr d
--
-- g is the limited gradient plus weight_decay w. With momentum, d adds up: b = momentum b + d; w = w - lr b.
-- Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; eps stands outside of the root
-- and the rate outside of b, as in PyTorch's torch.optim.RMSprop.
-- @module optim.rmsprop
local lac = require "lac"
local Optimiser = require "optim.optimiser"

local rmsprop = {}

local defaults = Optimiser.with_shared {
  alpha = 0.99,
  eps = 1e-8,
  momentum = 0, -- 0 <= momentum < 1
}

rmsprop.rule = {
  name = "optim.rmsprop", defaults = defaults, step = lac.rmsprop_step,
  slots = function(cfg) return cfg.momentum > 0 and {"v", "b"} or {"v"} end,
  settings = function(cfg) return {alpha = cfg.alpha, epsilon = cfg.eps, momentum = cfg.momentum} end,
}

--- @tparam table params tensors, or what nn.Module:parameters gives
-- @tparam[opt] table cfg see defaults and optim.optimiser
function rmsprop.new(params, cfg)
  return Optimiser(rmsprop.rule, params, cfg)
end

return rmsprop
