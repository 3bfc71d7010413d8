--- The smallest weights of a trained model go at once, and the rest is trained on.
--
-- `start` is the folder of a dense run; without it the run trains dense first and then once more. `scope` is "global"
-- (class-blind), "layer" (class-uniform) or "normalised" (class-distribution).
-- See, Luong and Manning 2016, "Compression of neural machine translation models via pruning".
-- @module prune.magnitude
return require "prune.preset" ("prune.magnitude", {score = "fabs(w)", rounds = 1},
  {needs = {"prune=false"}, adapt = require "prune.normalised"})
