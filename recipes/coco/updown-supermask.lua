-- The same, pruned to 97.5 % while it trains.
return {
  base = "coco/updown",
  model = {dropout = 0.1},
  prune = {method = "supermask", target = 0.975, weight = 120, init = 5, lr = 100},
}
