-- Self-critical training of the model that ucm/updown-supermask has pruned (prune.start is its run), with masks that
-- stay. Without dropout, so that the network that is taught captions is the one that drew them.
return {
  base = "ucm/updown",
  data = {batch = 5},
  model = {dropout = 0},
  optim = {lr = schedule.warmup {steps = 300, to = schedule.linear {from = 3e-4}}, eps = 1e-8},
  prune = {method = "freeze", start = "runs/ucm-updown-supermask"},
  stages = {
    {epochs = 10, loss = {name = "scst", samples = 15, baseline = "mean", reward = {cider = 1, bleu = {0, 0, 0, 1}}}},
  },
  eval = {every = "1 epoch"},
}
