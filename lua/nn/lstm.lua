--- The parameters of a long short-term memory cell, gates i, f, g, o. See lac.lstm_cell for the equations.
-- A model that sees some inputs earlier than others takes the input weights apart by columns.
-- @module nn.lstm
local lac = require "lac"
local class = require "core.class"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"

local Lstm = class("Lstm", Module)

--- Everything starts uniform in +-1/sqrt(hidden).
-- @tparam table cfg inputs, hidden
function Lstm:init(cfg)
  Module.init(self)
  self.inputs, self.hidden = cfg.inputs, cfg.hidden
  local start = init.uniform(1 / math.sqrt(cfg.hidden))
  local weight = {maskable = true}
  self.weight_ih = self:add_param("weight_ih", Param({4 * cfg.hidden, cfg.inputs}, start, weight))
  self.weight_hh = self:add_param("weight_hh", Param({4 * cfg.hidden, cfg.hidden}, start, weight))
  self.bias_ih = self:add_param("bias_ih", Param({4 * cfg.hidden}, start))
  self.bias_hh = self:add_param("bias_hh", Param({4 * cfg.hidden}, start))
end

--- Both biases as one.
function Lstm:bias()
  return self.bias_ih:tensor() + self.bias_hh:tensor()
end

--- One step.
-- @tparam tensor x [batch, inputs]
-- @tparam tensor h [batch, hidden]
-- @tparam tensor c [batch, hidden]
-- @treturn tensor h
-- @treturn tensor c
function Lstm:forward(x, h, c)
  local z = lac.linear {x, self.weight_ih:weights(), h, self.weight_hh:weights(), bias = self:bias()}
  return lac.lstm_cell(z, c)
end

function Lstm:__tostring()
  return ("Lstm(%d -> %d)"):format(self.inputs, self.hidden)
end

return Lstm
