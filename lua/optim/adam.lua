--- Adam: steps scaled by running means of the gradient and of its square.
--
-- g is the gradient, limited to -clip_value .. clip_value, plus weight_decay w; t counts a parameter's steps:
--
--     m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
--     w = w - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
--
-- With form = "tensorflow" eps is not corrected for the start: sqrt(1 - b2^t) moves into the rate instead,
-- which makes a great difference when eps is large.
-- Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1 and the end of section 2.
-- @module optim.adam
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local Slots = require "optim.slots"

local adam = {}

local Adam = class("Adam")

local defaults = {
  beta1 = 0.9,
  beta2 = 0.999,
  eps = 1e-8,
  weight_decay = 0,
  clip_value = 0, -- 0: no limit
  form = "pytorch", -- or "tensorflow"
  masks = {}, -- position of a parameter -> f32 tensor of its shape; the parameter stays 0 where it is 0
}

function Adam:init(params, cfg)
  self.cfg = config.merge(defaults, cfg, "optim.adam")
  local form = self.cfg.form
  if form ~= "pytorch" and form ~= "tensorflow" then
    error(('optim.adam: form must be "pytorch" or "tensorflow", got "%s"'):format(form), 4)
  end
  self.slots = Slots(params, {"m", "v"}, self.cfg.masks)
end

--- Step every parameter that has a gradient.
-- @tparam number lr learning rate
function Adam:step(lr)
  local cfg = self.cfg
  self.slots:each({rate = lr, beta1 = cfg.beta1, beta2 = cfg.beta2, epsilon = cfg.eps,
                   decay = cfg.weight_decay, clip = cfg.clip_value,
                   tensorflow = cfg.form == "tensorflow"}, lac.adam_step)
end

--- @treturn table what `load` takes, for a checkpoint
function Adam:state()
  return self.slots:state()
end

--- @tparam table state of an optimiser over parameters of the same shapes
function Adam:load(state)
  self.slots:load(state)
end

--- @tparam {tensor,...} params
-- @tparam[opt] table cfg see defaults
function adam.new(params, cfg)
  return Adam(params, cfg)
end

return adam
