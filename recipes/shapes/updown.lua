-- Up-Down on generated scenes of shapes: a look at everything within minutes on a laptop.
-- Adam's eps is small and there is no dropout: the published settings need many more steps than this takes.
return {
  seed = 1,
  data = {name = "captions", path = "build/demo/shapes.h5", batch = 10, captions_per_image = 5, length = 20},
  model = {name = "updown", embed = 64, hidden = 224, attention = 64, dropout = 0},
  optim = {name = "adam", lr = schedule.cosine {from = 5e-3, to = 1e-5}, eps = 1e-6, clip_value = 0.1},
  stages = {{epochs = 10, loss = {name = "xent"}}},
  eval = {every = "2 epochs", beam = 1, test_beam = 2},
}
