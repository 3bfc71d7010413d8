-- Self-critical training of the model that ucm/updown-supermask has pruned (prune.start is its run), with masks that
-- stay. Dropout stays too: without it words become certain, gradients vanish but for chance, and Adam makes large
-- steps of that chance.
return {
  base = "ucm/updown",
  data = {batch = 5},
  optim = {lr = 5e-4, eps = 1e-8},
  prune = {method = "freeze", start = "runs/ucm-updown-supermask"},
  stages = {
    {epochs = 10, loss = {name = "scst", samples = 15, baseline = "mean", reward = {cider = 1, bleu = {0, 0, 0, 1}}}},
  },
  eval = {every = "1 epoch"},
}
