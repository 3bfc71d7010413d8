--- Masks and weights of another run, `start`; the masks stay.
-- @module prune.freeze
return require "prune.preset" ("prune.freeze", {masks = "start"})
