--- Inverted dropout: in training each element is kept with probability 1 - p and divided by it.
-- Srivastava et al. 2014, "Dropout: A simple way to prevent neural networks from overfitting".
-- @module nn.dropout
local class = require "core.class"
local Module = require "nn.module"

local Dropout = class("Dropout", Module)

--- @tparam number p probability of dropping, 0 <= p < 1
function Dropout:init(p)
  Module.init(self)
  if not (p >= 0 and p < 1) then error(("nn.dropout: p must be in [0, 1), got %s"):format(p), 2) end
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
