local lac = require "lac"
local check = require "check"
local rouge = require "metrics.rouge"

local T = {}

local function score(hypothesis, ...)
  local captions <close> = lac.text.corpus({hypothesis}, {{...}})
  return rouge.score(captions).corpus
end

-- Lin 2004, section 3.1.
function T.the_example_of_the_paper_comes_out()
  check.close(score("police kill the gunman", "police killed the gunman"), 3 / 4, 1e-12)
  check.close(score("the gunman kill police", "police killed the gunman"), 2 / 4, 1e-12)
end

function T.best_precision_and_best_recall_may_come_from_different_references()
  -- precision 3/4 from the second, recall 1 from the first
  local want = (1 + 1.44) * 0.75 / (1 + 1.44 * 0.75)
  check.close(score("a b c d", "a b", "a b c x y z"), want, 1e-12)
end

function T.an_empty_caption_is_one_empty_piece()
  check.equal(score("", "a b"), 0.0)
  check.equal(score("", ""), 1.0)
  check.close(score("a", "a", ""), 1, 1e-12)
end

function T.spaces_at_the_ends_are_pieces()
  check.close(score(" a", "a"), (1 + 1.44) * 0.5 / (1 + 1.44 * 0.5), 1e-12)
end

return T
