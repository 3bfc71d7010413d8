--- The lottery ticket with the masks of a gradually pruned model.
--
-- `start` is the folder of a run with prune.gradual; without it the run prunes gradually first, then rewinds and trains
-- once more. Tan, Chan and Chuah 2022, "End-to-end supermask pruning", section 4.
-- @module prune.lottery_gradual
return require "prune.preset" ("prune.lottery_gradual", {
  score = "fabs(w)", scope = "layer", first = "1 epoch", last = "50 %", every = "1000 steps", least = 10,
  rewind = "init", rounds = 1,
}, {
  needs = {"prune.method=gradual"},
  adapt = function(cfg)
    if cfg.start then cfg.masks, cfg.every = "start", nil end
    require "prune.normalised" (cfg)
  end,
})
