-- ACORT, small.
return {
  base = "coco/acort",
  model = {size = 256, inner = 1024},
  optim = {lr = schedule.noam {size = 256, warmup = 10000}},
}
