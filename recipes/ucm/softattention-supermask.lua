-- The same, pruned (the paper's scheme C): the decoder while it trains, then the encoder while both are tuned and the
-- decoder's masks stay. prune.target=0.95 for fewer weights.
return {
  base = "ucm/softattention",
  prune = {method = "supermask", target = 0.8, weight = 120, draw = "forward"},
  stages = {
    {epochs = 15, freeze = {"encoder.*"}, masks = {"not:encoder.*"}},
    {epochs = 5, masks = {"encoder.*"}, lr = schedule.cosine {from = 1e-3, to = 1e-5}},
  },
}
