-- Up-Down on generated scenes of shapes: a look at everything within two minutes on a laptop.
return {
  seed = 1,
  data = {name = "captions", path = "build/demo/shapes.h5", batch = 20, captions_per_image = 5, length = 20},
  model = {name = "updown", embed = 64, hidden = 128, attention = 64, dropout = 0.1},
  optim = {name = "adam", lr = schedule.cosine {from = 1e-2, to = 1e-5}, eps = 1e-2, clip_value = 0.1},
  stages = {{epochs = 8, loss = {name = "xent"}}},
  eval = {every = "2 epochs", beam = 1, test_beam = 2},
}
