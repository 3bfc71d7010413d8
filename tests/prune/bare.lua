--- A model of nothing but weights, and training steps with gradients that the test chooses.
--
-- Random numbers are sixteenths, so that sums, products with small numbers and steps of SGD are exact in float32, and
-- equal numbers are common.
-- @module prune.bare
local lac = require "lac"
local Module = require "nn.module"
local Param = require "nn.param"
local sgd = require "optim.sgd"

local bare = {}

--- A model of weights.
-- @tparam table list {name, tensor or nested numbers}, ...; the tensors stay the caller's
function bare.model(list)
  local model = Module()
  for _, item in ipairs(list) do
    local x = item[2]
    local value = type(x) == "table" and lac.tensor(x) or x:clone()
    model:add_param(item[1], Param(value:shape(), nil, {maskable = true})):set(value)
  end
  return model
end

--- Nested sixteenths between -limit and limit; 0 now and then.
function bare.random(rng, shape, limit)
  local x <close> = rng:uniform(shape, -16 * limit, 16 * limit)
  local function rounded(v)
    if type(v) == "number" then return math.floor(v) / 16 end
    for i, item in ipairs(v) do v[i] = rounded(item) end
    return v
  end
  return rounded(x:totable())
end

--- A model with random weights of these shapes, named a, b, c, ...
function bare.random_model(shapes, seed)
  local list = {}
  for i, shape in ipairs(shapes) do
    local name = string.char(96 + i)
    list[i] = {name, bare.random(lac.rng(seed):fork(name), shape, 2)}
  end
  return bare.model(list)
end

--- The numbers of nested tables in a row.
function bare.flat(x, out)
  out = out or {}
  if type(x) == "userdata" then x = x:totable() end
  for _, item in ipairs(x) do
    if type(item) == "table" then bare.flat(item, out) else out[#out + 1] = item end
  end
  return out
end

--- What every parameter has: values, masks (ones where there is none), or what it computes with.
function bare.values(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do out[i] = bare.flat(p.param.value) end
  return out
end

function bare.masks(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do
    out[i] = {}
    for j = 1, p.param:numel() do out[i][j] = 1 end
    if p.param.mask then out[i] = bare.flat(p.param.mask.values) end
  end
  return out
end

function bare.computed(model)
  local out = {}
  for i, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    out[i] = bare.flat(p.param:tensor())
  end
  return out
end

--- Gradients of a step: a list for each parameter, nested as the parameter.
function bare.random_gradients(model, seed, step)
  local out = {}
  for i, p in ipairs(model:parameters()) do
    out[i] = bare.random(lac.rng(seed):fork(("gradient %d %d"):format(step, i)), p.param.shape, 1)
  end
  return out
end

--- Add gradients to those there are: the loss is the sum of all weights times these numbers.
function bare.backward(model, gradients)
  local tape <close> = lac.tape()
  local loss
  for i, p in ipairs(model:parameters()) do
    local own = (p.param:tensor() * lac.tensor(gradients[i])):sum()
    loss = loss and loss + own or own
  end
  tape:backward(loss)
end

--- What a run offers a method, without training behind it.
-- @tparam[opt] table more keys that replace others
function bare.view(more)
  local run = {steps = 100, epoch_steps = 10, rng = lac.rng(1), gradient = function() end}
  for key, value in pairs(more or {}) do run[key] = value end
  return run
end

--- Where a step is.
function bare.at(step, more)
  local at = {step = step, steps = 100, epoch = (step - 1) // 10, epoch_steps = 10, stage = 1,
              rng = lac.rng(5):fork("step " .. step)}
  for key, value in pairs(more or {}) do at[key] = value end
  return at
end

--- One training step as train.loop takes it.
-- @tparam table self model, pruner, optimiser
-- @tparam table at
-- @tparam table gradients
-- @tparam number rate
function bare.step(self, at, gradients, rate)
  if self.pruner.prepare then self.pruner:prepare(at) end
  bare.backward(self.model, gradients)
  local skip = self.pruner.before_step and self.pruner:before_step(self.model, at, self.optimiser)
  if not skip then self.optimiser:step(rate) end
  self.pruner:update(self.model, at)
  self.model:zero_grad()
end

--- A model with a method attached, an SGD, and step(at, gradients, rate), close().
-- @tparam nn.Module model
-- @tparam string method
-- @tparam table cfg
function bare.training(model, method, cfg)
  local self = {model = model, pruner = require("prune." .. method).new(cfg), step = bare.step}
  self.pruner:attach(model)
  self.optimiser = sgd.new(model:parameters(), {})
  function self.close()
    self.optimiser:close()
    self.pruner:close()
    model:close()
  end
  return setmetatable(self, {__close = self.close})
end

return bare
