--- Sparse from the start: every few steps the smallest weights go, and those come back whose gradient is largest.
-- Evci et al. 2020, "Rigging the lottery: making all tickets winners", with ERK and their update of 0.3 along a cosine.
-- @module prune.rigl
return require "prune.preset" ("prune.rigl", {
  score = "fabs(w)", regrow = "fabs(g)", scope = "erk", fraction = 0.3, every = "100 steps", last = "75 %",
  least = 10,
})
