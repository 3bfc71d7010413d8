local lac = require "lac"
local check = require "check"

local T = {}

local X = {{1, 2, 3}, {4, 5, 6}}
local W = {{1, 0.5, 3}, {-1, 2, 0}}
local BIAS = {10, 20}

function T.linear_gives_x_times_w_transposed_plus_bias()
  local x <close> = lac.tensor(X)
  local w <close> = lac.tensor(W)
  local b <close> = lac.tensor(BIAS)
  local y1 <close> = x:linear(w)
  local y2 <close> = x:linear(w, b)
  check.close(y1, {{11, 3}, {24.5, 6}})
  check.close(y2, {{21, 23}, {34.5, 26}})
end

function T.linear_works_on_the_last_dimension_of_any_rank()
  local x <close> = lac.tensor {X, X}
  local v <close> = lac.tensor {1, 2, 3}
  local w <close> = lac.tensor(W)
  local y1 <close> = x:linear(w)
  local y2 <close> = v:linear(w)
  check.close(y1, {{{11, 3}, {24.5, 6}}, {{11, 3}, {24.5, 6}}})
  check.close(y2, {11, 3})
end

function T.linear_sums_pairs_bias_and_addend()
  local x <close> = lac.tensor(X)
  local w <close> = lac.tensor(W)
  local u <close> = lac.tensor {{1}, {2}}
  local v <close> = lac.tensor {{100}, {1000}}
  local b <close> = lac.tensor(BIAS)
  local add <close> = lac.tensor {{1, 1}, {2, 2}}
  local y <close> = lac.linear {x, w, u, v, bias = b, add = add}
  check.close(y, {{122, 1024}, {236.5, 2028}})
end

function T.linear_gradients_match_finite_differences()
  check.grad(function(x, w) return x:linear(w) end, {X, W})
  check.grad(function(x, w, b) return x:linear(w, b) end, {X, W, BIAS})
  check.grad(function(x, w, b) return x:linear(w, b) end, {{X, X}, W, BIAS})
  check.grad(function(x, w, u, v, b, add)
    return lac.linear {x, w, u, v, bias = b, add = add}
  end, {X, W, {{1}, {2}}, {{0.3}, {-2}}, BIAS, {{1, 1}, {2, 2}}})
end

-- Steps y_t = y_(t-1) w^T + b, the sums in slices of one tensor; `heights` rows at each step.
local function steps_onto(x, w, b, heights)
  local total = 0
  for _, rows in ipairs(heights) do total = total + rows end
  local all, at = b:reshape(1, 2):repeat_rows(total), 1
  for _, rows in ipairs(heights) do
    x = lac.linear {x:slice(1, 1, rows), w, onto = all:slice(1, at, rows)}
    at = at + rows
  end
  return all
end

function T.linear_adds_onto_slices_that_lie_in_one_tensor()
  local scope <close> = lac.scope()
  local x, w, b = lac.tensor {{1, 2}, {3, 4}}, lac.tensor {{1, 0}, {1, 1}}, lac.tensor {10, 20}
  check.close(steps_onto(x, w, b, {2, 1}), {{11, 23}, {13, 27}, {21, 54}})
end

function T.gradients_of_slices_that_sums_went_onto_match_finite_differences()
  local inputs = {{{1, 2}, {3, -1}}, {{1, 0.5}, {-1, 0.7}}, {0.3, -0.2}}
  check.grad(function(x, w, b) return steps_onto(x, w, b, {2, 2, 2}) end, inputs)
  check.grad(function(x, w, b) return steps_onto(x, w, b, {2, 1, 1}):tanh() end, inputs)
end

function T.linear_refuses_to_add_onto_what_is_no_slice()
  local scope <close> = lac.scope()
  local x, w, all = lac.tensor(X), lac.tensor(W), lac.zeros {3, 2}
  check.fails("linear: onto must be a slice", lac.linear, {x, w, onto = lac.zeros {2, 2}})
  check.fails("linear: onto must be %[2, 2%], got %[3, 2%]", lac.linear, {x, w, onto = all:slice(1, 1, 3)})
  check.fails("linear: onto goes with neither", lac.linear, {x, w, bias = lac.tensor(BIAS), onto = all:slice(1, 1, 2)})
end

function T.column_slices_of_one_weight_share_its_gradient()
  check.grad(function(x, u, w)
    return lac.linear {x, w:slice(2, 1, 3), u, w:slice(2, 4, 2)}
  end, {X, {{1, 2}, {3, -1}}, {{1, 0.5, 3, 2, -2}, {-1, 2, 0, 1, 1}}})
end

function T.a_weight_used_at_every_step_gets_the_gradient_of_all()
  local function steps(x, w)
    for _ = 1, 3 do x = x:linear(w):tanh() end
    return x
  end
  check.grad(steps, {{{0.5, -1}, {0.2, 0.7}}, {{0.3, -0.8}, {1.1, 0.4}}})
  -- computed weights: their own rule must wait for all steps
  check.grad(function(x, w) return steps(x, w * w) end, {{{0.5, -1}, {0.2, 0.7}}, {{0.3, -0.8}, {1.1, 0.4}}})
  -- slices of computed weights, with other uses of the whole between
  check.grad(function(x, w)
    local computed = w:tanh()
    local left = computed:slice(2, 1, 2)
    return x:linear(left):linear(left) + computed:sum()
  end, {{{0.5, -1}, {0.2, 0.7}}, {{0.3, -0.8, 2}, {1.1, 0.4, -1}}})
end

function T.bias_gradient_sums_more_rows_than_one_part_holds()
  local rows, n = 150, 35 -- two groups of columns that are summed together, and three left over
  local x <close> = lac.zeros {rows, 2}
  local w <close> = lac.zeros {n, 2}
  local b <close> = lac.zeros({n}):requires_grad(true)
  local slopes, want = {}, {}
  for i = 1, rows * n do
    local j = (i - 1) % n + 1
    slopes[i] = i * 7 % 11 - 5
    want[j] = (want[j] or 0) + slopes[i]
  end
  local last <close> = lac.tensor {slopes}
  do
    local tape <close> = lac.tape()
    tape:backward(x:linear(w, b):reshape(1, rows * n):linear(last))
  end
  local g <close> = b:grad()
  check.close(g, want)
end

function T.prepared_weights_give_the_same_result()
  for _, n in ipairs {1, 5, 33, 70} do
    local xs, ws = {}, {}
    for i = 1, 4 do
      xs[i] = {}
      for j = 1, 19 do xs[i][j] = math.sin(i * 19 + j) end
    end
    for i = 1, n do
      ws[i] = {}
      for j = 1, 19 do ws[i][j] = math.cos(i * 7 + j) end
    end
    local x <close> = lac.tensor(xs)
    local w <close> = lac.tensor(ws)
    local p <close> = lac.prepare(w)
    local plain <close> = x:linear(w)
    local quick <close> = x:linear(p)
    check.close(quick, plain, 1e-5)
  end
end

-- Gradients of a map used twice, as in a time loop, through weights in one form or another.
local function gradients(prepare)
  local rng = lac.rng(3)
  local wide <close> = rng:normal({40, 50}):requires_grad(true) -- the weights are columns of it
  local x <close> = rng:normal({7, 33}):requires_grad(true)
  local upstream <close> = rng:normal {7, 40}
  do
    local tape <close> = lac.tape()
    local w = prepare(wide:slice(2, 11, 33))
    local y = x:linear(w) + (x * 2):linear(w):square()
    if w.close then w:close() end -- backward has what it needs
    tape:backward((y * upstream):sum())
  end
  local gw <close> = wide:grad()
  local gx <close> = x:grad()
  return gw:totable(), gx:totable()
end

function T.prepared_weights_have_the_same_gradients()
  local gw, gx = gradients(function(w) return w end)
  local gw2, gx2 = gradients(lac.prepare)
  check.close(gw2, gw, 1e-3, 1e-5)
  check.close(gx2, gx, 1e-3, 1e-5)
end

function T.linear_refuses_what_does_not_fit()
  local x <close> = lac.tensor(X)
  local w <close> = lac.tensor {{1, 2}}
  local three <close> = lac.tensor {1, 2, 3}
  local good <close> = lac.tensor(W)
  check.fails("linear: x %[2, 3%] does not fit weights %[1, 2%] %(%[out, in%]%)", x.linear, x, w)
  check.fails("linear: bias must be %[2%], got %[3%]", x.linear, x, good, three)
  check.fails("linear: wants 1 to 3 pairs", lac.linear, {x})
  check.fails("field 'bias' must be a tensor, got number", lac.linear, {x, good, bias = 3})
end

return T
