-- The paper's scheme A: masks of encoder and decoder are learned together while only the decoder's weights train; then
-- masks stay and all weights are tuned.
return {
  base = "ucm/softattention-supermask",
  stages = {
    {epochs = 15, freeze = {"encoder.*"}},
    {epochs = 10, masks = "frozen", lr = schedule.cosine {from = 5e-4, to = 1e-5}},
  },
}
