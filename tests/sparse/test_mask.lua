local lac = require "lac"
local check = require "check"
local golden = require "golden"
local philox = require "philox"

local T = {}

local function sigmoid(v) return 1 / (1 + math.exp(-v)) end

local W, LOGIT = {1, -2, 3, 0.5, -4}, {5, 0, -1, 1e-3, -1e-3}

function T.rounding_keeps_what_is_more_likely_than_not()
  local w <close> = lac.tensor(W)
  local logit <close> = lac.tensor(LOGIT)
  local y <close> = lac.mask {w = w, logit = logit}
  check.equal(y, {1, 0, 0, 0.5, 0})
  local kept <close> = logit:mask_count()
  check.equal(kept:item(), 2)
  check.equal(kept:shape(), {})
end

function T.rounding_agrees_with_the_golden_file_to_the_last_bit_of_the_sigmoid()
  local file <close> = golden.open "supermask_layers.h5"
  local logits <close> = file:read "rounding/logits"
  local mask <close> = file:read "rounding/mask"
  local ones <close> = lac.zeros(logits:shape()):fill(1)
  local y <close> = lac.mask {w = ones, logit = logits}
  check.close(y, mask:totable(), 0)
end

-- Quarters of the elements take the halves of a counter's words as upper bits and those of a later one as lower; what
-- is left over takes a word each.
local function noise_of(seed, stream, n)
  local noise, counters = {}, n // 8
  for q = 0, counters - 1 do
    local upper, lower = philox(seed, stream, q), philox(seed, stream, counters + q)
    for j = 0, 3 do
      for half = 0, 1 do
        local u = (upper[j + 1] >> 16 * half & 0xFFFF) << 8 | (lower[j + 1] >> 16 * half & 0xFFFF) >> 8
        noise[j * 2 * counters + 2 * q + half + 1] = u / 2 ^ 24
      end
    end
  end
  for i = 0, n % 8 - 1 do
    noise[8 * counters + i + 1] = (philox(seed, stream, 2 * counters + i // 4)[i % 4 + 1] >> 8) / 2 ^ 24
  end
  return noise
end

function T.draws_come_from_the_generators_counters()
  for _, n in ipairs {1, 3, 7, 8, 63, 600, 1024, 2198} do
    local g = lac.rng(5, 6)
    local w <close> = lac.zeros {n}:fill(2)
    local logit <close> = lac.rng(1):normal({n}, 0, 2)
    local y <close> = lac.mask {w = w, logit = logit, rng = g}
    local want, x = noise_of(5, 6, n), logit:totable()
    for i, v in ipairs(want) do want[i] = v < sigmoid(x[i]) and 2 or 0 end
    check.close(y, want, 0)
    check.equal(g:state().counter, (n + 3) // 4)
  end
end

function T.noise_below_the_probability_keeps()
  local w <close> = lac.tensor(W)
  local logit <close> = lac.tensor(LOGIT)
  local noise <close> = lac.tensor {0.993, 0.5, 0.2, 0.51, 0.4}
  local y <close> = lac.mask {w = w, logit = logit, noise = noise}
  check.equal(y, {1, 0, 3, 0, -4})
end

function T.the_share_of_kept_weights_is_the_probability()
  local n = 16384
  local w <close> = lac.zeros {n}:fill(1)
  for _, p in ipairs {0.02, 0.5, sigmoid(5)} do
    local logit <close> = lac.zeros {n}:fill(math.log(p / (1 - p)))
    local y <close> = lac.mask {w = w, logit = logit, rng = lac.rng(3)}
    local share <close> = y:mean()
    check.close(share:item(), p, 5 * math.sqrt(p * (1 - p) / n)) -- five standard errors
  end
end

function T.two_draws_differ()
  local g = lac.rng(1)
  local w <close> = lac.zeros {64}:fill(1)
  local logit <close> = lac.zeros {64}
  local a <close> = lac.mask {w = w, logit = logit, rng = g}
  local b <close> = lac.mask {w = w, logit = logit, rng = g}
  local difference <close> = (a - b):abs()
  local total <close> = difference:sum()
  check.yes(total:item() > 10)
end

-- Gradients of sum(y * upstream) for weights that hold a zero, dropped and kept.
local function gradients(args, bypass)
  local w <close> = lac.tensor({1, -2, 3, 0, 0, -0.0}):requires_grad(true)
  local logit <close> = lac.tensor({1, -1, 2, 3, -3, 4}):requires_grad(true)
  local upstream <close> = lac.tensor {1, 10, 100, 1000, -1000, 5}
  for _ = 1, 2 do -- the second adds to the first
    local tape <close> = lac.tape()
    local noise = args.noise and lac.tensor(args.noise)
    local y = lac.mask {w = w, logit = logit, noise = noise, rng = args.rng and args.rng(), bypass = bypass}
    tape:backward((y * upstream):sum())
  end
  local gw <close> = w:grad()
  local glogit <close> = logit:grad()
  return gw:totable(), glogit:totable()
end

function T.gradients_pass_straight_through()
  local function slope(x, w, g) return 2 * g * w * sigmoid(x) * (1 - sigmoid(x)) end
  local want = {slope(1, 1, 1), slope(-1, -2, 10), slope(2, 3, 100), 0, 0, 0}
  local gw, glogit = gradients {}
  check.equal(gw, {2, 0, 200, 2000, 0, 10})
  check.close(glogit, want, 1e-4)
  gw, glogit = gradients {noise = {0.9, 0.1, 0.5, 0.99, 0.01, 0.99}}
  check.equal(gw, {0, 20, 200, 0, -2000, 0})
  check.close(glogit, want, 1e-4)
  check.equal(select(2, gradients({}, true)), {2, -40, 600, 0, 0, 0})
end

function T.backward_sees_the_mask_that_was_drawn()
  for _, n in ipairs {301, 16421} do
    local w <close> = lac.zeros({n}):fill(1):requires_grad(true)
    local logit <close> = lac.zeros {n}
    local y
    do
      local tape <close> = lac.tape()
      y = lac.mask {w = w, logit = logit, rng = lac.rng(2)}
      tape:backward(y:sum())
      tape:keep(y)
    end
    local grad <close> = w:grad()
    check.close(grad, y:totable(), 0) -- w is 1, so values and slopes agree
    y:close()
  end
end

function T.gradients_of_many_weights_are_those_of_few()
  local n = 16421
  local values = {w = lac.rng(1):normal {n}, logit = lac.rng(2):normal({n}, 0, 3), up = lac.rng(3):normal {n}}
  for _, bypass in ipairs {false, true} do
    local scope <close> = lac.scope()
    local function grads(first, count, passes)
      local w = values.w:slice(1, first, count):clone():requires_grad(true)
      local logit = values.logit:slice(1, first, count):clone():requires_grad(true)
      for _ = 1, passes do
        local tape <close> = lac.tape()
        local y = lac.mask {w = w, logit = logit, bypass = bypass}
        tape:backward((y * values.up:slice(1, first, count)):sum() + logit:mask_count() * 3)
      end
      return w:grad(), logit:grad()
    end
    for passes = 1, 2 do -- a second adds to the first
      local gw, glogit = grads(1, n, passes)
      for _, first in ipairs {1, 16379, 16415} do
        local few_w, few_logit = grads(first, 7, passes)
        check.close(gw:slice(1, first, 7):clone(), few_w:totable(), 0)
        check.close(glogit:slice(1, first, 7):clone(), few_logit:totable(), 0)
      end
    end
  end
  for _, x in pairs(values) do x:close() end
end

function T.the_logits_alone_may_be_trained()
  local w <close> = lac.tensor {2}
  local logit <close> = lac.tensor({0}):requires_grad(true)
  local tape <close> = lac.tape()
  tape:backward(lac.mask {w = w, logit = logit}:sum())
  check.equal(logit:grad(), {0.5})
  check.equal(w:grad(), nil)
end

function T.the_count_of_kept_weights_has_a_straight_through_gradient()
  local logit <close> = lac.tensor({{1, -1}, {0, 3}}):requires_grad(true)
  for _ = 1, 2 do
    local tape <close> = lac.tape()
    tape:backward(logit:mask_count() * 10)
  end
  local want = {}
  for i, row in ipairs {{1, -1}, {0, 3}} do
    want[i] = {}
    for j, x in ipairs(row) do want[i][j] = 20 * sigmoid(x) * (1 - sigmoid(x)) end
  end
  local grad <close> = logit:grad()
  check.close(grad, want, 1e-5)
end

function T.counts_of_many_weights_are_exact()
  local n = 70001 -- several parts
  local logit <close> = lac.zeros({n}):fill(1)
  local kept <close> = logit:mask_count()
  check.equal(kept:item(), n)
end

function T.nan_in_a_logit_is_passed_on()
  local w <close> = lac.tensor {1, 1}
  local logit <close> = lac.tensor {0 / 0, -100}
  local y <close> = lac.mask {w = w, logit = logit, rng = lac.rng(1)}
  check.close(y, {0 / 0, 0})
  local kept <close> = logit:mask_count()
  check.yes(kept:item() ~= kept:item())
end

function T.views_and_empty_weights_are_masked()
  local w <close> = lac.tensor {{1, 2}, {3, 4}}
  local turned <close> = w:transpose()
  local logit <close> = lac.tensor {{1, -1}, {1, 1}}
  local y <close> = lac.mask {w = turned, logit = logit}
  check.equal(y, {{1, 0}, {2, 4}})
  local none <close> = lac.zeros {0}
  local e <close> = lac.mask {w = none, logit = none, rng = lac.rng(1)}
  check.equal(e:shape(), {0})
  local kept <close> = none:mask_count()
  check.equal(kept:item(), 0)
end

function T.what_does_not_fit_is_refused()
  local g = lac.rng(1)
  local w <close> = lac.tensor {1, 2}
  local short <close> = lac.tensor {1}
  local ids <close> = lac.tensor({1, 2}, "i32")
  check.fails("mask: logit must be %[2%], got %[1%]", lac.mask, {w = w, logit = short})
  check.fails("mask: noise must be %[2%], got %[1%]", lac.mask, {w = w, logit = w, noise = short})
  check.fails("mask: w must be f32, got i32", lac.mask, {w = ids, logit = w})
  check.fails("mask: give a generator or noise, not both", lac.mask, {w = w, logit = w, noise = w, rng = g})
  check.fails("field 'rng' must be a generator %(lac.rng%), got number", lac.mask, {w = w, logit = w, rng = 1})
  check.fails("field 'logit' must be a tensor", lac.mask, {w = w})
  check.fails("mask_count: logit must be f32, got i32", ids.mask_count, ids)
  check.equal(g:state().counter, 0)
end

-- Golden layers: every variant of a masked linear map, table and LSTM cell.

local function read(file, group)
  return golden.group(file, group)
end

local function compare(file, group, found)
  local wanted = read(file, group)
  check.yes(next(wanted), "the file holds no " .. group)
  for name, want in pairs(wanted) do
    local good, message = pcall(check.close, found[name], want, 1e-5, 1e-3)
    check.yes(good, group .. "/" .. name .. ": " .. tostring(message))
  end
end

local FORWARD = {
  linear = function(x, p) return {output = x.input:linear(p.weight, p.bias)} end,
  embedding = function(x, p) return {output = lac.embedding(p.weight, x.ids)} end,
  lstm = function(x, p)
    local h, c = lac.lstm_cell(
      lac.linear {x.input, p.weight_ih, x.h0, p.weight_hh, bias = p.bias_ih + p.bias_hh}, x.c0)
    return {h1 = h, c1 = c}
  end,
}

local function layer_agrees(file, layer, variant)
  local at = layer .. "/" .. variant
  local tape <close> = lac.tape()
  local inputs, params, noise = read(file, at .. "/inputs"), read(file, at .. "/params"), read(file, at .. "/noise")
  local leaves, masked = {}, {}
  for name, x in pairs(inputs) do
    leaves[name] = name ~= "ids" and x:requires_grad(true) or nil
  end
  for name, x in pairs(params) do leaves[name] = x:requires_grad(true) end
  for name, x in pairs(params) do
    local logit = params[name .. "_pruning_mask"]
    masked[name] = not logit and x or
      lac.mask {w = x, logit = logit, noise = noise[name] and noise[name]:select(1, 1),
                bypass = variant:find "bypass" ~= nil}
  end
  local outputs, upstream = FORWARD[layer](inputs, masked), read(file, at .. "/upstream")
  local loss
  for name, y in pairs(outputs) do
    local part = (y * upstream[name]):sum()
    loss = loss and loss + part or part
  end
  compare(file, at .. "/outputs", outputs)
  tape:backward(loss)
  local grads = {}
  for name, x in pairs(leaves) do grads[name] = x:grad() end
  compare(file, at .. "/grads", grads)
end

function T.masked_layers_agree_with_the_golden_file()
  local file <close> = golden.open "supermask_layers.h5"
  for layer in pairs(FORWARD) do
    for _, variant in ipairs {"train_sigmoid_grad", "train_bypass", "eval_sigmoid_grad", "eval_bypass"} do
      layer_agrees(file, layer, variant)
    end
  end
end

return T
