--- AdamW: Adam with the weight decay beside the gradient, w = w - lr weight_decay w - (Adam's step).
--
-- Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2, with the decay multiplied by
-- the learning rate and eps outside of the corrected root, both as in PyTorch's torch.optim.AdamW.
-- @module optim.adamw
local adam = require "optim.adam"
local Optimiser = require "optim.optimiser"

local adamw = {}

local defaults = {weight_decay = 0.01}
for key, value in pairs(adam.rule.defaults) do
  if defaults[key] == nil then defaults[key] = value end
end

local function settings(cfg)
  local out = adam.rule.settings(cfg)
  out.decoupled = true
  return out
end

adamw.rule = {
  name = "optim.adamw", defaults = defaults, step = adam.rule.step, settings = settings,
  slots = adam.rule.slots, check = adam.rule.check,
}

--- @tparam table params tensors, or what nn.Module:parameters gives
-- @tparam[opt] table cfg as for optim.adam; weight_decay is 0.01 unless given
function adamw.new(params, cfg)
  return Optimiser(adamw.rule, params, cfg)
end

return adamw
