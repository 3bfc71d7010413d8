-- The same, pruned to 90 % while it trains; prune.target=0.975 for fewer weights.
return {
  base = "ucm/updown",
  prune = {method = "supermask", target = 0.9, weight = 120},
}
