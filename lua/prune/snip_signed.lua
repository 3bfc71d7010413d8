--- SNIP without the absolute value, as Tan, Chan and Chuah's program computes it: saliencies w dL/dw divided by their
-- sum, the smallest go. Where the sum is negative the order turns round. For reproducing published numbers.
-- @module prune.snip_signed
return require "prune.preset" ("prune.snip_signed", {score = "s / total", accumulate = "s + w * g", batches = 1})
