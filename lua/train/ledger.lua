--- What each layer of a model costs: weights, bytes in each form, multiply-accumulates for an image.
--
-- A weight that is 0 costs no multiply-accumulate where the product is sparse; additions of biases, activations and
-- the softmax are not counted.
-- @module train.ledger
local sizes = require "train.sizes"

local ledger = {}

--- An image where nothing is known: regions, and steps of the decoder.
ledger.USUAL = {regions = 36, words = 10}

--- Measure a model, masks multiplied in.
-- @tparam nn.Module model; uses(name, image), where the class has it, says how often the weights of a parameter are
-- multiplied
-- @tparam table image regions, words (the step that ends a caption included); means may have fractions
-- @treturn table rows and total as sizes.of gives them, with macs_dense and macs_sparse (nil where the model does not
-- say), and image
function ledger.of(model, image)
  local rows = sizes.of(model)
  local total = rows.total
  rows.image = image
  if not model.uses then return rows end
  total.macs_dense, total.macs_sparse = 0, 0
  for _, row in ipairs(rows) do
    local uses = model:uses(row.name, image)
    row.macs_dense = math.floor(uses * row.size + 0.5)
    row.macs_sparse = math.floor(uses * row.nonzeros + 0.5)
    total.macs_dense = total.macs_dense + row.macs_dense
    total.macs_sparse = total.macs_sparse + row.macs_sparse
  end
  return rows
end

local function sparsity_of(row)
  if row.sparsity then return ("%.5f"):format(row.sparsity) end
  return row.maskable and ("%.5f"):format(1 - row.nonzeros / math.max(1, row.size)) or ""
end

--- The table for other programs: a line per parameter and one for the total. Sparsity is empty where pruning may not
-- touch, bytes where a form cannot hold the values.
-- @tparam table rows from of
-- @treturn string comma-separated values
function ledger.csv(rows)
  local lines = {"layer,shape,size,nonzeros,sparsity," .. table.concat(sizes.FORMS, ",") .. ",macs_dense,macs_sparse"}
  local function add(row)
    local cells = {row.name, table.concat(row.shape, "x"), ("%d"):format(row.size), ("%d"):format(row.nonzeros),
                   sparsity_of(row)}
    for _, form in ipairs(sizes.FORMS) do cells[#cells + 1] = row[form] and ("%d"):format(row[form]) or "" end
    cells[#cells + 1] = row.macs_dense and ("%d"):format(row.macs_dense) or ""
    cells[#cells + 1] = row.macs_sparse and ("%d"):format(row.macs_sparse) or ""
    lines[#lines + 1] = table.concat(cells, ",")
  end
  for _, row in ipairs(rows) do add(row) end
  add(rows.total)
  return table.concat(lines, "\n") .. "\n"
end

return ledger
