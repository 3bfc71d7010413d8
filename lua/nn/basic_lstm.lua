--- A long short-term memory cell with one matrix for input and state, as TensorFlow's BasicLSTMCell has it:
--
--     z = (x, h) W^T + b        c' = s(f + forget) c + s(i) tanh(g)        h' = s(o) tanh(c')
--
-- with s the logistic function and z in blocks i, f, g, o (lac.lstm_cell; TensorFlow's order is i, g, f, o).
-- `forget` is no parameter: it is added to the bias on the way, so that b starts at 0, decays towards 0 and is what a
-- published file holds. Hochreiter and Schmidhuber 1997; the offset is that of Jozefowicz, Zaremba and Sutskever 2015,
-- "An empirical exploration of recurrent network architectures".
--
-- What a time loop needs of a cell, of this one and of nn.gru:
--
--     local w = cell:split({words, contexts}, ready, once)    -- weights by what they meet
--     local sums = cell:ahead(w, x)                           -- what inputs known before the loop give, rows of words
--     local places = cell:places(rows)                        -- for the results of all steps
--     state = cell:step(w, sums, context, state, places)      -- sums and places: the step's rows of them
-- @module nn.basic_lstm
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local Linear = require "nn.linear"
local Module = require "nn.module"

local BasicLstm = class("BasicLstm", Module)

local defaults = {inputs = config.optional("number"), hidden = config.optional("number"), forget = 1}

--- The matrix starts as Glorot and Bengio 2010 say, the bias 0.
-- @tparam table cfg inputs, hidden; forget: what is added to the forget gate
function BasicLstm:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.basic_lstm")
  self.hidden, self.forget = cfg.hidden, cfg.forget
  self.gates = self:add("gates", Linear {inputs = cfg.inputs + cfg.hidden, outputs = 4 * cfg.hidden,
                                         start = init.xavier(), bias_start = init.zeros()})
end

--- The bias with the forget gate's offset.
function BasicLstm:bias()
  local n = self.hidden
  local offset = lac.zeros {4 * n}
  offset:slice(1, n + 1, n):fill(self.forget)
  return self.gates.bias:tensor() + offset
end

--- The weights taken apart by what they meet.
-- @tparam table widths of the input's two parts: the one known before the time loop, and the other
-- @tparam function ready makes of weights of a time loop what lac.linear gets, see nn.prepared
-- @tparam function once the same for those of inputs that are known before
-- @treturn table
function BasicLstm:split(widths, ready, once)
  local known, other, own = self.gates.weight:weights {widths[1], widths[2], self.hidden}
  return {known = once(known), other = ready(other), own = ready(own), bias = self:bias()}
end

--- The part of all sums that inputs known before the time loop give.
-- @tparam table w from split
-- @tparam tensor x [rows, widths[1]]
-- @treturn table of tensors by rows; a step adds to its own in place
function BasicLstm.ahead(_, w, x)
  return {z = lac.linear {x, w.known, bias = w.bias}}
end

--- Room for the results of all steps, by rows.
function BasicLstm:places(rows)
  return {h = lac.zeros {rows, self.hidden}, c = lac.zeros {rows, self.hidden}}
end

--- The state before the first step.
-- @tparam tensor h [rows, hidden]
function BasicLstm:first(h)
  return {h = h, c = lac.zeros {h:shape(1), self.hidden}}
end

--- One step.
-- @tparam table w from split
-- @tparam table sums of this step, slices of what `ahead` gave
-- @tparam tensor x [rows, widths[2]], the input's other part
-- @tparam table state h, c
-- @tparam[opt] table places of this step
-- @treturn table the new state
function BasicLstm.step(_, w, sums, x, state, places)
  local z = lac.linear {x, w.other, state.h, w.own, onto = sums.z}
  local h, c = lac.lstm_cell(z, state.c, places and places.h, places and places.c)
  return {h = h, c = c}
end

function BasicLstm:__tostring()
  return ("BasicLstm(%d -> %d)"):format(self.gates.inputs - self.hidden, self.hidden)
end

return BasicLstm
