--- y = w_2 dropout(f(w_1 x)), row by row; f is relu or gelu.
-- Vaswani et al. 2017, "Attention is all you need", section 3.3; names as in the published checkpoints.
-- @module nn.feed_forward
local class = require "core.class"
local init = require "nn.init"
local Dropout = require "nn.dropout"
local Linear = require "nn.linear"
local Module = require "nn.module"

local FeedForward = class("FeedForward", Module)

--- What f may be.
FeedForward.ACTIVATIONS = {"relu", "gelu"}

--- @tparam table cfg size, inner (what lies between), dropout, activation (one of ACTIVATIONS)
function FeedForward:init(cfg)
  Module.init(self)
  self.activation = cfg.activation
  self.w_1 = self:add("w_1", Linear {inputs = cfg.size, outputs = cfg.inner, start = init.xavier()})
  self.w_2 = self:add("w_2", Linear {inputs = cfg.inner, outputs = cfg.size, start = init.xavier()})
  self.drop = self:add("dropout", Dropout(cfg.dropout))
end

--- @tparam tensor x [rows, size]
-- @treturn tensor [rows, size]
function FeedForward:forward(x)
  local y = self.w_1(x)
  return self.w_2(self.drop(self.activation == "gelu" and y:gelu() or y:relu()))
end

return FeedForward
