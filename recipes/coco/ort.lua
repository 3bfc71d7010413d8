-- The Object Relation Transformer on MS-COCO with bottom-up features and their boxes: the dense baseline of Tan, Chan
-- and Chuah 2022.
return {
  base = "coco/updown",
  model = {name = "ort", size = 512, inner = 2048, layers = 6, heads = 8, dropout = 0.5, inner_dropout = 0.1},
  optim = {lr = schedule.noam {size = 512, warmup = 10000}, beta2 = 0.98, eps = 1e-9},
}
