-- Soft-Attention on MS-COCO: the dense decoder of Tan, Chan and Chuah 2022, with model.cell=gru for their other one.
-- The data are grid features of Inception-V1, made beforehand: 196 cells of 832 numbers (Mixed_4f) and, as the vector
-- of the whole image, the 1024 of Mixed_5c's mean (fc beside the features, see lacuna data build). A step sees 32
-- captions of as many images; 531,325 steps are 30 times all captions. The weight decay counts every parameter.
return {
  seed = 48964896,
  data = {name = "captions", path = "data/coco-inception.h5", batch = 32, captions_per_image = 1, length = 22},
  model = {name = "softattention", cell = "lstm", embed = 256, hidden = 512, attention = 512, dropout = 0.35,
           attention_dropout = 0.1},
  optim = {name = "adam", form = "tensorflow", lr = schedule.cosine {from = 1e-2, to = 1e-5}, eps = 1e-2,
           weight_decay = 1e-5},
  stages = {{steps = 531325, loss = {name = "xent"}}},
  eval = {every = "17710 steps", beam = 3, test_beam = 3, length = 30, keep = "cider"},
  save = {every = "8855 steps"},
}
