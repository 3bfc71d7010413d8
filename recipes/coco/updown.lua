-- Up-Down on MS-COCO with bottom-up features: the dense baseline of Tan, Chan and Chuah 2022.
return {
  seed = 8888,
  data = {name = "captions", path = "data/coco.h5", batch = 15, captions_per_image = 5, length = 18},
  model = {name = "updown", embed = 1000, hidden = 1000, attention = 512, dropout = 0.5},
  optim = {name = "adam", lr = schedule.cosine {from = 1e-2, to = 1e-5}, eps = 1e-2, clip_value = 0.1},
  stages = {{epochs = 15, loss = {name = "xent"}}},
  eval = {every = "6000 steps", beam = 1, metrics = {"bleu", "rouge", "cider"}, keep = "cider"},
}
