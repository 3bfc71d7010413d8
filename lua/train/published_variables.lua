--- The variables of Tan, Chan and Chuah's TensorFlow program (Soft-Attention) -> parameters of models.softattention.
--
-- A file holds them under their names, in any scopes: what counts is the end of a name. Matrices are [inputs, outputs]
-- there; the LSTM's blocks are i, j, f, o, here i, f, j, o, and what is added to f is no parameter in either. Ids are
-- words from 0, then unknown, begin, end and one that is never used; here that one, unknown, begin, end, then words.
-- @module train.published_variables
local lac = require "lac"
local keys = require "core.keys"
local masked = require "train.variable_mask"

local published_variables = {}

local MARKS = 4 -- ids that are no words

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local function columns(x)
  return x:transpose():contiguous()
end

local function as_it_is(x)
  return x
end

-- Rows by id, in the order of ours.
local function by_id(x)
  local words = x:shape(1) - MARKS
  return lac.concat({x:slice(1, words + 4, 1), x:slice(1, words + 1, 3), x:slice(1, 1, words)}, 1)
end

-- The blocks i, j, f, o of rows as i, f, j, o.
local function gates(x)
  local n = x:shape(1) // 4
  return lac.concat({x:slice(1, 1, n), x:slice(1, 2 * n + 1, n), x:slice(1, n + 1, n), x:slice(1, 3 * n + 1, n)}, 1)
end

local function classifier(x)
  return by_id(columns(x))
end

local function lstm_matrix(x)
  return gates(columns(x))
end

local function as_row(x)
  return x:reshape(1, x:numel())
end

-- End of a variable's name, dimensions, our name, what is done to it.
local ROWS = {
  {"embedding_map", 2, "embed.weight", by_id},
  {"rnn_initial_state/kernel", 2, "start.weight", columns},
  {"memory_layer/kernel", 2, "keys.weight", columns},
  {"value_layer/kernel", 2, "values.weight", columns},
  {"query_layer/kernel", 2, "attention.h2att.weight", columns},
  {"attention_v", 1, "attention.alpha_net.weight", as_row},
  {"output_projection/kernel", 2, "logit.weight", classifier},
  {"output_projection/bias", 1, "logit.bias", by_id},
}
local LSTM = {
  {"basic_lstm_cell/kernel", 2, "cell.gates.weight", lstm_matrix},
  {"basic_lstm_cell/bias", 1, "cell.gates.bias", gates},
}
local GRU = {
  {"gru_cell/gates/kernel", 2, "cell.gates.weight", columns},
  {"gru_cell/gates/bias", 1, "cell.gates.bias", as_it_is},
  {"gru_cell/candidate/kernel", 2, "cell.candidate.weight", columns},
  {"gru_cell/candidate/bias", 1, "cell.candidate.bias", as_it_is},
}

-- Names of what an optimiser keeps, and of counters.
local OTHERS = {"/Adam$", "/Adam_%d+$", "/Momentum$", "beta%d_power$", "beta%d_power_%d+$", "global_step$"}

local function is_end(name, tail)
  return name == tail or name:sub(-#tail - 1) == "/" .. tail
end

-- The full name that ends so, nil where there is none.
local function find(tensors, tail, path)
  local found
  for _, name in ipairs(keys(tensors)) do
    if is_end(name, tail) then
      if found then fail(path, "both %s and %s end in %s", found, name, tail) end
      found = name
    end
  end
  return found
end

--- Whether tensors are such variables.
-- @tparam table tensors name -> tensor
-- @tparam string path quoted in messages
-- @treturn boolean
function published_variables.are(tensors, path)
  return find(tensors, "embedding_map", path) ~= nil and find(tensors, "output_projection/kernel", path) ~= nil
end

local function float(x)
  return x:dtype() == "i32" and x:to_f32() or x
end

-- What one row says, read; returns the names it used up.
local function take(tensors, row, out, path)
  local tail, rank, own, convert = table.unpack(row)
  local name = find(tensors, tail, path)
  if not name then fail(path, "the variable %s is missing", tail) end
  local x, mask_name = tensors[name], find(tensors, tail .. "/mask", path)
  local mask = mask_name and tensors[mask_name]
  if #x:shape() ~= rank then fail(path, "the variable %s has %d dimensions in place of %d", name, #x:shape(), rank) end
  if (convert == by_id and x:shape(1) or convert == classifier and x:shape(2) or 5) <= MARKS then
    fail(path, "the variable %s has no words", name)
  end
  out[own] = convert(mask and masked(float(x), float(mask), mask_name, path) or float(x))
  return name, mask_name
end

-- Whether an optimiser keeps it, or it is a counter.
local function is_other(name)
  for _, pattern in ipairs(OTHERS) do
    if name:find(pattern) then return true end
  end
  return false
end

local function rows_of(tensors, path)
  local lstm, gru = find(tensors, "basic_lstm_cell/kernel", path), find(tensors, "gru_cell/gates/kernel", path)
  if (lstm == nil) == (gru == nil) then
    fail(path, "it must hold the variable basic_lstm_cell/kernel or gru_cell/gates/kernel%s",
      lstm and ", not both" or "")
  end
  local rows = lstm and LSTM or GRU
  return table.move(ROWS, 1, #ROWS, #rows + 1, table.move(rows, 1, #rows, 1, {}))
end

--- Make parameters of variables; masks are multiplied into their weights. These variables and the optimiser's are
-- closed and taken out; what is left are those of the image encoder.
-- @tparam table tensors name -> tensor, changed
-- @tparam string path quoted in messages
-- @treturn table name -> tensor
-- @treturn boolean whether there were masks
-- @treturn integer how many variables an optimiser and counters had
-- @raise what is missing, does not fit or has no place here
function published_variables.convert(tensors, path)
  local scope <close> = lac.scope()
  local out, used, pruned, others = {}, {}, false, 0
  for _, row in ipairs(rows_of(tensors, path)) do
    local name, mask = take(tensors, row, out, path)
    used[name] = true
    if mask then used[mask], pruned = true, true end
  end
  for _, name in ipairs(keys(tensors)) do
    local other = not used[name] and is_other(name)
    local encoder = not used[name] and not other and name:find("encoder/", 1, true)
    if not (used[name] or other or encoder) then
      fail(path, "the variable %s has no place in this program's Soft-Attention", name)
    end
    if other then others = others + 1 end
    used[name] = not encoder
  end
  for name, x in pairs(out) do out[name] = scope:keep(x:clone()) end -- some are views
  for name, gone in pairs(used) do
    if gone then
      tensors[name]:close()
      tensors[name] = nil
    end
  end
  return out, pruned, others
end

return published_variables
