--- What pruning methods do, in plain Lua over lists of numbers: slow, obvious, and without a line of the library.
--
-- A tensor is a flat list, row after row; tensors that belong together are a list of these.
-- @module prune.plain
local plain = {}

--- Masks that drop the k smallest of all scores; of equal ones those that come first.
-- @tparam table lists of scores
-- @tparam integer k
-- @treturn table lists of 0 and 1
function plain.smallest(lists, k)
  local all, masks = {}, {}
  for i, list in ipairs(lists) do
    masks[i] = {}
    for j, score in ipairs(list) do
      masks[i][j] = 1
      all[#all + 1] = {score = score, at = #all, list = i, item = j}
    end
  end
  table.sort(all, function(a, b)
    if a.score ~= b.score then return a.score < b.score end
    return a.at < b.at
  end)
  for n = 1, k do masks[all[n].list][all[n].item] = 0 end
  return masks
end

--- Each list by itself.
-- @tparam table lists of scores
-- @tparam table counts how many go in each
function plain.smallest_each(lists, counts)
  local masks = {}
  for i, list in ipairs(lists) do masks[i] = plain.smallest({list}, counts[i])[1] end
  return masks
end

--- Of every `of` scores that follow each other all but `keep` go.
function plain.groups(list, keep, of)
  local mask = {}
  for first = 1, #list, of do
    local group = table.move(list, first, first + of - 1, 1, {})
    table.move(plain.smallest({group}, of - keep)[1], 1, of, first, mask)
  end
  return mask
end

--- Whole blocks of a matrix go, k of them, by the sums of their scores.
function plain.blocks(list, width, rows, columns, k)
  local sums, block = {}, {}
  for j = 1, #list do
    local row, column = (j - 1) // width, (j - 1) % width
    block[j] = row // rows * (width // columns) + column // columns + 1
    sums[block[j]] = (sums[block[j]] or 0) + list[j]
  end
  local kept, mask = plain.smallest({sums}, k)[1], {}
  for j = 1, #list do mask[j] = kept[block[j]] end
  return mask
end

--- Sparsity after the update at a step of the cubic from 0 at `first` to `final` at `last`.
function plain.cubic(final, first, last, step)
  local left = 1 - (step - first) / (last - first)
  return final - final * left * left * left
end

--- Zeros per tensor of the Erdos-Renyi distribution: the factor is searched for by bisection.
-- @tparam table shapes
-- @tparam number sparsity of all together
-- @tparam boolean kernel whether sizes after the first two count
function plain.erdos(shapes, sparsity, kernel)
  local raw, sizes, total = {}, {}, 0
  for i, shape in ipairs(shapes) do
    local sum, product = shape[1] + shape[2], shape[1] * shape[2]
    sizes[i] = product
    for d = 3, #shape do
      sizes[i] = sizes[i] * shape[d]
      if kernel then sum, product = sum + shape[d], product * shape[d] end
    end
    raw[i] = sum / product
    total = total + sizes[i]
  end
  local low, high = 0, 1e9
  for _ = 1, 200 do
    local factor, kept = (low + high) / 2, 0
    for i in ipairs(shapes) do kept = kept + math.min(1, factor * raw[i]) * sizes[i] end
    if kept < (1 - sparsity) * total then low = factor else high = factor end
  end
  local zeros = {}
  for i in ipairs(shapes) do zeros[i] = math.floor((1 - math.min(1, low * raw[i])) * sizes[i]) end
  return zeros
end

--- Of every number what `fn` makes of it and of those at its place in further lists of lists.
function plain.map(fn, lists, ...)
  local out, others = {}, {...}
  for i, list in ipairs(lists) do
    out[i] = {}
    for j, x in ipairs(list) do
      local args = {}
      for n, other in ipairs(others) do args[n] = other[i][j] end
      out[i][j] = fn(x, table.unpack(args))
    end
  end
  return out
end

--- The sum of all numbers.
function plain.sum(lists)
  local sum = 0
  for _, list in ipairs(lists) do
    for _, x in ipairs(list) do sum = sum + x end
  end
  return sum
end

--- How many numbers there are.
function plain.size(lists)
  local n = 0
  for _, list in ipairs(lists) do n = n + #list end
  return n
end

return plain
