-- The paper's scheme B: a dense decoder first; then encoder and decoder are pruned together while both are tuned.
return {
  base = "ucm/softattention-supermask",
  stages = {
    {epochs = 15, freeze = {"encoder.*"}, masks = "frozen"},
    {epochs = 10, lr = schedule.cosine {from = 5e-4, to = 1e-5}},
  },
}
