--- The smallest weights go little by little while the model is trained from scratch, along a cubic.
--
-- Zhu and Gupta 2017, "To prune, or not to prune: exploring the efficacy of pruning for model compression"; defaults of
-- Tan, Chan and Chuah 2022, who call it gradual class-uniform, with at least ten updates in short runs.
-- @module prune.gradual
return require "prune.preset" ("prune.gradual", {
  score = "fabs(w)", scope = "layer", first = "1 epoch", last = "50 %", every = "1000 steps", least = 10,
}, {adapt = require "prune.normalised"})
