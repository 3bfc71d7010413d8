--- Stochastic gradient descent: v = momentum v + g; w = w - lr v.
--
-- g is the gradient, limited to -clip_value .. clip_value, plus weight_decay w.
-- Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", section 2.
-- @module optim.sgd
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local Slots = require "optim.slots"

local sgd = {}

local Sgd = class("Sgd")

local defaults = {
  momentum = 0, -- 0 <= momentum < 1
  weight_decay = 0,
  clip_value = 0, -- 0: no limit
  masks = {}, -- position of a parameter -> f32 tensor of its shape; the parameter stays 0 where it is 0
}

function Sgd:init(params, cfg)
  self.cfg = config.merge(defaults, cfg, "optim.sgd")
  self.slots = Slots(params, self.cfg.momentum > 0 and {"v"} or {}, self.cfg.masks)
end

--- Step every parameter that has a gradient.
-- @tparam number lr learning rate
function Sgd:step(lr)
  local cfg = self.cfg
  self.slots:each({rate = lr, momentum = cfg.momentum, decay = cfg.weight_decay, clip = cfg.clip_value},
    lac.sgd_step)
end

--- @treturn table what `load` takes, for a checkpoint
function Sgd:state()
  return self.slots:state()
end

--- @tparam table state of an optimiser over parameters of the same shapes
function Sgd:load(state)
  self.slots:load(state)
end

--- @tparam {tensor,...} params
-- @tparam[opt] table cfg see defaults
function sgd.new(params, cfg)
  return Sgd(params, cfg)
end

return sgd
