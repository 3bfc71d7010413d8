-- The same, pruned to 90 % while it trains.
return {
  base = "shapes/updown",
  prune = {method = "supermask", target = 0.9, weight = 120},
}
