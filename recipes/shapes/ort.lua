-- The Object Relation Transformer on generated scenes of shapes, small: a quick look.
return {
  base = "shapes/updown",
  model = {name = "ort", size = 96, inner = 192, layers = 2, heads = 4, dropout = 0, inner_dropout = 0},
  optim = {lr = schedule.noam {size = 96, warmup = 400}, beta2 = 0.98, eps = 1e-9},
}
