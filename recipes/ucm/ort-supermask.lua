-- The same, pruned to 90 % while it trains.
return {
  base = "ucm/ort",
  prune = {method = "supermask", target = 0.9, weight = 120, beta2 = 0.98},
}
