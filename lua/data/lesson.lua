--- Captions as teacher forcing wants them, without padding: words and their targets step after step; captions that have
-- ended take no part.
-- @module data.lesson
local lac = require "lac"

-- Rows in the order of their captions' lengths, longest first, and by number where these are equal.
local function by_length(lengths)
  local rows = {}
  for r in ipairs(lengths) do rows[r] = r end
  table.sort(rows, function(a, b)
    if lengths[a] ~= lengths[b] then return lengths[a] > lengths[b] end
    return a < b
  end)
  return rows
end

-- The image of each sorted row, from 0, and the sorted rows of each image.
local function owners_of(rows, per_image)
  local owners, rows_of = {}, {}
  for i = 1, #rows // per_image do rows_of[i] = {} end
  for at, r in ipairs(rows) do
    owners[at] = (r - 1) // per_image
    table.insert(rows_of[owners[at] + 1], at - 1)
  end
  return owners, rows_of
end

--- Captions of images, `per_image` of each, those of an image together.
-- @tparam table tokens a list of ids, in which each caption begins with bos
-- @tparam table starts how many ids of that list are before each caption
-- @tparam table lengths ids of each caption, at least 2
-- @tparam integer per_image
-- @treturn table counts: how many captions there are at each step, the longest first, which end one by one; words [sum
-- of counts] i32, the ids that are fed, step after step; targets, the ids that follow; weights, ones; word_rows: a list
-- of the caption of each word, from 1; target_list: the targets as a list; owners [captions] i32, the image of each,
-- from 0 (owner_list: as a list); word_owners, that of each word; members [images, per_image] i32, the captions of each
-- image, from 0. For owners and members captions count in the order of their lengths, for word_rows as they are given.
-- The tensors belong to the current tape or scope.
return function(tokens, starts, lengths, per_image)
  local rows = by_length(lengths)
  local owners, rows_of = owners_of(rows, per_image)
  local words, targets, word_rows, word_owners, counts, n = {}, {}, {}, {}, {}, 0
  local live = #rows
  for t = 1, lengths[rows[1]] - 1 do
    while lengths[rows[live]] <= t do live = live - 1 end
    counts[t] = live
    for at = 1, live do
      local here = starts[rows[at]] + t
      n = n + 1
      words[n], targets[n], word_rows[n], word_owners[n] = tokens[here], tokens[here + 1], rows[at], owners[at]
    end
  end
  return {words = lac.tensor(words, "i32"), targets = lac.tensor(targets, "i32"), counts = counts,
          weights = lac.zeros({n}):fill(1), word_rows = word_rows,
          target_list = targets, owners = lac.tensor(owners, "i32"),
          owner_list = owners, word_owners = lac.tensor(word_owners, "i32"), members = lac.tensor(rows_of, "i32")}
end
