--- x + dropout(f(norm(x))): what surrounds every part of a transformer's layer, normalised first.
-- Xiong et al. 2020, "On layer normalization in the transformer architecture"; names as in the published checkpoints.
-- @module nn.residual
local class = require "core.class"
local Dropout = require "nn.dropout"
local LayerNorm = require "nn.layer_norm"
local Module = require "nn.module"

local Residual = class("Residual", Module)

--- @tparam table cfg size, dropout
function Residual:init(cfg)
  Module.init(self)
  self.norm = self:add("norm", LayerNorm(cfg.size))
  self.drop = self:add("dropout", Dropout(cfg.dropout))
end

--- @tparam tensor x [rows, size]
-- @tparam function f of the normalised rows; module or function
-- @param ... handed on to f
-- @treturn tensor [rows, size]
function Residual:forward(x, f, ...)
  return x + self.drop(f(self.norm(x), ...))
end

return Residual
