local lac = require "lac"
local check = require "check"
local lesson = require "data.lesson"

local T = {}

function T.words_lie_step_after_step_and_captions_end_one_by_one()
  local scope <close> = lac.scope()
  -- two images with two captions each: of 3, 4, 4 and 2 ids
  local tokens, starts = {2, 5, 3, 2, 6, 7, 3, 2, 8, 9, 3, 2, 3}, {0, 3, 7, 11}
  local taught = lesson(tokens, starts, {3, 4, 4, 2}, 2)
  check.equal(taught.counts, {4, 3, 2}) -- captions 2, 3, 1, 4
  check.equal(taught.words:totable(), {2, 2, 2, 2, 6, 8, 5, 7, 9})
  check.equal(taught.target_list, {6, 8, 5, 3, 7, 9, 3, 3, 3})
  check.equal(taught.targets:totable(), taught.target_list)
  check.equal(taught.word_rows, {2, 3, 1, 4, 2, 3, 1, 2, 3})
  check.equal(taught.owners:totable(), {0, 1, 0, 1})
  check.equal(taught.owner_list, {0, 1, 0, 1})
  check.equal(taught.word_owners:totable(), {0, 1, 0, 1, 0, 1, 0, 0, 1})
  check.equal(taught.members:totable(), {{0, 2}, {1, 3}})
  check.equal(taught.weights:totable(), {1, 1, 1, 1, 1, 1, 1, 1, 1})
end

return T
