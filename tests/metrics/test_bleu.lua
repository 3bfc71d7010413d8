local lac = require "lac"
local check = require "check"
local bleu = require "metrics.bleu"

local T = {}

local function score(hypothesis, ...)
  local captions <close> = lac.text.corpus({hypothesis}, {{...}})
  return bleu.score(captions).corpus
end

-- Papineni et al. 2002, section 2.1, example 2.
function T.a_repeated_word_counts_as_often_as_one_reference_has_it()
  local scores = score("the the the the the the the", "the cat is on the mat", "there is a cat on the mat")
  check.close(scores[1], 2 / 7, 1e-9)
end

function T.a_short_caption_pays_for_its_brevity()
  check.close(score("a b", "a b c d")[1], math.exp(1 - 2), 1e-8)
  check.close(score("a b c d", "a b")[1], 1 / 2, 1e-8)
end

function T.of_two_references_equally_close_the_shorter_counts()
  check.close(score("a b c d e", "a b c d", "a b c d e f")[1], 1, 1e-8)
  check.close(score("a b c d e", "a b c d e f", "a b c d")[1], 1, 1e-8)
  check.close(score("a b c d e", "a b c d e f")[1], math.exp(1 - 6 / 5), 1e-8)
end

function T.orders_are_geometric_means()
  -- 3 of 4 words, 1 of 3 pairs, no triple
  local scores = score("a b x c", "a b c d")
  check.close(scores[1], 3 / 4, 1e-8)
  check.close(scores[2], (3 / 4 * 1 / 3) ^ (1 / 2), 1e-8)
  check.close(scores[3], (3 / 4 * 1 / 3 * 1e-15 / 2) ^ (1 / 3), 1e-9)
end

function T.a_caption_too_short_for_an_order_has_the_published_constants()
  check.close(score("a b", "a b")[3], 1e-6 ^ (1 / 3), 1e-7) -- 1e-15 / 1e-9
  check.equal(score("", "a b")[1], 0.0)
end

function T.a_corpus_is_not_the_mean_of_its_images()
  local captions <close> = lac.text.corpus({"a b", "x"}, {{"a b"}, {"y"}})
  local result = bleu.score(captions)
  check.close({result.images[1][1], result.images[2][1]}, {1, 0}, 1e-8)
  check.close(result.corpus[1], 2 / 3, 1e-8)
end

return T
