-- Self-critical training of the model that ucm/updown-supermask has pruned, with masks that stay.
-- lacuna run recipes/ucm/updown-scst.lua prune.start=runs/ucm-updown-supermask
return {
  base = "ucm/updown",
  data = {batch = 5},
  optim = {lr = 5e-4, eps = 1e-8},
  prune = {method = "freeze"},
  stages = {{epochs = 10, loss = {name = "scst", samples = 15, baseline = "mean", reward = {cider = 1, bleu = {0, 0, 0, 1}}}}},
  eval = {every = "1 epoch"},
}
