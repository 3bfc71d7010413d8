--- Weights go by lot before training: the control.
-- @module prune.random
return require "prune.preset" ("prune.random", {score = "u", scope = "layer"})
