--- GraSP: Hessian times gradient by hand and against exact derivatives in plain Lua.
local lac = require "lac"
local bare = require "prune.bare"
local check = require "check"
local plain = require "prune.plain"

local T = {}

-- Scores and masks of a model whose loss (a function of its tensors under a tape) is the gradient's.
local function measured(model, cfg, loss)
  local training <close> = bare.training(model, "grasp", cfg)
  local before, batches = {}, {}
  for i, p in ipairs(model:parameters()) do before[i] = p.param.value:tobytes() end
  training.pruner:begin(training:view {gradient = function(i)
    batches[#batches + 1] = i
    local tape <close> = lac.tape()
    local tensors = {}
    for j, p in ipairs(model:parameters()) do tensors[j] = p.param:tensor() end
    tape:backward(loss(tensors, i))
  end})
  for i, p in ipairs(model:parameters()) do
    check.yes(p.param.value:tobytes() == before[i], "the weights are put back bit for bit")
    check.equal(p.param.value:grad(), nil)
  end
  local s = {}
  for i, part in ipairs(training.pruner.active) do s[i] = bare.flat(part.s) end
  return s, bare.masks(model), batches
end

-- L = sum of b w + w^2 / 2: the gradient is b + w, the Hessian 1, and the score w (b + w).
--   w       2   -1    1    3
--   b      -1    3    1   -4
--   score   2   -2    2   -3
function T.these_two_weights_go()
  local model = bare.model {{"a", {{2, -1, 1, 3}}}}
  local s, masks = measured(model, {target = 0.5}, function(w)
    return (w[1] * lac.tensor {{-1, 3, 1, -4}} + w[1] * w[1] * 0.5):sum()
  end)
  check.close(s, {{2, -2, 2, -3}}, 1e-3)
  check.equal(masks, {{1, 0, 1, 0}})
end

function T.gradients_of_batches_are_summed_and_each_side_sees_the_same_ones()
  local model = bare.model {{"a", {{2, -1, 1, 3}}}}
  local s, _, batches = measured(model, {target = 0.5, batches = 2}, function(w, i)
    return (w[1] * lac.tensor {{-1, 3, 1, -4}} * (i == 1 and 2 or 0) + w[1] * w[1] * 0.5):sum()
  end)
  check.equal(batches, {1, 2, 1, 2, 1, 2})
  check.close(s, {{8, -8, 8, -12}}, 1e-2) -- w (2 b + 2 w) 2
end

-- A network of two layers, tanh between them, square loss: gradient in plain Lua, by hand.
local X = {{0.5, -1, 2}, {1, 0.25, -0.5}}
local Y = {{0.3, -0.2}, {-0.5, 0.9}}

local function plain_gradient(u, v) -- u [4, 3], v [2, 4], flat
  local gu, gv = {}, {}
  for j = 1, 12 do gu[j] = 0 end
  for j = 1, 8 do gv[j] = 0 end
  for n, x in ipairs(X) do
    local h, d = {}, {0, 0, 0, 0}
    for i = 1, 4 do
      local z = 0
      for k = 1, 3 do z = z + u[(i - 1) * 3 + k] * x[k] end
      h[i] = (math.exp(2 * z) - 1) / (math.exp(2 * z) + 1)
    end
    for o = 1, 2 do
      local out = -Y[n][o]
      for i = 1, 4 do out = out + v[(o - 1) * 4 + i] * h[i] end
      for i = 1, 4 do
        gv[(o - 1) * 4 + i] = gv[(o - 1) * 4 + i] + out * h[i]
        d[i] = d[i] + out * v[(o - 1) * 4 + i]
      end
    end
    for i = 1, 4 do
      for k = 1, 3 do gu[(i - 1) * 3 + k] = gu[(i - 1) * 3 + k] + d[i] * (1 - h[i] * h[i]) * x[k] end
    end
  end
  return {gu, gv}
end

function T.scores_of_a_network_agree_with_exact_derivatives()
  for seed = 1, 3 do
    local model = bare.random_model({{4, 3}, {2, 4}}, seed)
    for _, p in ipairs(model:parameters()) do
      local half <close> = p.param.value:scale(0.5)
      p.param.value:copy(half)
    end
    local w = bare.values(model)
    local g = plain_gradient(w[1], w[2])
    local step = 1e-6 -- in double precision
    local above = plain_gradient(table.unpack(plain.map(function(x, y) return x + step * y end, w, g)))
    local below = plain_gradient(table.unpack(plain.map(function(x, y) return x - step * y end, w, g)))
    local scores = plain.map(function(x, a, b) return x * (a - b) / (2 * step) end, w, above, below)
    local s, masks = measured(model, {target = 0.5}, function(t)
      local out = lac.tensor(X):linear(t[1]):tanh():linear(t[2])
      return (out - lac.tensor(Y)):square():sum() * 0.5
    end)
    local largest = 0
    for _, list in ipairs(scores) do
      for _, x in ipairs(list) do largest = math.max(largest, math.abs(x)) end
    end
    for i, list in ipairs(scores) do check.close(s[i], list, 2e-3 * largest) end -- differences in float32
    check.equal(masks, plain.smallest(scores, 10))
  end
end

function T.a_loss_without_gradient_is_no_score()
  local model = bare.model {{"a", {{2, -1, 1, 3}}}}
  check.fails("the score of 4 weights of a is not a number", measured, model, {target = 0.5}, function(w)
    return (w[1] * 0):sum()
  end)
  check.fails("grasp: batches must be at least 1", require("prune.grasp").new, {target = 0.5, batches = 0})
end

return T
