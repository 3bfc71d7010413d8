local lac = require "lac"
local check = require "check"

local T = {}

local function sigmoid(v) return 1 / (1 + math.exp(-v)) end
local function tanh(v) return (math.exp(2 * v) - 1) / (math.exp(2 * v) + 1) end

-- [batch, 4 hidden] with two hidden units: blocks i, f, g, o
local Z = {{0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, -0.8}, {1, 2, -1, -2, 0.5, -0.5, 0, 1.5}}
local C = {{0.2, -0.3}, {1.1, 0.4}}

function T.lstm_cell_follows_its_equations()
  local z <close> = lac.tensor(Z)
  local c <close> = lac.tensor(C)
  local h, c2 = lac.lstm_cell(z, c)
  local want_h, want_c = {}, {}
  for b = 1, 2 do
    want_h[b], want_c[b] = {}, {}
    for j = 1, 2 do
      local i, f, g, o = Z[b][j], Z[b][2 + j], Z[b][4 + j], Z[b][6 + j]
      want_c[b][j] = sigmoid(f) * C[b][j] + sigmoid(i) * tanh(g)
      want_h[b][j] = sigmoid(o) * tanh(want_c[b][j])
    end
  end
  check.close(h, want_h, 1e-6)
  check.close(c2, want_c, 1e-6)
  h:close()
  c2:close()
end

-- More units than a vector of the host has, and not a multiple.
function T.lstm_cells_of_any_width_are_what_their_equations_make()
  for _, hidden in ipairs {37, 5000} do
    local rng = lac.rng(hidden)
    local wide_z, wide_c = rng:normal {3, 4 * hidden}, rng:normal {3, hidden}
    local up_h, up_c = rng:normal {3, hidden}, rng:normal {3, hidden}
    local function results(cell)
      local scope <close> = lac.scope()
      local z, c_prev = wide_z:clone():requires_grad(true), wide_c:clone():requires_grad(true)
      local tape <close> = lac.tape()
      local h, c = cell(z, c_prev)
      tape:backward((h * up_h + c * up_c):sum())
      return h:totable(), c:totable(), z:grad():totable(), c_prev:grad():totable()
    end
    local got = {results(lac.lstm_cell)}
    local want = {results(function(z, c_prev)
      local i, f = z:slice(2, 1, hidden):sigmoid(), z:slice(2, hidden + 1, hidden):sigmoid()
      local g, o = z:slice(2, 2 * hidden + 1, hidden):tanh(), z:slice(2, 3 * hidden + 1, hidden):sigmoid()
      local c = f * c_prev + i * g
      return o * c:tanh(), c
    end)}
    for k = 1, 4 do check.close(got[k], want[k], 2e-6) end
    for _, t in ipairs {wide_z, wide_c, up_h, up_c} do t:close() end
  end
end

function T.lstm_cell_passes_nan_on()
  local scope <close> = lac.scope()
  local h, c = lac.lstm_cell(lac.tensor {{0 / 0, 0, 0, 0}, {0, 0, 0, 0}}, lac.tensor {{1}, {1}})
  check.yes(h:totable()[1][1] ~= h:totable()[1][1] and c:totable()[1][1] ~= c:totable()[1][1])
  check.close(c:totable()[2], {0.5}, 1e-6)
end

function T.lstm_cell_gradients_match_finite_differences_through_h_and_c()
  check.grad(function(z, c) return (lac.lstm_cell(z, c)) end, {Z, C})
  check.grad(function(z, c) return (select(2, lac.lstm_cell(z, c))) end, {Z, C})
  check.grad(function(z, c)
    local h, c2 = lac.lstm_cell(z, c)
    return h * c2
  end, {Z, C})
end

function T.lstm_cell_chains_over_steps()
  check.grad(function(z, c)
    local h
    for _ = 1, 3 do h, c = lac.lstm_cell(z, c) end
    return h
  end, {Z, C})
end

function T.lstm_cell_results_at_their_places_have_the_same_values_and_gradients()
  check.grad(function(z, c)
    local all_h, all_c, h = lac.zeros {4, 2}, lac.zeros {4, 2}, nil
    for t = 0, 1 do
      h, c = lac.lstm_cell(z, c, all_h:slice(1, 2 * t + 1, 2), all_c:slice(1, 2 * t + 1, 2))
    end
    return all_h * all_c + lac.concat({h, c}, 1) -- through the whole and through the parts
  end, {Z, C})
  local scope <close> = lac.scope()
  local z, c, all = lac.tensor(Z), lac.tensor(C), lac.zeros {4, 2}
  local h = lac.lstm_cell(z, c)
  lac.lstm_cell(z, c, all:slice(1, 3, 2))
  check.close(all, {{0, 0}, {0, 0}, h:totable()[1], h:totable()[2]}, 1e-7)
end

function T.lstm_cell_refuses_what_does_not_fit()
  local z <close> = lac.tensor(Z)
  local c <close> = lac.tensor {{1, 2, 3}, {1, 2, 3}}
  check.fails("lstm_cell: z must be %[2, 12%], got %[2, 8%]", lac.lstm_cell, z, c)
  local scope <close> = lac.scope()
  check.fails("lstm_cell: the place of h must be a slice", lac.lstm_cell, lac.tensor(Z), lac.tensor(C),
    lac.zeros {2, 2})
end

-- [batch, 2 hidden] with two hidden units: blocks r, u
local GATES = {{0.1, -0.2, 0.3, 0.4}, {1, 2, -1, -2}}
local CANDIDATE = {{0.5, -1.2}, {0.3, 0.9}}

function T.gru_reset_and_cell_follow_their_equations()
  local scope <close> = lac.scope()
  local reset, step = {}, {}
  for b = 1, 2 do
    reset[b], step[b] = {}, {}
    for j = 1, 2 do
      local r, u = sigmoid(GATES[b][j]), sigmoid(GATES[b][2 + j])
      reset[b][j] = r * C[b][j]
      step[b][j] = u * C[b][j] + (1 - u) * tanh(CANDIDATE[b][j])
    end
  end
  local z, h = lac.tensor(GATES), lac.tensor(C)
  check.close(lac.gru_reset(z, h), reset, 1e-6)
  check.close(lac.gru_cell(z, lac.tensor(CANDIDATE), h), step, 1e-6)
end

function T.gru_gradients_match_finite_differences()
  check.grad(function(z, h) return lac.gru_reset(z, h) + z:slice(2, 1, 2) end, {GATES, C})
  check.grad(function(z, c, h) return lac.gru_cell(z, c, h) end, {GATES, CANDIDATE, C})
  check.grad(function(z, c, h) -- several steps, whose candidates depend on the state
    for _ = 1, 3 do h = lac.gru_cell(z, lac.gru_reset(z, h) * 0.7 + c, h) end
    return h
  end, {GATES, CANDIDATE, C})
  check.grad(function(c) -- where only the candidate trains
    return lac.gru_cell(lac.tensor(GATES), c, lac.tensor(C))
  end, {CANDIDATE})
end

function T.gru_results_at_their_places_have_the_same_values_and_gradients()
  check.grad(function(z, c, h)
    local all, resets = lac.zeros {4, 2}, lac.zeros {4, 2}
    for t = 0, 1 do
      local reset = lac.gru_reset(z, h, resets:slice(1, 2 * t + 1, 2))
      h = lac.gru_cell(z, reset + c, h, all:slice(1, 2 * t + 1, 2))
    end
    return all * resets
  end, {GATES, CANDIDATE, C})
  local scope <close> = lac.scope()
  local z, c, h, all = lac.tensor(GATES), lac.tensor(CANDIDATE), lac.tensor(C), lac.zeros {4, 2}
  local y = lac.gru_cell(z, c, h):totable()
  lac.gru_cell(z, c, h, all:slice(1, 3, 2))
  check.close(all, {{0, 0}, {0, 0}, y[1], y[2]}, 1e-7)
end

function T.gru_takes_parts_of_wider_tensors()
  local scope <close> = lac.scope()
  local z, h = lac.tensor(GATES), lac.tensor(C)
  local wide = lac.concat({z, h}, 2)
  check.equal(lac.gru_reset(wide:slice(2, 1, 4), wide:slice(2, 5, 2)), lac.gru_reset(z, h))
end

function T.gru_refuses_what_does_not_fit()
  local scope <close> = lac.scope()
  local z, h = lac.tensor(GATES), lac.tensor(C)
  check.fails("gru_reset: z must be %[2, 4%], got %[2, 2%]", lac.gru_reset, h, h)
  check.fails("gru_cell: candidate must be %[2, 2%], got %[2, 4%]", lac.gru_cell, z, z, h)
  check.fails("gru_cell: h must be %[batch, hidden%], got %[2%]", lac.gru_cell, z, h, lac.tensor {1, 2})
  check.fails("gru_reset: place must be a slice", lac.gru_reset, z, h, lac.zeros {2, 2})
  check.fails("lac.tensor expected, got nil", lac.gru_cell, z, nil, h)
end

return T
