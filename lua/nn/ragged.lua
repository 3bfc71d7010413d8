--- Rows without padding: captions of different lengths, images with different numbers of regions.
-- @module nn.ragged
local lac = require "lac"

local ragged = {}

--- Rows at each step, and the words of all steps in one list. Where captions end, rows end: the first ones stay.
-- @tparam table batch counts and words [sum of counts], or words [steps, rows]
-- @treturn table counts
-- @treturn tensor words i32 [sum of counts], step after step
function ragged.steps(batch)
  if batch.counts then return batch.counts, batch.words end
  local steps, rows = batch.words:shape(1), batch.words:shape(2)
  local counts = {}
  for t = 1, steps do counts[t] = rows end
  return counts, batch.words:reshape(steps * rows)
end

--- What a model sees of the images of a batch, with the image of each caption.
-- @tparam nn.Module model
-- @tparam table batch as for the model's forward; seen: what encode gave for these images, if that is known already
-- @treturn table
function ragged.seen(model, batch)
  local seen = {}
  for name, x in pairs(batch.seen or model:encode(batch)) do seen[name] = x end
  seen.owners, seen.members = batch.owners, batch.members
  return seen
end

--- Some rows of every tensor.
-- @tparam table tensors name -> tensor
-- @tparam integer at the first row
-- @tparam integer rows
-- @treturn table name -> slice
function ragged.rows(tensors, at, rows)
  local part = {}
  for name, x in pairs(tensors) do part[name] = x:slice(1, at, rows) end
  return part
end

--- The state of the rows that go on, which are the first.
-- @tparam table state name -> tensor
-- @tparam integer n
-- @treturn table
function ragged.first(state, n)
  local _, any = next(state)
  return any:shape(1) == n and state or ragged.rows(state, 1, n)
end

--- The same words caption after caption.
-- @tparam table counts rows at each step, never more than at the one before
-- @treturn table of i32 tensors: order [words], where each word is among those step after step; back [words], the
-- other way round; places [words], the step of each word, from 0; and of lists: queries [captions + 1], where each
-- caption begins; keys [captions], {where it begins, how many words it has}; for lac.segments
function ragged.by_caption(counts)
  local begins, at = {}, 0
  for t, rows in ipairs(counts) do begins[t], at = at, at + rows end
  local order, back, places, queries, keys = {}, {}, {}, {0}, {}
  for row = 1, counts[1] do
    local t = 1
    while counts[t] and counts[t] >= row do
      local from = begins[t] + row - 1
      order[#order + 1], places[#places + 1] = from, t - 1
      back[from + 1], t = #order - 1, t + 1
    end
    keys[row] = {queries[row], #order - queries[row]}
    queries[row + 1] = #order
  end
  return {order = lac.tensor(order, "i32"), back = lac.tensor(back, "i32"), places = lac.tensor(places, "i32"),
          queries = queries, keys = keys}
end

-- How many regions each image has: batch.regions, or what the mask says.
local function region_counts(batch)
  if batch.regions then return batch.regions end
  local images, most, counts = batch.att:shape(1), batch.att:shape(2), {}
  local mask = batch.mask and batch.mask:totable()
  for i = 1, images do
    counts[i] = most
    while mask and counts[i] > 0 and mask[i][counts[i]] == 0 do counts[i] = counts[i] - 1 end
  end
  return counts
end

--- The regions of images below each other.
-- @tparam table batch att [images, most, width]; regions: how many each image has, a list; or mask [images, most], 1
-- for them and 0 behind; else all are regions
-- @treturn tensor rows [regions, width]
-- @treturn table of lists: queries [images + 1], where each image begins; keys [images], {where it begins, how many
-- regions it has}; for lac.segments
-- @raise an image without regions, or with more than there are
function ragged.regions(batch)
  local images, most, width = batch.att:shape(1), batch.att:shape(2), batch.att:shape(3)
  local counts = region_counts(batch)
  if #counts ~= images then error(("there are %d images, but regions of %d"):format(images, #counts), 0) end
  local index, queries, keys = {}, {0}, {}
  for i, count in ipairs(counts) do
    if count < 1 or count > most then
      error(("image %d has %d regions, but there are features of %d"):format(i, count, most), 0)
    end
    for s = 0, count - 1 do index[#index + 1] = (i - 1) * most + s end
    keys[i] = {queries[i], count}
    queries[i + 1] = #index
  end
  local rows = batch.att:reshape(images * most, width)
  if #index < images * most then rows = lac.embedding(rows, lac.tensor(index, "i32")) end
  return rows, {queries = queries, keys = keys}
end

--- What captions see of images, some of them of no caption.
-- @tparam table seen from a model's encode
-- @tparam table owners the image of each caption, from 0
-- @treturn table with tensors owners [captions] and members [images, most captions of one]; see lac.attention
function ragged.owned(seen, owners)
  local members, most, out = {}, 1, {}
  for i = 1, seen.images do members[i] = {} end
  for row, image in ipairs(owners) do
    local of_image = members[image + 1]
    of_image[#of_image + 1] = row - 1
    most = math.max(most, #of_image)
  end
  for _, of_image in ipairs(members) do
    for j = #of_image + 1, most do of_image[j] = #owners end -- no row
  end
  for name, x in pairs(seen) do out[name] = x end
  out.owners, out.members = lac.tensor(owners, "i32"), lac.tensor(members, "i32")
  return out
end

return ragged
