--- Weights go before training whose absence takes least of the gradient's flow: the smallest w (H g).
--
-- H is the Hessian and g the gradient of the loss by all weights that may go, over `batches` batches of training. H g
-- is a central difference: gradients at w + e u and w - e u with u = g / |g| and e = |w| / 1000, on the same batches
-- with the same dropout, are (2 e / |g|) H g apart. The weights are put back bit for bit.
--
-- Wang, Zhang and Grosse 2020, "Picking winning tickets before training by preserving gradient flow", equation 8: their
-- S = - w (H g), the largest of which go. Scores are not divided by a temperature.
-- @module prune.grasp
local lac = require "lac"
local blame = require "core.blame"

local REACH = 1e-3 -- of |w|: small for the loss's third derivative, large for the rounding of gradients

-- The gradients of the batches, summed: part -> tensor.
local function gradients(pruner, run)
  pruner.model:zero_grad()
  for i = 1, pruner.cfg.batches do run.gradient(i) end
  local out = {}
  for _, part in ipairs(pruner.active) do out[part] = pruner:value_of(part, "g"):clone() end
  pruner.model:zero_grad()
  return out
end

-- The norm of tensors together, on the device.
local function norm(parts, tensors)
  local sum
  for _, part in ipairs(parts) do
    local own = tensors[part]:square():sum()
    sum = sum and sum + own or own
  end
  return sum:sqrt()
end

local function measure(pruner, run)
  local scope <close> = lac.scope()
  local active, start = pruner.active, {}
  for _, part in ipairs(active) do start[part] = part.param.value:clone() end
  local g = gradients(pruner, run)
  local length = lac.map("w * e / g", {w = norm(active, start), e = REACH, g = norm(active, g)}) -- in gradients
  local function beside(side)
    for _, part in ipairs(active) do
      lac.map("w + side * a * g", {w = start[part], side = side, a = length, g = g[part]}, part.param.value)
    end
    return gradients(pruner, run)
  end
  local above, below = beside(1), beside(-1)
  for _, part in ipairs(active) do
    part.param.value:copy(start[part])
    local values = {w = start[part], x = above[part], y = below[part], a = length}
    lac.map("a < inf ? w * (x - y) / (2 * a) : 0 / 0", values, part.s)
  end
end

return require "prune.preset" ("prune.grasp", {score = "s", batches = 1}, {
  measure = measure,
  adapt = function(cfg)
    if cfg.batches == 0 then blame("prune.grasp: batches must be at least 1; there is no gradient without data") end
  end,
})
