-- The Object Relation Transformer on UCM-Captions, small; the boxes are the cells of the grid that features come from.
return {
  base = "ucm/updown",
  model = {name = "ort", size = 128, inner = 512, layers = 3, heads = 4, dropout = 0.1, inner_dropout = 0.1},
  optim = {lr = schedule.warmup {steps = 200, to = schedule.cosine {from = 1e-3, to = 1e-5}}, beta2 = 0.98, eps = 1e-9},
}
