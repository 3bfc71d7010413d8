-- Self-critical training of the model that coco/updown-supermask has pruned (prune.start is its run), with masks that
-- stay, as in the paper, which draws 60 samples for its sparse Up-Down and 15 for all others, and whose baseline is the
-- mean of all samples ("mean_all").
return {
  base = "coco/updown-supermask",
  data = {batch = 5},
  optim = {lr = 5e-5, eps = 1e-8},
  prune = {method = "freeze", start = "runs/coco-updown-supermask"},
  stages = {
    {epochs = 10, loss = {name = "scst", samples = 15, baseline = "mean", reward = {cider = 1, bleu = {0, 0, 0, 1}}}},
  },
  log = {every = 75},
}
