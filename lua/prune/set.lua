--- Sparse from the start: after every epoch the smallest weights go, and others come back by lot.
-- Mocanu et al. 2018, "Scalable training of artificial neural networks with adaptive sparse connectivity". They drop
-- the same share each time; here the share falls along a cosine, as in RigL.
-- @module prune.set
return require "prune.preset" ("prune.set", {
  score = "fabs(w)", regrow = "u", scope = "er", fraction = 0.3, every = "1 epoch", least = 10,
})
