-- Up-Down on UCM-Captions, small: the configuration that the published program was run with as a yardstick.
return {
  seed = 1,
  data = {name = "captions", path = "data/ucm.h5", batch = 15, captions_per_image = 5, length = 24},
  model = {name = "updown", embed = 96, hidden = 144, attention = 96, dropout = 0.1},
  optim = {name = "adam", lr = schedule.cosine {from = 1e-2, to = 1e-5}, eps = 1e-2, clip_value = 0.1},
  stages = {{epochs = 15, loss = {name = "xent"}}},
  eval = {every = "3 epochs", beam = 1, test_beam = 1, length = 22},
}
