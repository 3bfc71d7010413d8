--- y = max(x, 0).
-- @module nn.relu
local class = require "core.class"
local Module = require "nn.module"

local Relu = class("Relu", Module)

function Relu.forward(_, x)
  return x:relu()
end

return Relu
