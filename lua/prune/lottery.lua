--- The lottery ticket: masks of a trained model, weights of the beginning, trained again.
--
-- `start` is the folder of a dense run; without it the run trains dense first. `rewind` is "init" or the number of a
-- step that the dense run has kept (save.keep). `rounds` above 1 drop the same share of what is left each time.
-- Frankle and Carbin 2019, "The lottery ticket hypothesis"; Frankle et al. 2020, "Linear mode connectivity and the
-- lottery ticket hypothesis", for later steps.
-- @module prune.lottery
return require "prune.preset" ("prune.lottery", {score = "fabs(w)", rewind = "init", rounds = 1},
  {needs = {"prune=false"}, adapt = require "prune.normalised"})
