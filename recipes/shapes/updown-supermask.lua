-- The same, pruned to 90 % while it trains. In a run this short the published settings prune too late to recover, so:
-- masks are drawn once per forward pass, which is also faster than at every step; a small weight on sparsity and a
-- high rate of the logits let the words decide more about what stays, and do it by a third of the run.
return {
  base = "shapes/updown",
  prune = {method = "supermask", target = 0.9, weight = 30, lr = 600, draw = "forward"},
}
