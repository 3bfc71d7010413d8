--- What is dropped together: single weights, N of every M, or blocks.
--
-- * "weights": each by itself
-- * "N:M" as in "2:4": N of every M weights that follow each other in a row stay; then there is no other target.
--   Mishra et al. 2021, "Accelerating sparse deep neural networks"
-- * "RxC" as in "4x4": blocks of R rows and C columns by the sum of their scores. Narang et al. 2017, "Block-sparse
--   recurrent neural networks"
-- @module prune.layout
local lac = require "lac"
local blame = require "core.blame"

local layout = {}

local LONGEST = 256 -- M of "N:M", as lac.smallest_of_groups takes it

--- @tparam string text
-- @tparam string name of the method, for messages
-- @treturn table kind = "weights"; "groups" with keep, of; or "blocks" with rows, columns
function layout.parse(text, name)
  if text == "weights" then return {kind = "weights"} end
  local keep, of = text:match("^(%d+):(%d+)$")
  if keep then
    keep, of = math.tointeger(tonumber(keep)), math.tointeger(tonumber(of))
    if keep and of and keep >= 1 and keep < of and of <= LONGEST then return {kind = "groups", keep = keep, of = of} end
    blame(('%s.layout: "%s" keeps none or all of its weights, or is too long; N:M needs 1 <= N < M <= %d'):format(
      name, text, LONGEST))
  end
  local rows, columns = text:match("^(%d+)x(%d+)$")
  rows, columns = math.tointeger(tonumber(rows)), math.tointeger(tonumber(columns))
  if rows and columns and rows >= 1 and columns >= 1 and rows * columns > 1 then
    return {kind = "blocks", rows = rows, columns = columns}
  end
  blame(('%s.layout: expected "weights", N:M as in "2:4" or RxC as in "4x4", got "%s"'):format(name, text))
end

--- Whether a tensor can be divided so.
-- @tparam table how from parse
-- @tparam table part name, shape
-- @tparam string name of the method, for messages
-- @raise names the tensor
function layout.check(how, part, name)
  if how.kind == "weights" then return end
  local shape = part.shape
  local width = shape[#shape]
  if how.kind == "groups" and width % how.of ~= 0 then
    blame(('%s.layout: the rows of %s have %d weights, which is no multiple of %d, so "%d:%d" does not fit; freeze it '
      .. 'or choose another layout'):format(name, part.name, width, how.of, how.keep, how.of))
  end
  if how.kind == "blocks" and (#shape ~= 2 or shape[1] % how.rows ~= 0 or width % how.columns ~= 0) then
    blame(('%s.layout: %s is [%s], which does not divide into blocks of %dx%d; freeze it or choose another layout')
      :format(name, part.name, table.concat(shape, ", "), how.rows, how.columns))
  end
end

--- Scores of what is ranked: of blocks where they are dropped together.
-- @tparam table how
-- @tparam tensor score [rows, columns]
-- @treturn tensor
function layout.gather(how, score)
  if how.kind ~= "blocks" then return score end
  local rows, columns = score:shape(1) // how.rows, score:shape(2) // how.columns
  return score:reshape(rows, how.rows, columns, how.columns):sum(4):sum(2):reshape(rows, columns)
end

--- A mask of what was ranked as a mask of weights.
-- @tparam table how
-- @tparam tensor mask from ranking
-- @tparam table shape of the weights
-- @treturn tensor
function layout.spread(how, mask, shape)
  if how.kind ~= "blocks" then return mask end
  local rows, columns = mask:shape(1), mask:shape(2)
  local ones = lac.zeros {1, how.rows, 1, how.columns}:fill(1)
  return (mask:reshape(rows, 1, columns, 1) * ones):reshape(shape)
end

return layout
