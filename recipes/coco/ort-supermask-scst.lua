-- Self-critical training of the model that coco/ort-supermask has pruned (prune.start is its run), with masks that
-- stay, as in the paper.
return {
  base = "coco/ort-supermask",
  data = {batch = 5},
  optim = {lr = 5e-5, beta2 = 0.999, eps = 1e-8},
  prune = {method = "freeze", start = "runs/coco-ort-supermask"},
  stages = {
    {epochs = 10, loss = {name = "scst", samples = 15, baseline = "mean", reward = {cider = 1, bleu = {0, 0, 0, 1}}}},
  },
  log = {every = 75},
}
