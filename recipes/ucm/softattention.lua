-- Soft-Attention on UCM-Captions from picture files: the decoder learns first, behind a MobileNet that stays as it was
-- trained on ImageNet; then both are tuned together.
return {
  seed = 1,
  data = {name = "captions", path = "data/ucm-pictures.h5", batch = 15, captions_per_image = 5, length = 24},
  model = {
    name = "softattention", cell = "lstm", embed = 96, hidden = 256, attention = 128, dropout = 0.11,
    attention_dropout = 0.03,
    encoder = {name = "mobilenet_v1", weights = "data/mobilenet_v1_0.25_128.h5"},
  },
  optim = {name = "adam", lr = schedule.cosine {from = 1e-2, to = 1e-5}, eps = 1e-2, clip_value = 0.1},
  stages = {
    {epochs = 15, freeze = {"encoder.*"}},
    {epochs = 10, lr = schedule.cosine {from = 5e-4, to = 1e-5}},
  },
  eval = {every = "5 epochs", beam = 1, test_beam = 1, length = 22},
}
