--- The scope "normalised" of methods that go by magnitude: weights compete over all tensors by how many standard
-- deviations they are away from their tensor's mean (class-distribution).
-- See, Luong and Manning 2016, "Compression of neural machine translation models via pruning", section 3.2, where it
-- is weights that are divided; Tan, Chan and Chuah's program takes the mean off as well.
-- @module prune.normalised

--- @tparam table cfg of a method; changed in place
return function(cfg)
  if cfg.scope == "normalised" then cfg.scope, cfg.score = "global", "fabs((w - mean) / std)" end
end
