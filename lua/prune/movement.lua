--- Weights that move towards zero while they are trained go: s = - sum of w dL/dw, the smallest, along a cubic.
-- Sanh, Wolf and Rush 2020, "Movement pruning: adaptive sparsity by fine-tuning", equation 6. Their s takes steps of
-- a rate of its own; a constant rate does not change the order. Gradients are those of all weights.
-- @module prune.movement
return require "prune.preset" ("prune.movement", {
  score = "s", accumulate = "s - w * g", scope = "global", first = "1 epoch", last = "50 %", every = "1000 steps",
  least = 10,
})
