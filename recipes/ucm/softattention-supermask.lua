-- The same, pruned (the paper's scheme C): the decoder while it trains, then the encoder while both are tuned and the
-- decoder's masks stay. prune.target=0.95 for fewer weights.
--
-- Masks of the encoder are rounded, not drawn: a network of many layers that was trained without masks does not bear
-- that some of its weights are missing at every step. And their Adam has no eps to speak of, so that logits move by the
-- rate however large their gradients are: with the usual eps = 0.01 and rate 100 the weights that matter most, whose
-- gradients are largest, are gone within a few steps.
return {
  base = "ucm/softattention",
  prune = {
    method = "supermask", target = 0.8, weight = 120, draw = "forward", rounded = {"encoder.*"}, lr = 0.03, eps = 1e-8,
  },
  stages = {
    {epochs = 15, freeze = {"encoder.*"}, masks = {"not:encoder.*"}},
    {epochs = 10, masks = {"encoder.*"}, lr = schedule.cosine {from = 5e-4, to = 1e-5}},
  },
}
