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

--- Ones.
function init.ones()
  return function(_, shape) return lac.zeros(shape):fill(1) end
end

--- Uniform in +-sqrt(6 / (rows + columns)) of a matrix.
-- Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 16.
function init.xavier()
  return function(rng, shape)
    local bound = math.sqrt(6 / (shape[1] + shape[2]))
    return rng:uniform(shape, -bound, bound)
  end
end

return init
