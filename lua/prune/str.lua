--- Soft thresholds that are learned, one for each tensor: training and evaluation compute with
--
--     sign(w) relu(|w| - e^t)
--
-- A dropped weight has no gradient. Kusupati et al. 2020, "Soft threshold weight reparameterization for learnable
-- sparsity", equations 3 and 6; where they have a sigmoid of t for their networks, which is e^t where it is small, this
-- has no upper limit at 1, which weights here pass.
--
-- How sparse their networks become follows from the weight decay of t, by trial; here `target` says it. What the decay
-- does to all thresholds alike, steering does: every few steps one number is added to every t, the one that makes the
-- share of zeros what a cubic from 0 to the target asks for at that step, which after `last` is the target. What the
-- loss says moves the thresholds against each other in between. That number is between the k-th smallest of
-- log |w| - t over all weights and the next; finding it does not wait for the device.
--
-- Frozen tensors have no threshold and stay whole.
-- @module prune.str
local lac = require "lac"
local adam = require "optim.adam"
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local mask = require "nn.mask"
local parts = require "prune.parts"
local schedule = require "optim.schedule"
local Timing = require "prune.timing"

local str = {}

local Str = class("Str")

str.defaults = {
  target = config.optional "number", -- share of zeros, 0 <= target < 1
  first = config.either("1 epoch", "number"), last = config.either("50 %", "number"), -- of the cubic, see prune.timing
  every = config.either("10 steps", "number"), -- steps between two steerings, also after `last`
  least = 10, power = 3,
  init = -12, -- first t: a threshold of 6e-6
  lr = config.either(0.01, "function"), -- of the thresholds, with Adam's other settings
  beta1 = 0.9, beta2 = 0.999, eps = 1e-8,
  freeze = {}, -- patterns of names, see core.select
}

local LOWEST = -30 -- of t, where weights that are 0 would draw it to minus infinity

--- @tparam table cfg see str.defaults
function Str:init(cfg)
  self.cfg = config.merge(str.defaults, cfg, "prune.str")
  cfg = self.cfg
  if not cfg.target then blame("prune.str: target must be given, the share of zeros") end
  schedule.check_rate(cfg.lr, "prune.str: lr")
  self.timing = Timing({target = cfg.target, first = cfg.first, last = cfg.last, every = cfg.every, least = cfg.least,
                        initial = 0, power = cfg.power}, "prune.str")
end

--- Give every maskable parameter that is not frozen a threshold.
-- @tparam nn.Module model
function Str:attach(model)
  local active, frozen, size = parts(model, self.cfg.freeze, "prune.str")
  local free = size
  for _, part in ipairs(frozen) do free = free - part.size end
  if self.cfg.target * size >= free then
    blame(("prune.str: a target of %.4g %% cannot be reached: the frozen tensors hold %.4g %% of the weights; freeze "
      .. "less, or ask for less"):format(100 * self.cfg.target, 100 * (1 - free / size)))
  end
  self.parts, self.size = active, size
  self:add_masks()
end

function Str:add_masks()
  local thresholds = {}
  for i, part in ipairs(self.parts) do
    part.t = lac.tensor {self.cfg.init}
    part.param:set_mask(mask.soft(part.t))
    thresholds[i] = part.t:requires_grad(true)
  end
  self.optimiser = adam.new(thresholds, {beta1 = self.cfg.beta1, beta2 = self.cfg.beta2, eps = self.cfg.eps})
end

--- Is there room for the cubic?
-- @tparam table run steps, epoch_steps
function Str:check(run)
  self.timing:check {step = 0, steps = run.steps, epoch = 0, epoch_steps = run.epoch_steps}
end

--- Before the first step of a run.
-- @tparam table run as for check
function Str:begin(run)
  self:check(run)
end

-- The share of zeros that a step shall end with; nil where nothing is steered.
function Str:wanted(at)
  if (at.stage or 1) > 1 then
    local grid = self.timing:grid(at)
    return (at.step % grid.period == 0 or at.step == at.steps) and self.cfg.target or nil
  end
  local grid = self.timing:grid(at)
  if at.step < grid.first then return nil end
  if (at.step - grid.first) % grid.period ~= 0 and at.step ~= at.steps then return nil end
  return self.timing:target(at)
end

-- Move all thresholds alike so that `zeros` weights are below theirs: to the middle between two weights.
function Str:steer(zeros)
  local scope <close> = lac.scope()
  local scores, last, next_one = {}, nil, nil
  for i, part in ipairs(self.parts) do
    scores[i] = lac.map("log(fabs(w)) - t", {w = part.param.value, t = part.t})
  end
  for i, m in ipairs((lac.smallest(scores, zeros))) do
    local gone = lac.map("m == 0 ? s : -inf", {m = m, s = scores[i]}):max()
    local left = lac.map("m == 0 ? -inf : -s", {m = m, s = scores[i]}):max():neg()
    last, next_one = last and last:maximum(gone) or gone, next_one and next_one:minimum(left) or left
  end
  for _, part in ipairs(self.parts) do
    lac.map("fmax(t + (b < inf ? (a + b) / 2 : a), low)",
      {t = part.t, a = last, b = next_one, low = LOWEST}, part.t)
  end
end

--- After the optimiser's step: step the thresholds, then steer them.
-- @tparam nn.Module _ the model
-- @tparam table at
function Str:update(_, at)
  self.optimiser:step(schedule.at(self.cfg.lr, at, "prune.lr"))
  for _, part in ipairs(self.parts) do part.t:zero_grad() end
  local zeros = math.floor((self:wanted(at) or 0) * self.size)
  if zeros > 0 then self:steer(zeros) end
end

--- What is to come, for a plan.
function Str:forecast(at)
  return {target = (at.stage or 1) > 1 and self.cfg.target or self.timing:in_force(at)}
end

--- The share of zeros in the end.
function Str:final_target()
  return self.cfg.target
end

--- What `load` takes, for a checkpoint; the tensors are the live ones.
function Str:state()
  local t = {}
  for _, part in ipairs(self.parts) do t[part.name] = part.t end
  return {t = t, optimiser = self.optimiser:state()}
end

--- Take a state over, after attach; tensors are copied.
-- @tparam table state
-- @raise names what does not fit, before anything has changed
function Str:load(state)
  for _, part in ipairs(self.parts) do
    local got = state.t[part.name]
    if not got or got:numel() ~= 1 then error("prune.str: the state has no threshold of " .. part.name, 2) end
  end
  self.optimiser:load(state.optimiser)
  for _, part in ipairs(self.parts) do part.t:copy(state.t[part.name]) end
end

--- Let the optimiser's tensors go; the thresholds belong to the parameters.
function Str:close()
  self.optimiser:close()
end

--- @tparam table cfg see str.defaults
-- @treturn Str a pruning method
function str.new(cfg)
  return Str(cfg)
end

return str
