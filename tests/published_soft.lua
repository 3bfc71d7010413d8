--- The variables of a small Soft-Attention under the names that the published TensorFlow program gives them, filled by
-- the rule of tests/fill.lua: those of the equations' golden numbers.
-- @module published_soft
local fill = require "fill"

local published_soft = {VOCAB = 12, POSITIONS = 3, FEATURES = 7, IMAGE = 6}

local SCOPE = "Model/decoder/rnn_decoder/"

-- End of the name, which decides the values; what stands before it in a file; shape, where "features" and "image" are
-- the numbers per position and per image.
local COMMON = {
  {"embedding_map", "", {12, 5}}, {"rnn_initial_state/kernel", "", {"image", 4}},
  {"memory_layer/kernel", "", {"features", 4}}, {"value_layer/kernel", "", {"features", 4}},
  {"query_layer/kernel", "decoder/MultiHeadAdd/", {4, 4}},
  {"attention_v", "decoder/MultiHeadAdd/", {4}}, {"output_projection/kernel", "decoder/", {4, 12}},
  {"output_projection/bias", "decoder/", {12}},
}
local CELLS = {
  lstm = {{"basic_lstm_cell/kernel", "decoder/", {13, 16}}, {"basic_lstm_cell/bias", "decoder/", {16}}},
  gru = {{"gru_cell/gates/kernel", "decoder/", {13, 8}}, {"gru_cell/gates/bias", "decoder/", {8}},
         {"gru_cell/candidate/kernel", "decoder/", {13, 4}}, {"gru_cell/candidate/bias", "decoder/", {4}}},
}

--- @tparam string cell "lstm" or "gru"
-- @tparam[opt] table sizes features and image, in place of FEATURES and IMAGE
-- @treturn table full name -> tensor
function published_soft.variables(cell, sizes)
  sizes = sizes or {features = published_soft.FEATURES, image = published_soft.IMAGE}
  local out = {}
  for _, list in ipairs {COMMON, CELLS[cell]} do
    for _, row in ipairs(list) do
      local rows, columns = sizes[row[3][1]] or row[3][1], row[3][2]
      out[SCOPE .. row[2] .. row[1]] = fill.tensor(row[1], {rows, columns}, 2)
    end
  end
  return out
end

--- The published id of an id of ours: words from 0, then unknown, begin, end and one that is never used.
function published_soft.id(id)
  local words = published_soft.VOCAB - 4
  return id >= 4 and id - 4 or ({[0] = words + 3, words, words + 1, words + 2})[id]
end

return published_soft
