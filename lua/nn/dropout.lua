--- Inverted dropout: in training each element is kept with probability 1 - p and divided by it.
-- Srivastava et al. 2014, "Dropout: A simple way to prevent neural networks from overfitting".
-- @module nn.dropout
local class = require "core.class"
local Module = require "nn.module"

local Dropout = class("Dropout", Module)

--- Check a probability of dropping.
-- @param p
-- @tparam string what it is, for the message
-- @raise for anything but a number in [0, 1)
function Dropout.check(p, what)
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    error(("%s must be in [0, 1), got %s"):format(what, tostring(p)), 0)
  end
end

--- @tparam number p probability of dropping, 0 <= p < 1
function Dropout:init(p)
  Module.init(self)
  Dropout.check(p, "nn.dropout: p")
  self.p = p
end

function Dropout:forward(x)
  if not self.training or self.p == 0 then return x end
  return x:dropout(self.p, self.rng)
end

function Dropout:__tostring()
  return ("Dropout(%g)"):format(self.p)
end

return Dropout
