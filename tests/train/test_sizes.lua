local lac = require "lac"
local check = require "check"
local Linear = require "nn.linear"
local sizes = require "train.sizes"

local T = {}

function T.rows_count_what_is_not_zero_and_totals_add_up()
  local model = Linear {inputs = 3, outputs = 2}
  model:load {weight = lac.tensor {{1, 2, 3}, {0, 5, 6}}, bias = lac.tensor {0.5, 0}}
  model.weight:set_mask(lac.tensor {{1, 0, 0}, {1, 1, 0}})
  local rows = sizes.of(model)
  local weight, bias = rows[1], rows[2]
  check.equal(weight.name, "weight")
  check.equal(weight.nonzeros, 2) -- the mask keeps three, one of them is 0
  check.equal(bias.nonzeros, 1)
  check.equal({weight.dense32, weight.dense16, weight.coo}, {24, 12, 40})
  check.equal({bias.dense32, bias.dense16, bias.coo}, {8, 4, 8})
  check.equal(rows.total.coo, 48)
  check.equal(rows.total.nonzeros, 3)
  check.close(rows.total.sparsity, 2 / 3, 1e-12)
  check.equal(rows.total.packed32, weight.packed32 + bias.packed32)
  model:close()
end

function T.a_form_that_cannot_hold_the_values_has_no_size()
  local model = Linear {inputs = 2, outputs = 8}
  model:load {weight = lac.zeros({8, 2}):fill(1e5), bias = lac.zeros {8}}
  local rows = sizes.of(model)
  check.equal(rows[1].packed16, nil)
  check.yes(rows[1].packed8 and rows[1].packed32)
  check.equal(rows.total.packed16, nil)
  model:close()
end

function T.large_dense_tensors_are_estimated_within_two_percent()
  local model = Linear {inputs = 2100, outputs = 2000}
  model:initialise(lac.rng(4))
  local rows = sizes.of(model)
  check.yes(rows[1].estimated and not rows[2].estimated and rows.total.estimated)
  local exact = #lac.pack.encode(model.weight.value, "float16")
  check.close(rows[1].packed16, exact, 0, 0.02)
  model:close()
end

return T
