--- Initial distributions of parameters: functions of a generator and a shape.
-- @module nn.init
local lac = require "lac"

local init = {}

--- Uniform in -bound .. bound.
function init.uniform(bound)
  return function(rng, shape) return rng:uniform(shape, -bound, bound) end
end

--- Normal with mean 0.
function init.normal(std)
  return function(rng, shape) return rng:normal(shape, 0, std or 1) end
end

--- Zeros.
function init.zeros()
  return function(_, shape) return lac.zeros(shape) end
end

return init
