--- Stochastic gradient descent: v = momentum v + g; w = w - lr v, or w - lr (g + momentum v) with nesterov.
--
-- g is the limited gradient plus weight_decay w.
-- Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", section 2; the rate
-- stands outside of v and Nesterov's form is that of PyTorch's torch.optim.SGD.
-- @module optim.sgd
local lac = require "lac"
local Optimiser = require "optim.optimiser"

local sgd = {}

local defaults = Optimiser.with_shared {
  momentum = 0, -- 0 <= momentum < 1
  nesterov = false, -- needs momentum
}

sgd.rule = {
  name = "optim.sgd", defaults = defaults, step = lac.sgd_step,
  slots = function(cfg) return cfg.momentum > 0 and {"v"} or {} end,
  settings = function(cfg) return {momentum = cfg.momentum, nesterov = cfg.nesterov} end,
}

--- @tparam table params tensors, or what nn.Module:parameters gives
-- @tparam[opt] table cfg see defaults and optim.optimiser
function sgd.new(params, cfg)
  return Optimiser(sgd.rule, params, cfg)
end

return sgd
