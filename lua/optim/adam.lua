--- Adam: steps scaled by running means of the gradient and of its square.
--
-- g is the limited gradient plus weight_decay w; k counts a parameter's steps:
--
--     m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
--     w = w - lr / (1 - b1^k) m / (sqrt(v) / sqrt(1 - b2^k) + eps)
--
-- This is algorithm 1 of Kingma and Ba 2015, "Adam: a method for stochastic optimization", and PyTorch's
-- torch.optim.Adam. With form = "tensorflow" eps is not corrected for the start: sqrt(1 - b2^k) moves into the
-- rate instead (the end of their section 2, "epsilon hat", and TensorFlow's AdamOptimizer), which makes a great
-- difference when eps is large.
-- @module optim.adam
local lac = require "lac"
local blame = require "core.blame"
local Optimiser = require "optim.optimiser"

local adam = {}

local defaults = Optimiser.with_shared {
  beta1 = 0.9,
  beta2 = 0.999,
  eps = 1e-8,
  form = "pytorch", -- or "tensorflow"
}

local function settings(cfg)
  return {beta1 = cfg.beta1, beta2 = cfg.beta2, epsilon = cfg.eps, tensorflow = cfg.form == "tensorflow"}
end

adam.rule = {
  name = "optim.adam", defaults = defaults, step = lac.adam_step, settings = settings,
  slots = function() return {"m", "v"} end,
  check = function(cfg)
    if cfg.form ~= "pytorch" and cfg.form ~= "tensorflow" then
      blame(('optim.adam: form must be "pytorch" or "tensorflow", got "%s"'):format(cfg.form))
    end
  end,
}

--- @tparam table params tensors, or what nn.Module:parameters gives
-- @tparam[opt] table cfg see defaults and optim.optimiser
function adam.new(params, cfg)
  return Optimiser(adam.rule, params, cfg)
end

return adam
