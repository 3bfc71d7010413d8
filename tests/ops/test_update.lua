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
  lac.sgd_step {w = w, rate = 0.1}
  check.close(w, {0.48, -0.7, 1.995, -0.1}, 1e-6)
end

function T.sgd_with_momentum_decay_and_clip_agrees_with_plain_loops()
  local w <close> = parameter(W, G)
  local v <close> = lac.zeros {4}
  local want_w, want_v = {table.unpack(W)}, {0, 0, 0, 0}
  for _ = 1, 3 do
    lac.sgd_step {w = w, v = v, momentum = 0.9, rate = 0.1, decay = 0.01, clip = 0.5}
    for i = 1, 4 do
      want_v[i] = 0.9 * want_v[i] + clamp(G[i], 0.5) + 0.01 * want_w[i]
      want_w[i] = want_w[i] - 0.1 * want_v[i]
    end
  end
  check.close(w, want_w, 1e-6)
  check.close(v, want_v, 1e-6)
end

local function adam(steps, o)
  local w, m, v = {table.unpack(W)}, {0, 0, 0, 0}, {0, 0, 0, 0}
  for t = 1, steps do
    local root = math.sqrt(1 - o.beta2 ^ t)
    for i = 1, 4 do
      local g = clamp(G[i], o.clip) + o.decay * w[i]
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * g
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * g * g
      if o.tensorflow then
        w[i] = w[i] - o.rate * root / (1 - o.beta1 ^ t) * m[i] / (math.sqrt(v[i]) + o.epsilon)
      else
        w[i] = w[i] - o.rate / (1 - o.beta1 ^ t) * m[i] / (math.sqrt(v[i]) / root + o.epsilon)
      end
    end
  end
  return w, m, v
end

function T.adam_agrees_with_both_published_forms()
  for _, form in ipairs {false, true} do
    for _, clip in ipairs {0, 0.1} do
      local o = {rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-2, clip = clip, decay = 0.1,
                 tensorflow = form}
      local w <close> = parameter(W, G)
      local m <close> = lac.zeros {4}
      local v <close> = lac.zeros {4}
      for t = 1, 5 do
        lac.adam_step(setmetatable({w = w, m = m, v = v, count = t}, {__index = o}))
      end
      local want_w, want_m, want_v = adam(5, o)
      check.close(w, want_w, 1e-6)
      check.close(m, want_m, 1e-6)
      check.close(v, want_v, 1e-7, 1e-5)
    end
  end
end

function T.adams_first_step_is_the_rate_for_every_gradient()
  local w <close> = parameter({1, 1, 1}, {1e-3, -2, 50})
  local m <close> = lac.zeros {3}
  local v <close> = lac.zeros {3}
  lac.adam_step {w = w, m = m, v = v, count = 1, rate = 0.25}
  check.close(w, {0.75, 1.25, 0.75}, 1e-4)
end

function T.masked_elements_become_and_stay_zero()
  local mask <close> = lac.tensor {1, 0, 1, 0}
  local w <close> = parameter(W, G)
  local m <close> = lac.zeros {4}
  local v <close> = lac.zeros {4}
  lac.sgd_step {w = w, rate = 0.1, mask = mask}
  check.close(w, {0.48, 0, 1.995, 0}, 1e-6)
  lac.adam_step {w = w, m = m, v = v, count = 1, rate = 0.1, mask = mask}
  local t = w:totable()
  check.equal({t[2], t[4]}, {0, 0})
  check.close(t[1], 0.38, 1e-5)
end

function T.a_nan_gradient_is_not_hidden_by_the_limit()
  local w <close> = parameter({1, 1}, {0 / 0, 5})
  lac.sgd_step {w = w, rate = 1, clip = 0.5}
  check.close(w, {0 / 0, 0.5})
end

function T.more_elements_than_a_group_are_all_stepped()
  local values, gradient, want = {}, {}, {}
  for i = 1, 600 do values[i], gradient[i], want[i] = i, 2, i - 1 end
  local w <close> = parameter(values, gradient)
  lac.sgd_step {w = w, rate = 0.5}
  check.close(w, want)
end

function T.what_cannot_be_stepped_is_refused()
  local w <close> = parameter(W, G)
  local bare <close> = lac.tensor(W)
  local m <close> = lac.zeros {4}
  local short <close> = lac.zeros {3}
  local ids <close> = lac.zeros({4}, "i32")
  local square <close> = lac.zeros {4, 4}
  local gaps <close> = square:select(2, 1)
  check.fails("sgd_step: the parameter has no gradient", lac.sgd_step, {w = bare, rate = 1})
  check.fails("field 'w' must be a tensor, got nil", lac.sgd_step, {rate = 1})
  check.fails("sgd_step: w must be f32, got i32", lac.sgd_step, {w = ids, rate = 1})
  check.fails("sgd_step: rate and decay must be >= 0", lac.sgd_step, {w = w, rate = -1})
  check.fails("sgd_step: mask must be %[4%], got %[3%]", lac.sgd_step, {w = w, rate = 1, mask = short})
  check.fails("sgd_step: momentum must be", lac.sgd_step, {w = w, rate = 1, momentum = 1, v = m})
  check.fails("and needs v", lac.sgd_step, {w = w, rate = 1, momentum = 0.5})
  check.fails("sgd_step: v must be contiguous", lac.sgd_step, {w = w, rate = 1, momentum = 0.5, v = gaps})
  check.fails("adam_step: m must be %[4%], got %[3%]", lac.adam_step, {w = w, m = short, v = m, count = 1})
  check.fails("adam_step: needs 0 <= beta < 1", lac.adam_step, {w = w, m = m, v = m, count = 0})
  check.fails("adam_step: needs", lac.adam_step, {w = w, m = m, v = m, count = 1, beta2 = 1})
  check.fails("field 'rate' must be a number, got string", lac.adam_step, {w = w, m = m, v = m, rate = "x"})
  check.close(w, W) -- nothing moved
end

return T
