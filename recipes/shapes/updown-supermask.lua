-- The same, pruned to 90 % while it trains. In a run this short the published settings prune too late to recover, so
-- masks are drawn once per forward pass, which is also faster than at every step; and a small weight on sparsity with
-- a high rate of the logits lets the words, not the sparsity, decide what stays.
return {
  base = "shapes/updown",
  prune = {method = "supermask", target = 0.9, weight = 10, lr = 3000, draw = "forward"},
}
