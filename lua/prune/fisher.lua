--- Weights of a trained model go by the loss that their absence costs to second order, the diagonal of the Hessian
-- taken from squared gradients of batches: w^2 sum g^2 / 2.
--
-- `start` is the folder of a dense run; without it the run trains dense first.
-- LeCun, Denker and Solla 1990, "Optimal brain damage", equation 5; Theis et al. 2018, "Faster gaze prediction with
-- dense networks and Fisher pruning", equation 9. Squares are of batch means, not of single captions.
-- @module prune.fisher
return require "prune.preset" ("prune.fisher", {
  score = "0.5 * w * w * s", accumulate = "s + g * g", batches = 8, rounds = 1,
}, {needs = {"prune=false"}})
