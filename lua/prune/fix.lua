--- Prune for good: weights that a mask drops become 0, and the mask fixed zeros and ones.
-- @module prune.fix
local mask = require "nn.mask"

--- @tparam nn.Module model its masked parameters are changed in place; afterwards nothing is drawn or trained
return function(model)
  for _, p in ipairs(model:parameters()) do
    if p.param.mask then
      local binary = p.param.mask:binary()
      local pruned <close> = p.param.value * binary
      p.param.value:copy(pruned)
      p.param:set_mask(mask.fixed(binary))
    end
  end
end
