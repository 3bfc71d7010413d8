--- Supermask pruning: masks that are trained together with the weights.
--
-- Every maskable weight gets a logit; training draws masks with probability sigmoid(logit), evaluation rounds.
-- A loss on sparsity grows along a cosine and pushes the logits down:
--
--     s = 1 - (sum round(sigmoid(logit))) / N        a = (1 + cos(pi min(1, step / steps))) / 2
--     loss = weight (1 - a) |target - s|
--
-- with step = the number of completed updates, 0 for the first. Logits have an Adam of their own, in the published
-- program with a constant rate. Frozen masks stay at their first logit, are still drawn, count in no loss and are
-- pruned with the rest.
-- Tan, Chan and Chuah 2022, "End-to-end supermask pruning: learning to prune image captioning models", section 3.
-- @module prune.supermask
local lac = require "lac"
local adam = require "optim.adam"
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local fix = require "prune.fix"
local mask = require "nn.mask"
local parts = require "prune.parts"
local schedule = require "optim.schedule"
local select = require "core.select"

local supermask = {}

local Supermask = class("Supermask")

supermask.defaults = {
  target = config.optional "number", -- share of zeros where masks are not frozen, 0 <= target < 1
  weight = config.optional "number", -- of the loss; max(5, 0.5 / (1 - target)) unless given
  init = 5, -- first logit
  lr = config.either(100, "function"), -- of the logits, with Adam's other settings
  eps = 1e-2, beta1 = 0.9, beta2 = 0.999,
  form = "pytorch", -- of that Adam; or "tensorflow", see optim.adam
  clip_value = 0.1, -- limit of every element of a logit's gradient; 0: none
  draw = "step", -- "step": masks of a time loop are drawn at every step; "forward": once per forward pass; "never":
                 -- they are rounded in training too
  rounded = {}, -- patterns of names whose masks are never drawn: deep networks that were trained without masks bear
                -- badly that some of their weights are always missing
  bypass_sigmoid_grad = false, -- leave the sigmoid's slope out of the logits' gradient
  freeze = {}, -- patterns of names, see core.select; "core.*" is a beginning
}

--- What a stage of a recipe may choose for itself.
supermask.staged = {weight = true, lr = true}

local function check(cfg)
  if not cfg.target then blame("prune.supermask: target must be given, the share of zeros") end
  if not (cfg.target >= 0 and cfg.target < 1) then
    blame(("prune.supermask: target must be in [0, 1), got %g; it is the share of zeros"):format(cfg.target))
  end
  if cfg.draw ~= "step" and cfg.draw ~= "forward" and cfg.draw ~= "never" then
    blame(('prune.supermask: draw must be "step", "forward" or "never", got "%s"'):format(cfg.draw))
  end
  schedule.check_rate(cfg.lr, "prune.supermask: lr")
  if cfg.weight and not (cfg.weight >= 0) then -- luacheck: ignore 581 (NaN)
    blame(("prune.supermask: weight must be >= 0, got %g"):format(cfg.weight))
  end
end

--- @tparam table cfg see supermask.defaults
function Supermask:init(cfg)
  self.cfg = config.merge(supermask.defaults, cfg, "prune.supermask")
  check(self.cfg)
  self.cfg.weight = self.cfg.weight or math.max(5, 0.5 / (1 - self.cfg.target))
end

-- Names of the masks that are rounded.
local function rounded_names(cfg, names)
  local good, picked = pcall(select.pick, names, cfg.rounded)
  if not good then blame("prune.supermask.rounded: " .. picked) end
  return picked
end

-- A mask for a part's parameter; returns its logits.
local function add_mask(part, cfg, rounded)
  local draw = rounded[part.name] and "never" or cfg.draw
  part.logits = lac.zeros(part.param.shape):fill(cfg.init)
  part.param:set_mask(mask.trained(part.logits, {draw = draw, bypass = cfg.bypass_sigmoid_grad}))
  return part.logits
end

--- Give every maskable parameter of the model a mask to train. A model that does not fit is left as it is.
-- @tparam nn.Module model
function Supermask:attach(model)
  local cfg = self.cfg
  local names
  self.active, self.frozen, self.whole, names = parts(model, cfg.freeze, "prune.supermask")
  self.size = 0
  local trained, rounded = {}, rounded_names(cfg, names)
  for _, part in ipairs(self.frozen) do add_mask(part, cfg, rounded) end
  for i, part in ipairs(self.active) do
    trained[i] = add_mask(part, cfg, rounded):requires_grad(true)
    self.size = self.size + part.size
  end
  self.own, self.moving, self.moving_size = {}, self.active, self.size
  self.optimiser = adam.new(trained, {beta1 = cfg.beta1, beta2 = cfg.beta2, eps = cfg.eps, form = cfg.form,
                                      clip_value = cfg.clip_value})
end

--- Whether any of these masks trains, so that `focus` has something to do.
-- @tparam table picked names of parameters -> true
function Supermask:can_move(picked)
  for _, part in ipairs(self.active) do
    if picked[part.name] then return true end
  end
  return false
end

--- Train some of the masks only, from now on: the others count in no loss and stay as they are.
-- @tparam table picked names of parameters -> true, one that can move at least; frozen ones have no effect
-- @tparam[opt] table own weight and lr, in place of the method's
function Supermask:focus(picked, own)
  self.own = own or {}
  self.moving, self.moving_size = {}, 0
  for _, part in ipairs(self.active) do
    part.logits:requires_grad(picked[part.name] or false)
    if picked[part.name] then
      table.insert(self.moving, part)
      self.moving_size = self.moving_size + part.size
    end
  end
end

local function float32(x)
  return (string.unpack("<f", string.pack("<f", x)))
end

-- a of the formula above. In float32, as the published program computes it: 1 - a loses digits at the start, where
-- exact numbers would differ from theirs in the fourth place.
local function anneal_rate(step, steps)
  local angle = float32(float32(math.pi) * float32(math.min(1, step / steps)))
  return float32(1 + float32(math.cos(angle))) / 2
end

--- The term to add to the loss of a step, made under the current tape.
-- @tparam nn.Module _ the model
-- @tparam table at step, the number of completed updates, and steps, of the whole run
-- @treturn tensor weight (1 - a) |target - s|
-- @treturn table what to log: loss = |target - s|, sparsity = s (tensors), anneal_rate = a
function Supermask:loss(_, at)
  local cfg = self.cfg
  local kept
  for _, m in ipairs(self.moving) do
    local count = m.logits:mask_count()
    kept = kept and kept + count or count
  end
  local anneal = anneal_rate(at.step, at.steps)
  local sparsity = kept:scale(-1 / self.moving_size, 1)
  local loss = sparsity:scale(-1, cfg.target):abs()
  local weight = self.own.weight or cfg.weight
  return loss:scale(weight * (1 - anneal)), {loss = loss, sparsity = sparsity, anneal_rate = anneal}
end

--- What is to come, for a plan.
-- @tparam table at as for `loss`
-- @treturn table target, and the weight that the loss on sparsity will have
function Supermask:forecast(at)
  local weight = self.own.weight or self.cfg.weight
  return {target = self.cfg.target, ["loss weight"] = weight * (1 - anneal_rate(at.step, at.steps))}
end

--- The share of zeros among all maskable weights in the end; frozen masks keep theirs.
function Supermask:final_target()
  return self.cfg.target * self.size / self.whole
end

--- Step the logits and forget their gradients; after the optimiser's step, or before, it makes no difference.
-- @tparam nn.Module _ the model
-- @tparam[opt] table at where the run is, see optim.schedule; needed where lr is a schedule
function Supermask:update(_, at)
  self.optimiser:step(schedule.at(self.own.lr or self.cfg.lr, at, "prune.lr"))
  for _, m in ipairs(self.active) do m.logits:zero_grad() end
end

--- Prune for good, see prune.fix.
-- @tparam nn.Module model
function Supermask:finish(model)
  fix(model)
  self:close()
end

--- What `load` takes, for a checkpoint; the tensors are the live ones.
-- @treturn table logits (name -> tensor, frozen ones too), optimiser
function Supermask:state()
  local logits = {}
  for _, list in ipairs {self.active, self.frozen} do
    for _, m in ipairs(list) do logits[m.name] = m.logits end
  end
  return {logits = logits, optimiser = self.optimiser:state()}
end

--- Take a state over, after attach; tensors are copied.
-- @tparam table state
-- @raise names what does not fit, before anything has changed
function Supermask:load(state)
  local mine = self:state().logits
  for name, x in pairs(mine) do
    local got = state.logits[name]
    if not got then error("prune.supermask: the state has no logits of " .. name, 2) end
    if got:numel() ~= x:numel() then
      error(("prune.supermask: the state has %d logits of %s, which has %d"):format(got:numel(), name, x:numel()), 2)
    end
  end
  self.optimiser:load(state.optimiser)
  for name, x in pairs(mine) do x:copy(state.logits[name]) end
end

--- Let the optimiser's tensors go; the masks belong to the parameters.
function Supermask:close()
  self.optimiser:close()
end

--- @tparam table cfg see supermask.defaults
-- @treturn Supermask a pruning method: attach(model), loss(model, at), update(model), finish(model)
function supermask.new(cfg)
  return Supermask(cfg)
end

return supermask
