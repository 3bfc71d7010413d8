local lac = require "lac"
local check = require "check"

local T = {}

local W, G = {0.5, -1, 2, 0}, {0.2, -3, 0.05, 1}

-- A parameter with values and a gradient.
local function parameter(values, gradient)
  local w = lac.tensor(values):requires_grad(true)
  local g <close> = lac.tensor(gradient)
  local tape <close> = lac.tape()
  tape:backward((w * g):sum())
  return w
end

local function clamp(v, limit)
  return limit > 0 and math.max(-limit, math.min(limit, v)) or v
end

function T.sgd_moves_against_the_gradient()
  local w <close> = parameter(W, G)
  lac.sgd_step {{w = w}, rate = 0.1}
  check.close(w, {0.48, -0.7, 1.995, -0.1}, 1e-6)
end

function T.sgd_with_momentum_decay_and_clip_agrees_with_plain_loops()
  for _, nesterov in ipairs {false, true} do
    local w <close> = parameter(W, G)
    local s <close> = lac.zeros {4}
    local want_w, want_s = {table.unpack(W)}, {0, 0, 0, 0}
    for _ = 1, 3 do
      lac.sgd_step {{w = w, s = s}, momentum = 0.9, nesterov = nesterov, rate = 0.1, decay = 0.01, clip = 0.5}
      for i = 1, 4 do
        local g = clamp(G[i], 0.5) + 0.01 * want_w[i]
        want_s[i] = 0.9 * want_s[i] + g
        want_w[i] = want_w[i] - 0.1 * (nesterov and g + 0.9 * want_s[i] or want_s[i])
      end
    end
    check.close(w, want_w, 1e-6)
    check.close(s, want_s, 1e-6)
  end
end

local function adam(steps, o)
  local w, m, v = {table.unpack(W)}, {0, 0, 0, 0}, {0, 0, 0, 0}
  for k = 1, steps do
    local root = math.sqrt(1 - o.beta2 ^ k)
    for i = 1, 4 do
      local g = clamp(G[i], o.clip) + (o.decoupled and 0 or o.decay * w[i])
      if o.decoupled then w[i] = w[i] - o.rate * o.decay * w[i] end
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * g
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * g * g
      if o.tensorflow then
        w[i] = w[i] - o.rate * root / (1 - o.beta1 ^ k) * m[i] / (math.sqrt(v[i]) + o.epsilon)
      else
        w[i] = w[i] - o.rate / (1 - o.beta1 ^ k) * m[i] / (math.sqrt(v[i]) / root + o.epsilon)
      end
    end
  end
  return w, m, v
end

local function adam_agrees(o)
  local w <close> = parameter(W, G)
  local m <close> = lac.zeros {4}
  local v <close> = lac.zeros {4}
  for k = 1, 5 do
    local args = {{w = w, s = m, t = v, count = k}}
    for key, value in pairs(o) do args[key] = value end
    lac.adam_step(args)
  end
  local want_w, want_m, want_v = adam(5, o)
  check.close(w, want_w, 1e-6)
  check.close(m, want_m, 1e-6)
  check.close(v, want_v, 1e-7, 1e-5)
end

function T.adam_agrees_with_both_published_forms_and_both_decays()
  for _, tensorflow in ipairs {false, true} do
    for _, decoupled in ipairs {false, true} do
      for _, clip in ipairs {0, 0.1} do
        adam_agrees {rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-2, clip = clip, decay = 0.1,
                     tensorflow = tensorflow, decoupled = decoupled}
      end
    end
  end
end

function T.adams_first_step_is_the_rate_for_every_gradient()
  local w <close> = parameter({1, 1, 1}, {1e-3, -2, 50})
  local m <close> = lac.zeros {3}
  local v <close> = lac.zeros {3}
  lac.adam_step {{w = w, s = m, t = v, count = 1}, rate = 0.25}
  check.close(w, {0.75, 1.25, 0.75}, 1e-4)
end

function T.rmsprop_agrees_with_plain_loops()
  for _, momentum in ipairs {0, 0.9} do
    local w <close> = parameter(W, G)
    local s <close> = lac.zeros {4}
    local t <close> = lac.zeros {4}
    local want_w, want_s, want_t = {table.unpack(W)}, {0, 0, 0, 0}, {0, 0, 0, 0}
    for _ = 1, 4 do
      lac.rmsprop_step {{w = w, s = s, t = t}, rate = 0.1, alpha = 0.8, epsilon = 0.1, momentum = momentum,
                        decay = 0.05, clip = 0.5}
      for i = 1, 4 do
        local g = clamp(G[i], 0.5) + 0.05 * want_w[i]
        want_s[i] = 0.8 * want_s[i] + 0.2 * g * g
        want_t[i] = momentum * want_t[i] + g / (math.sqrt(want_s[i]) + 0.1)
        want_w[i] = want_w[i] - 0.1 * want_t[i]
      end
    end
    check.close(w, want_w, 1e-5)
    check.close(s, want_s, 1e-6)
    check.close(t, momentum > 0 and want_t or {0, 0, 0, 0}, 1e-5)
  end
end

-- Parameters of several sizes, with gradients 1, 2, ... times their number.
local function many(sizes)
  local list = {}
  for k, n in ipairs(sizes) do
    local gradient, values = {}, {}
    for i = 1, n do gradient[i], values[i] = k * i / n, i end
    list[k] = parameter(values, gradient)
  end
  return list
end

local function close_all(list)
  for _, x in ipairs(list) do x:close() end
end

function T.many_parameters_large_and_small_are_stepped_together()
  local sizes = {3, 40000, 1, 70, 5, 600, 2, 32768, 9, 4} -- more than one row of small ones, two large ones
  local list, args = many(sizes), {rate = 0.5}
  local mask <close> = lac.zeros {70}
  local plain_mask <close> = lac.zeros({600}):fill(1)
  local states = {}
  for k, w in ipairs(list) do
    states[k] = lac.zeros(w:shape())
    args[k] = {w = w, s = states[k], mask = k == 4 and mask or k == 6 and plain_mask or nil}
  end
  args.momentum = 0.5
  for _ = 1, 2 do lac.sgd_step(args) end
  for k, w in ipairs(list) do
    local got, n = w:totable(), sizes[k]
    for _, i in ipairs {1, (n + 1) // 2, n} do
      local g = k * i / n
      check.close(got[i], k == 4 and 0 or i - 0.5 * g - 0.5 * 1.5 * g, 0, 1e-5)
    end
    check.close(states[k]:totable()[n], 1.5 * k, 1e-5)
  end
  close_all(list)
  close_all(states)
end

function T.parameters_of_different_counts_are_corrected_each_by_its_own()
  local list = many {3, 3, 3}
  local args, states = {rate = 0.1, epsilon = 1e-2}, {}
  for k, w in ipairs(list) do
    states[2 * k - 1], states[2 * k] = lac.zeros {3}, lac.zeros {3}
    args[k] = {w = w, s = states[2 * k - 1], t = states[2 * k], count = k}
  end
  lac.adam_step(args)
  for k, w in ipairs(list) do
    local want = {}
    for i = 1, 3 do
      local g = k * i / 3
      local root = math.sqrt(1 - 0.999 ^ k)
      want[i] = i - 0.1 / (1 - 0.9 ^ k) * 0.1 * g / (math.sqrt(0.001) * g / root + 1e-2)
    end
    check.close(w, want, 1e-5)
  end
  close_all(list)
  close_all(states)
end

function T.the_norm_is_that_of_all_gradients_together()
  local sizes = {3, 40000, 1, 17}
  local list, want = many(sizes), 0
  for k, n in ipairs(sizes) do
    for i = 1, n do want = want + (k * i / n) ^ 2 end
  end
  local norm <close> = lac.grad_norm(list)
  check.close(norm:item(), math.sqrt(want), 0, 1e-5)
  check.equal(norm:shape(), {})
  close_all(list)
end

function T.a_norm_above_the_limit_shortens_the_gradient_and_one_below_does_not()
  for _, case in ipairs {{limit = 1, factor = 0.2}, {limit = 10, factor = 1}, {limit = 0, factor = 1}} do
    local w <close> = parameter({0, 0}, {3, -4})
    local other <close> = parameter({0}, {0})
    local norm <close> = lac.grad_norm {w, other}
    lac.sgd_step {{w = w}, {w = other}, rate = 1, norm = norm, max_norm = case.limit}
    check.close(w, {-3 * case.factor, 4 * case.factor}, 1e-5)
  end
end

function T.masked_elements_become_and_stay_zero()
  local mask <close> = lac.tensor {1, 0, 1, 0}
  local w <close> = parameter(W, G)
  local m <close> = lac.zeros {4}
  local v <close> = lac.zeros {4}
  lac.sgd_step {{w = w, mask = mask}, rate = 0.1}
  check.close(w, {0.48, 0, 1.995, 0}, 1e-6)
  lac.adam_step {{w = w, s = m, t = v, count = 1, mask = mask}, rate = 0.1}
  local t = w:totable()
  check.equal({t[2], t[4]}, {0, 0})
  check.close(t[1], 0.38, 1e-5)
end

function T.nan_in_a_gradient_is_not_hidden_by_the_limits()
  local w <close> = parameter({1, 1}, {0 / 0, 5})
  lac.sgd_step {{w = w}, rate = 1, clip = 0.5}
  check.close(w, {0 / 0, 0.5})
  local norm <close> = lac.grad_norm {w}
  lac.sgd_step {{w = w}, rate = 1, norm = norm, max_norm = 1}
  check.close(w, {0 / 0, 0 / 0})
end

function T.arguments_that_a_metamethod_makes_live_until_the_step()
  local function on_demand(key, make)
    return setmetatable({}, {__index = function(_, k)
      collectgarbage()
      return k == key and make() or nil
    end})
  end
  local w <close> = parameter(W, G)
  local list = on_demand("w", function() return parameter(W, G) end)
  lac.sgd_step {list, {w = w}, list, rate = 0.1}
  check.close(w, {0.48, -0.7, 1.995, -0.1}, 1e-6)
  local params = setmetatable({}, {__len = function() return 3 end, __index = function()
    collectgarbage()
    return parameter(W, G)
  end})
  local norm <close> = lac.grad_norm(params)
  check.close(norm:item(), math.sqrt(3 * (0.04 + 9 + 0.0025 + 1)), 1e-4)
end

function T.what_cannot_be_stepped_is_refused()
  local w <close> = parameter(W, G)
  local bare <close> = lac.tensor(W)
  local m <close> = lac.zeros {4}
  local short <close> = lac.zeros {3}
  local ids <close> = lac.zeros({4}, "i32")
  local square <close> = lac.zeros {4, 4}
  local gaps <close> = square:select(2, 1)
  check.fails("sgd_step: the parameter has no gradient", lac.sgd_step, {{w = bare}, rate = 1})
  check.fails("field 'w' must be a tensor, got nil", lac.sgd_step, {{}, rate = 1})
  check.fails("parameter 1 must be a table, got number", lac.sgd_step, {1})
  check.fails("sgd_step: needs at least one parameter", lac.sgd_step, {rate = 1})
  check.fails("sgd_step: w must be f32, got i32", lac.sgd_step, {{w = ids}, rate = 1})
  check.fails("sgd_step: rate and decay must be >= 0", lac.sgd_step, {{w = w}, rate = -1})
  check.fails("sgd_step: mask must be %[4%], got %[3%]", lac.sgd_step, {{w = w, mask = short}, rate = 1})
  check.fails("sgd_step: momentum must be", lac.sgd_step, {{w = w, s = m}, rate = 1, momentum = 1})
  check.fails("above 0 with nesterov", lac.sgd_step, {{w = w, s = m}, rate = 1, nesterov = true})
  check.fails("sgd_step: needs s", lac.sgd_step, {{w = w}, rate = 1, momentum = 0.5})
  check.fails("sgd_step: s must be contiguous", lac.sgd_step, {{w = w, s = gaps}, rate = 1, momentum = 0.5})
  check.fails("sgd_step: max_norm needs the norm", lac.sgd_step, {{w = w}, max_norm = 1})
  check.fails("sgd_step: norm must be %[%], got %[4%]", lac.sgd_step, {{w = w}, max_norm = 1, norm = m})
  check.fails("adam_step: s must be %[4%], got %[3%]", lac.adam_step, {{w = w, s = short, t = m, count = 1}})
  check.fails("adam_step: count must be at least 1", lac.adam_step, {{w = w, s = m, t = m, count = 0}})
  check.fails("adam_step: needs 0 <= beta < 1", lac.adam_step, {{w = w, s = m, t = m, count = 1}, beta2 = 1})
  check.fails("rmsprop_step: needs 0 <= alpha", lac.rmsprop_step, {{w = w, s = m}, alpha = 1})
  check.fails("rmsprop_step: needs t", lac.rmsprop_step, {{w = w, s = m}, momentum = 0.5})
  check.fails("field 'rate' must be a number, got string", lac.adam_step, {{w = w, s = m, t = m}, rate = "x"})
  check.fails("grad_norm: needs at least one parameter", lac.grad_norm, {})
  check.fails("grad_norm: the parameter has no gradient", lac.grad_norm, {bare})
  check.close(w, W) -- nothing moved
end

return T
