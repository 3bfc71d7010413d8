--- Pruning by scores: a score, a scope, a schedule, a rewind and a regrow rule.
--
--     prune = {
--       method = "score",
--       score  = "fabs(w * g)",    -- what a weight is worth; the smallest go. See prune.criterion
--       scope  = "global",         -- who competes with whom. See prune.scope
--       target = 0.95, first = "1 epoch", last = "50 %", every = "100 steps",    -- see prune.timing
--     }
--
-- Without `every` all happens at once: before training with `start`, the folder of a run to begin with, or where
-- `rounds` is 0; else at the end of each round of training, of which there are then rounds + 1. `rewind` puts all
-- parameters back to what they were in the beginning, or after so many steps. `regrow` makes the number of zeros
-- constant and moves them: at each update a share of the weights that are left go, and as many dropped ones come
-- back, as 0, by their own score; where that looks at gradients the optimiser takes no step then. A `gate` lets an
-- evaluation decide, see prune.gate.
--
-- Masks are made anew at each update from all weights, so a weight can come back; but not between rounds and
-- iterations, where what was dropped has not been trained since. Dropped weights keep their stored values and have no
-- gradient, except where a score looks at gradients: then these are those of the weights that would stand in their
-- place, at the steps that need them, and the score is computed before the optimiser's step. An update waits for the
-- device once, to look for NaN.
--
-- The criterion of Tan, Chan and Chuah's program is a special case, as are most methods of this folder: see
-- prune.preset.
-- @module prune.score
local lac = require "lac"
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local Criterion = require "prune.criterion"
local Gate = require "prune.gate"
local Timing = require "prune.timing"
local histogram = require "prune.histogram"
local layout = require "prune.layout"
local memory = require "prune.memory"
local parts = require "prune.parts"
local settings = require "prune.settings"
local share_out = require "prune.scope"
local survey = require "prune.survey"

local score = {}

local Score = class("ScorePruning")

score.defaults = settings.defaults

--- @tparam table cfg see score.defaults
-- @tparam[opt] table kind what a preset adds: name, for messages; measure = function(pruner, run), which fills every
-- part's s before an update ahead of training
function Score:init(cfg, kind)
  self.kind = kind or {}
  local name = self.kind.name or "prune.score"
  cfg = config.merge(score.defaults, cfg, name)
  self.name, self.cfg = name, cfg
  self.layout = layout.parse(cfg.layout, name)
  settings.check(cfg, name, self.layout)
  self:check_looks()
  self.score = Criterion(cfg.score, name .. ".score")
  self.accumulate = cfg.accumulate and Criterion(cfg.accumulate, name .. ".accumulate")
  self.regrow = cfg.regrow and Criterion(cfg.regrow, name .. ".regrow")
  self.rules = {self.score}
  if self.accumulate then table.insert(self.rules, self.accumulate) end
  if self.regrow then table.insert(self.rules, self.regrow) end
  self:check_names()
  self.gate = cfg.gate and Gate(cfg.gate, cfg.target, name)
  self.timing = Timing({target = cfg.target or 1, first = cfg.first, last = cfg.last, every = cfg.every,
                        least = cfg.least, initial = cfg.initial, power = cfg.power, constant = self.regrow ~= nil,
                        progress = cfg.target == nil}, name)
  self.round = 0
end

-- Looking at data comes ahead of training and not in between.
function Score:check_looks()
  if self:has_times() and (self.kind.measure or self.cfg.batches > 0) then
    blame(self.name .. ": what it looks at comes before training, or before a round; leave first and every out")
  end
end

-- Whether what expressions look at will be there.
function Score:check_names()
  local adds_up = self.accumulate or self.kind.measure
  for _, rule in ipairs {self.score, self.regrow} do
    if rule.names and not adds_up and (rule.names.s or rule.names.total) then
      blame(('%s looks at s, so accumulate must say what s becomes at every step, as in accumulate = "s - w * g"')
        :format(rule.place))
    end
  end
end

-- Parts ------------------------------------------------------------------------------------------------

local function size_of(list)
  local size = 0
  for _, part in ipairs(list) do size = size + part.size end
  return size
end

-- The share of zeros among active weights that makes `sparsity` of those that count.
function Score:share(sparsity)
  if self.cfg.of == "active" or #self.frozen == 0 then return sparsity end
  return sparsity * self.size / size_of(self.active)
end

-- Who is ranked with whom for a sparsity, and how many go.
function Score:groups(sparsity)
  local share = type(self.cfg.scope) == "table" and sparsity or self:share(sparsity)
  return share_out.groups(self.cfg.scope, self.active, share, self.name)
end

local function percent(x)
  return ("%.4g %%"):format(100 * x)
end

-- Whether the target leaves anything to prune, and enough that may be pruned.
function Score:check_target()
  local own_share = type(self.cfg.scope) == "table" or self.layout.kind == "groups" or self.cfg.masks == "start"
  local final = not own_share and self.timing:final()
  if final and final > 0 and math.floor(self:share(final) * size_of(self.active)) == 0 then
    blame(("%s: a target of %g prunes nothing: %d weights are too few for it"):format(self.name, final,
      size_of(self.active)))
  end
  if final and self:share(final) >= 1 then
    local frozen = size_of(self.frozen) / self.size
    blame(("%s: a target of %s cannot be reached: the frozen tensors hold %s of the weights, so at most %s can go; "
      .. 'freeze less, ask for less, or count only the others with of = "active"'):format(self.name, percent(final),
      percent(frozen), percent(1 - frozen)))
  end
end

local function any_uses(self, name)
  for _, rule in ipairs(self.rules) do
    if rule:uses(name) then return true end
  end
  return false
end

--- Give every maskable parameter that is not frozen a mask of ones.
-- @tparam nn.Module model
function Score:attach(model)
  self.active, self.frozen, self.size = parts(model, self.cfg.freeze, self.name)
  for _, part in ipairs(self.active) do layout.check(self.layout, part, self.name) end
  if type(self.cfg.scope) == "table" then share_out.groups(self.cfg.scope, self.active, 1, self.name) end
  self:check_target()
  for _, part in ipairs(self.active) do
    part.param:set_mask(lac.zeros(part.shape):fill(1))
  end
  memory.make(self, {s = self.accumulate or self.kind.measure, w0 = any_uses(self, "w0"),
                     saved = self.cfg.rewind and not self.cfg.start}, model)
  self.model = model
end

-- What an expression's names mean for a part.
function Score:value_of(part, name)
  local w = part.param.value
  if name == "w" then return w end
  if name == "m" then return part.param.mask.values end
  if name == "s" then return part.s end
  if name == "g" then return w:grad() or lac.zeros(part.shape) end
  if name == "u" then return self.rng:fork(part.name):uniform(part.shape) end
  if name == "w0" then return part.w0 end
  if name == "v" then
    return self.optimiser:slots_of(part.name).v
  end
  if name == "total" then return self:total() end
  local mean, std = lac.moments(w)
  return name == "mean" and mean or std
end

function Score:total()
  local sum
  for _, part in ipairs(self.active) do
    local own = self:value_of(part, "s"):sum()
    sum = sum and sum + own or own
  end
  return sum
end

function Score:evaluate(criterion, part, out)
  return criterion:of(function(name) return self:value_of(part, name) end, part.param.value, out)
end

-- Masks ------------------------------------------------------------------------------------------------

-- Put zeros to the smallest scores of every group.
function Score:select(groups, scores)
  for _, group in ipairs(groups) do
    local list, zeros = {}, group.zeros
    for i, part in ipairs(group.parts) do list[i] = layout.gather(self.layout, scores[part]) end
    if self.layout.kind == "blocks" then zeros = zeros // (self.layout.rows * self.layout.columns) end
    local masks = self.cfg.threshold == "exact" and lac.smallest(list, zeros)
      or histogram.masks(list, group.share, self.name)
    for i, part in ipairs(group.parts) do
      part.param.mask.values:copy(layout.spread(self.layout, masks[i], part.shape))
    end
  end
end

-- The masks as they are, which an update reads while it makes others.
function Score:masks()
  local masks = {}
  for _, part in ipairs(self.active) do masks[part] = part.param.mask.values:clone() end
  return masks
end

function Score:scores()
  local scores = {}
  for _, part in ipairs(self.active) do scores[part] = self:evaluate(self.score, part) end
  return scores
end

-- Make the masks for a sparsity from the weights as they are; `for_good`: what is dropped stays so.
function Score:prune(sparsity, for_good)
  local scope <close> = lac.scope()
  local scores, before = self:scores(), self:masks()
  local seen = survey.of(self.active, scores, before)
  for part, s in pairs(for_good and scores or {}) do
    scores[part] = lac.map("m == 0 ? -inf : s", {m = before[part], s = s})
  end
  if self.layout.kind == "groups" then
    local how = self.layout
    for _, part in ipairs(self.active) do
      part.param.mask.values:copy(lac.smallest_of_groups(scores[part], how.of - how.keep, how.of))
    end
  else
    self:select(self:groups(sparsity), scores)
  end
  if sparsity > 0 then survey.check(self.active, scores, seen, self.name) end
end

-- Take as many of the dropped weights back, by their own score, as every group has lost.
function Score:take_back(groups)
  local worth = {}
  for _, part in ipairs(self.active) do
    worth[part] = lac.map("m == 0 ? -s : inf", {m = part.param.mask.values, s = self:evaluate(self.regrow, part)})
  end
  for _, group in ipairs(groups) do
    local list = {}
    for i, part in ipairs(group.parts) do list[i] = worth[part] end
    local others = lac.smallest(list, group.moved)
    for i, part in ipairs(group.parts) do
      local mask = part.param.mask.values
      lac.map("o == 0 ? 1 : m", {o = others[i], m = mask}, mask)
    end
  end
  return worth
end

-- Move the zeros: drop a share of the weights that are left, take as many others back, with the value 0.
function Score:exchange(sparsity, share)
  local scope <close> = lac.scope()
  local scores, before, low = self:scores(), self:masks(), {}
  for _, part in ipairs(self.active) do
    low[part] = lac.map("m == 0 ? -inf : s", {m = before[part], s = scores[part]})
  end
  local groups = self:groups(sparsity)
  for _, group in ipairs(groups) do
    local moved = math.floor(share * (size_of(group.parts) - group.zeros))
    group.zeros, group.moved = group.zeros + moved, moved
  end
  self:select(groups, low)
  local worth = self:take_back(groups)
  for _, part in ipairs(self.active) do
    self:forget_dropped(part, before[part])
    worth[part] = lac.map("a == a ? s : a", {a = worth[part], s = scores[part]}) -- NaN of both
  end
  survey.check(self.active, worth, survey.of(self.active, worth, before), self.name)
end

-- A weight that was dropped starts again at 0, with no memory of earlier gradients.
function Score:forget_dropped(part, before)
  local w = part.param.value
  lac.map("m == 0 ? 0 : w", {m = before, w = w}, w)
  for _, slot in pairs(self.optimiser:slots_of(part.name)) do
    lac.map("m == 0 ? 0 : w", {m = before, w = slot}, slot)
  end
end

-- Before training ----------------------------------------------------------------------------------------

-- Take over the weights of another run, and its masks where they are to be kept.
function Score:begin_with(found)
  memory.restore(self.model, found.values)
  if self.cfg.masks ~= "start" then return end
  for _, part in ipairs(self.active) do
    local mask = found.masks[part.name]
    if mask then part.param.mask.values:copy(mask) end
  end
end

-- Gradients of a few batches: s adds them up, or else the parameters do.
function Score:look_at_data(run)
  if self.kind.measure then return self.kind.measure(self, run) end
  for i = 1, math.max(self.cfg.batches, any_uses(self, "g") and 1 or 0) do
    run.gradient(i)
    if self.accumulate then
      self:add_up()
      self.model:zero_grad()
    end
  end
end

function Score:add_up()
  local scope <close> = lac.scope()
  for _, part in ipairs(self.active) do self:evaluate(self.accumulate, part, part.s) end
end

-- What the n-th of `of` prunings aims at, where each drops the same share of what is left; a table of shares is gone
-- through evenly.
function Score:on_the_way(target, n, of)
  if n == of then return target end
  if type(self.cfg.scope) == "table" then return target * n / of end
  return 1 - (1 - target) ^ (n / of)
end

function Score:prune_before(run, target)
  for i = 1, self.cfg.iterations do
    self.rng = run.rng:fork("prune " .. i)
    for _, part in ipairs(self.active) do
      if part.s and not self:adds_up_steps() then part.s:fill(0) end
    end
    self:look_at_data(run)
    self:prune(self:on_the_way(target, i, self.cfg.iterations), true)
    self.model:zero_grad()
  end
end

-- How many times a target is approached in rounds.
function Score:prunings()
  return math.max(1, self.cfg.rounds)
end

function Score:rewind_values(run)
  local at = self.cfg.rewind
  if not at then return nil end
  if self.saved then return self.saved end
  return memory.find(self, run, at == "init" and "init.h5" or ("step_%d.h5"):format(at)).values
end

function Score:go_back(run)
  local scope <close> = lac.scope()
  local values = self:rewind_values(run)
  if values then memory.restore(self.model, values) end
end

-- With `start` these are the ones that the run there began with.
function Score:remember_first_weights(run)
  local scope <close> = lac.scope()
  local values = self.cfg.start and memory.find(self, run, "init.h5").values
  for _, part in ipairs(self.active) do part.w0:copy(values and values[part.name] or part.param.value) end
end

-- Whether the optimiser has what expressions call v.
function Score:check_moment()
  for _, rule in ipairs(self.rules) do
    if rule.names and rule.names.v and not self.optimiser:slots_of(self.active[1].name).v then
      blame(("%s looks at v, Adam's second moment, which %s does not have"):format(rule.place,
        self.optimiser.rule.name))
    end
  end
end

local function first_of(run)
  return {step = 0, steps = run.steps, epoch = 0, epoch_steps = run.epoch_steps}
end

-- Whether a run can begin; returns the model of the run to start from and the values to go back to, where there are
-- any, of the current scope.
local function look_ahead(self, run)
  local cfg = self.cfg
  self.optimiser = run.optimiser
  self.timing:check(first_of(run))
  self:check_moment()
  if not cfg.start and math.type(cfg.rewind) and cfg.rewind > run.steps then
    blame(("%s: rewind is step %d, but training ends after %d"):format(self.name, cfg.rewind, run.steps))
  end
  if not cfg.start then return nil end
  local back = cfg.rewind and self:rewind_values(run)
  return memory.find_start(self, run), back
end

--- Whether a run can begin, as far as can be seen without changing anything.
-- @tparam table run as for begin
function Score:check(run)
  local scope <close> = lac.scope()
  look_ahead(self, run)
end

--- Before the first step of a run: what happens ahead of training.
-- @tparam table run model, optimiser, steps, epoch_steps, rng; start(folder, name) -> {values, masks} of a file of the
-- run there (its best model without a name); gradient(i): gradients of the i-th training batch are added
function Score:begin(run)
  local cfg, at = self.cfg, first_of(run)
  local scope <close> = lac.scope()
  local start, back = look_ahead(self, run)
  if start then self:begin_with(start) end
  if any_uses(self, "w0") then self:remember_first_weights(run) end
  if cfg.masks == "score" and not self.gate then
    if self.regrow or not self:has_times() and (cfg.rounds == 0 or cfg.start) then
      self:prune_first(run, self.timing:target(at))
    elseif self:has_times() and self.timing:due(at) then
      self:prune_before(run, self.timing:target(at))
    end
  end
  if back then memory.restore(self.model, back) end
  if cfg.rewind and not start then memory.save(self.model, self.saved) end
end

-- With regrow the first masks are random.
function Score:prune_first(run, target)
  if not self.regrow then return self:prune_before(run, self:on_the_way(target, 1, self:prunings())) end
  local own = self.score
  self.score = Criterion("u", self.name)
  self.rng = run.rng:fork("prune")
  self:prune(target)
  self.score = own
  local scope <close> = lac.scope()
  for _, part in ipairs(self.active) do self:forget_dropped(part, part.param.mask.values) end
end

-- While training -------------------------------------------------------------------------------------------

-- Whether s is summed over the steps of training, and not ahead of it.
function Score:adds_up_steps()
  return self.accumulate ~= nil and self.cfg.batches == 0
end

local function needs_gradient(self, at)
  if self:adds_up_steps() and self.accumulate:uses("g") then return true end
  if not self:due(at) then return false end
  return self.score:uses("g") or self.regrow ~= nil and self.regrow:uses("g")
end

-- Whether updates lie within training.
function Score:has_times()
  return self.cfg.every ~= nil or (self.cfg.first or 0) ~= 0
end

-- Whether masks change with this step.
function Score:due(at)
  if self.gate then return self.gate.pending end
  return self:has_times() and self.cfg.masks == "score" and self.round == 0 and (at.stage or 1) == 1
    and self.timing:due(at)
end

--- Before a step's forward pass.
function Score:prepare(at)
  self.dense = needs_gradient(self, at)
  for _, part in ipairs(self.active) do part.param.mask.dense_gradient = self.dense end
end

-- An update at a step.
function Score:change(at)
  if self.gate then return self:prune(self.gate:take()) end
  local target = self.timing:target(at)
  if not self.regrow then return self:prune(target) end
  local last = self.timing:grid(at).last
  self:exchange(target, self.cfg.fraction * (1 + math.cos(math.pi * math.min(1, at.step / last))) / 2)
end

--- After the backward pass, before the optimiser's step.
-- @tparam nn.Module _
-- @tparam table at
-- @tparam optim.Optimiser optimiser
-- @treturn boolean whether the optimiser shall not step
function Score:before_step(_, at, optimiser)
  self.optimiser = optimiser
  self.rng = at.rng and at.rng:fork("prune") or self.rng
  if self:adds_up_steps() then self:add_up() end
  if not self.dense then return false end
  if self:due(at) then
    self:change(at)
    if self.regrow then return true end
  end
  local scope <close> = lac.scope()
  for _, part in ipairs(self.active) do
    local g = part.param.value:grad()
    if g then lac.map("g * m", {g = g, m = part.param.mask.values}, g) end
  end
  return false
end

--- After the optimiser's step.
function Score:update(model, at)
  if self.cfg.rewind == at.step and self.saved and self.round == 0 and (at.stage or 1) == 1 then
    memory.save(model, self.saved)
  end
  if not self:due(at) or self.dense then return end
  self:change(at)
end

--- A round of training is over and another follows.
-- @tparam table run as for begin
-- @tparam integer round rounds done
function Score:round_end(run, round)
  self.optimiser, self.round = run.optimiser, round
  if not self:has_times() then
    local done = self.cfg.start and round + 1 or round
    self:prune_before(run, self:on_the_way(self.timing:final(), done, self:prunings()))
  end
  if self.cfg.rewind then
    self:go_back(run)
    run.optimiser:reset()
  end
end

--- How often the stages of the recipe are gone through.
-- @treturn integer
function Score:rounds()
  return self.cfg.start and math.max(1, self.cfg.rounds) or self.cfg.rounds + 1
end

--- An evaluation of the validation split.
-- @tparam number value
-- @treturn ?boolean whether this model is the best so far; nil: it is for the caller to say
function Score:judge(value)
  if self.gate then return self.gate:judge(value) end
  return nil
end

--- For a plan.
-- @tparam table at step (done), steps, epoch, epoch_steps, stage, round
-- @treturn table target
function Score:forecast(at)
  if self.gate or self.cfg.masks == "start" then return {} end
  local round = at.round or 0
  if not self:has_times() then
    local done = round + (self.cfg.start and 1 or 0)
    if self.cfg.rounds == 0 then done = 1 end
    return {target = done > 0 and self:on_the_way(self.timing:final(), done, self:prunings()) or 0}
  end
  if round > 0 or at.stage > 1 then return {target = self.timing:final()} end
  return {target = self.timing:in_force(at)}
end

--- The share of zeros among all maskable weights in the end.
function Score:final_target()
  if self.gate then return self.gate.level end
  if self.cfg.masks == "start" then return nil end
  local active = size_of(self.active)
  if type(self.cfg.scope) == "table" then
    return share_out.share(self.cfg.scope, self.active, self.name) * active / self.size
  end
  if self.layout.kind == "groups" then return self.cfg.target * active / self.size end
  return self:share(self.timing:final()) * active / self.size
end

-- Saving -----------------------------------------------------------------------------------------------------

--- What `load` takes, for a checkpoint; the tensors are the live ones.
function Score:state()
  local out = memory.state(self)
  out.round, out.gate = self.round, self.gate and self.gate:state()
  return out
end

--- Take a state over, after attach; tensors are copied.
-- @tparam table state
-- @raise names what does not fit, before anything has changed
function Score:load(state)
  memory.load(self, state)
  self.round = state.round
  if self.gate then self.gate:load(state.gate) end
end

--- Let the tensors go; the masks belong to the parameters.
function Score:close()
  memory.close(self)
end

--- @tparam table cfg see score.defaults
-- @tparam[opt] table kind see init
function score.new(cfg, kind)
  return Score(cfg, kind)
end

return score
