-- The same, pruned to 90 % while it trains; prune.target=0.975 for fewer weights. Masks are drawn once per forward
-- pass: on these data that does no worse than a draw at every time step, and takes half the time.
return {
  base = "ucm/updown",
  prune = {method = "supermask", target = 0.9, weight = 120, draw = "forward"},
}
