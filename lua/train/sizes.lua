--- How many bytes a model takes in each form, tensor by tensor.
-- @module train.sizes
local lac = require "lac"
local stats = require "prune.stats"
local storage = require "train.storage"

local sizes = {}

--- The forms, in the order of a table. coo is what the published programs write: 20 bytes per non-zero weight (two
-- int64 indices and a float32), everything else dense.
sizes.FORMS = {"dense32", "dense16", "packed32", "packed16", "packed8", "coo"}

local PACKED = {packed32 = "float32", packed16 = "float16", packed8 = "int8"}

-- Packing a dense tensor takes a tenth of a second per million elements, so large ones are judged by their first rows.
local SAMPLE = 1 << 20

-- The part of a tensor that is packed, and how many times as large the whole is.
local function sample(x, size, nonzeros)
  if nonzeros <= 4 * SAMPLE then return x, 1 end
  local all = x:shape(1)
  local rows = math.max(1, SAMPLE // (size // all))
  return x:slice(1, 1, rows), all / rows
end

local function measure(name, param)
  local scope <close> = lac.scope()
  local x = param:pruned()
  local size, nonzeros = x:numel(), stats.nonzeros(param)
  local row = {name = name, shape = x:shape(), size = size, nonzeros = nonzeros, maskable = param.maskable,
               idle = param.idle, buffer = param.buffer, dense32 = 4 * size, dense16 = 2 * size,
               coo = param.maskable and 20 * nonzeros or 4 * size}
  local part, times = sample(x, size, nonzeros)
  row.estimated = times > 1
  for form, values in pairs(PACKED) do
    local good, bytes = pcall(storage.pack, part, storage.values_of(param, values), name)
    if good then row[form] = math.floor(#bytes * times) end
  end
  return row
end

--- Measure a model, masks multiplied in; packed sizes come from packing.
-- @tparam nn.Module model
-- @treturn table a row per parameter and buffer {name, shape, size, nonzeros, maskable, idle, buffer, and the bytes in
-- each form, nil for one that cannot hold the values; estimated: whether the packed ones are of a part}, and total =
-- the sums, with sparsity = the share of zeros over weights that pruning touches
function sizes.of(model)
  local rows, total = {}, {name = "total", shape = {}, size = 0, nonzeros = 0, maskable_size = 0, maskable_nonzeros = 0}
  for _, form in ipairs(sizes.FORMS) do total[form] = 0 end
  for i, p in ipairs(model:tensors()) do
    local row = measure(p.name, p.param)
    rows[i] = row
    total.size, total.nonzeros = total.size + row.size, total.nonzeros + row.nonzeros
    total.estimated = total.estimated or row.estimated
    if row.maskable and not row.idle then
      total.maskable_size = total.maskable_size + row.size
      total.maskable_nonzeros = total.maskable_nonzeros + row.nonzeros
    end
    for _, form in ipairs(sizes.FORMS) do total[form] = total[form] and row[form] and total[form] + row[form] end
  end
  total.sparsity = total.maskable_size > 0 and 1 - total.maskable_nonzeros / total.maskable_size or 0
  rows.total = total
  return rows
end

return sizes
