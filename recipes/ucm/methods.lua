-- For comparing pruning methods: the small Up-Down, trained in a third of the time with a smaller eps.
-- lacuna sweep recipes/ucm/methods.lua prune.method=... prune.target=0.8,0.9,0.95,0.975 seed=1,2
return {
  base = "ucm/updown",
  optim = {lr = schedule.cosine {from = 5e-3, to = 1e-5}, eps = 1e-4},
  stages = {{epochs = 5}},
  eval = {every = "5 epochs"},
  methods = {
    supermask = {weight = 120, draw = "forward"},
    rigl = {every = "10 steps"},
  },
}
