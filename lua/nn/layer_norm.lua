--- y = a_2 (x - mean) / (deviation + eps) + b_2 over the last dimension, the deviation of a sample (n - 1).
-- Ba, Kiros and Hinton 2016, "Layer normalization", in the form and with the names of the published checkpoints.
-- @module nn.layer_norm
local lac = require "lac"
local class = require "core.class"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"

local LayerNorm = class("LayerNorm", Module)

local EPS = 1e-6

--- @tparam integer size of the last dimension
function LayerNorm:init(size)
  Module.init(self)
  self.gain = self:add_param("a_2", Param({size}, init.ones()))
  self.offset = self:add_param("b_2", Param({size}, init.zeros()))
end

function LayerNorm:forward(x)
  return lac.layer_norm(x, self.gain:tensor(), self.offset:tensor(), {eps = EPS, form = "published"})
end

return LayerNorm
