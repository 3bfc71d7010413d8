-- The same, pruned to 90 % while it trains. Masks are drawn once per forward pass: in a run this short that is better
-- than the default, a draw at every step, and takes less time. First logits of 3, not 5, and a small weight let the
-- masks settle by the middle of the run, and the words decide more about which weights stay.
return {
  base = "shapes/updown",
  prune = {method = "supermask", target = 0.9, weight = 30, init = 3, draw = "forward"},
}
