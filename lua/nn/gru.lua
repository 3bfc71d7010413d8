--- A gated recurrent unit as TensorFlow's GRUCell has it, with the reset gate before the product:
--
--     (r, u) = s((x, h) W_g^T + b_g)        h' = u h + (1 - u) tanh((x, r h) W_c^T + b_c)
--
-- with s the logistic function. Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for
-- statistical machine translation". Its methods are those of nn.basic_lstm, which describes them.
-- @module nn.gru
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local Linear = require "nn.linear"
local Module = require "nn.module"

local Gru = class("Gru", Module)

local defaults = {inputs = config.optional("number"), hidden = config.optional("number")}

--- Matrices start as Glorot and Bengio 2010 say, the gates' bias 1, so that the state stays at first, the other 0.
-- @tparam table cfg inputs, hidden
function Gru:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.gru")
  self.hidden = cfg.hidden
  self.gates = self:add("gates", Linear {inputs = cfg.inputs + cfg.hidden, outputs = 2 * cfg.hidden,
                                         start = init.xavier(), bias_start = init.ones()})
  self.candidate = self:add("candidate", Linear {inputs = cfg.inputs + cfg.hidden, outputs = cfg.hidden,
                                                 start = init.xavier(), bias_start = init.zeros()})
end

-- The weights of one of the two products.
local function cut(linear, widths, ready, once)
  local known, other, own = linear.weight:weights(widths)
  return {known = once(known), other = ready(other), own = ready(own), bias = linear.bias:tensor()}
end

function Gru:split(widths, ready, once)
  widths = {widths[1], widths[2], self.hidden}
  return {gates = cut(self.gates, widths, ready, once), candidate = cut(self.candidate, widths, ready, once)}
end

function Gru.ahead(_, w, x)
  return {z = lac.linear {x, w.gates.known, bias = w.gates.bias},
          candidate = lac.linear {x, w.candidate.known, bias = w.candidate.bias}}
end

function Gru:places(rows)
  return {h = lac.zeros {rows, self.hidden}, reset = lac.zeros {rows, self.hidden}}
end

function Gru.first(_, h)
  return {h = h}
end

function Gru.step(_, w, sums, x, state, places)
  local z = lac.linear {x, w.gates.other, state.h, w.gates.own, onto = sums.z}
  local reset = lac.gru_reset(z, state.h, places and places.reset)
  local candidate = lac.linear {x, w.candidate.other, reset, w.candidate.own, onto = sums.candidate}
  return {h = lac.gru_cell(z, candidate, state.h, places and places.h)}
end

function Gru:__tostring()
  return ("Gru(%d -> %d)"):format(self.gates.inputs - self.hidden, self.hidden)
end

return Gru
