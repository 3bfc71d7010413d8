-- ACORT, base: the same transformer with two layers of weights a side, keys that are values, and radix tokens of base
-- 768, two to a word: data/coco-radix.h5 is built with --tokenizer radix.
-- Tan, Tan, Chan and Chuah 2022, "ACORT: a compact object relation transformer for parameter efficient image
-- captioning".
return {
  base = "coco/ort",
  data = {path = "data/coco-radix.h5", length = 26},
  model = {name = "acort", size = 512, inner = 2048, heads = 8, dropout = 0.5, inner_dropout = 0.1,
    share_att_encoder = "kv", share_layer_encoder = {0, 0, 0, 1, 1, 1},
    share_att_decoder = "kv", share_layer_decoder = {0, 0, 0, 1, 1, 1}},
}
