--- Prune for good: weights that a mask drops become 0, and the mask fixed zeros and ones.
-- @module prune.fix

--- @tparam nn.Module model its masked parameters are changed in place; afterwards nothing is drawn or trained
return function(model)
  for _, p in ipairs(model:parameters()) do
    if p.param.mask then
      local pruned <close> = p.param:pruned()
      p.param:set_mask(p.param.mask:binary(p.param.value))
      p.param.value:copy(pruned)
    end
  end
end
