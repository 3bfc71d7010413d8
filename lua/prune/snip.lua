--- Weights go before training by how much the loss would change without them, |w dL/dw|.
-- Lee, Ajanthan and Torr 2019, "SNIP: single-shot network pruning based on connection sensitivity", equation 5.
-- @module prune.snip
return require "prune.preset" ("prune.snip", {score = "fabs(s)", accumulate = "s + w * g", batches = 1})
