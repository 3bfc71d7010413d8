-- The paper's scheme B: a dense decoder first; then encoder and decoder are pruned together while both are tuned.
return {
  base = "ucm/softattention-supermask",
  stages = {
    {epochs = 15, freeze = {"encoder.*"}, masks = "frozen"},
    {epochs = 5, lr = schedule.cosine {from = 1e-3, to = 1e-5}},
  },
}
