--- The training loop: steps over the stages of a recipe, from any position, with what happens between steps.
--
-- Everything that a step draws or picks is a function of the seed and the number of the step: the images, their
-- captions, dropout, masks. So the position is a number, and a run that goes on from a saved one repeats the
-- uninterrupted run bit for bit. The loop alone knows when to log, evaluate and save; what these do is the hooks'.
--
-- One step, in the order of Tan, Chan and Chuah's program: loss, sparsity loss, gradients, limits and optimiser,
-- masks.
-- @module train.loop
local lac = require "lac"
local class = require "core.class"
local schedule = require "optim.schedule"
local every = require "core.every"
local focus = require "train.focus"

local Loop = class("Loop")

-- First step of each stage in the run, and how many it has; all of them as often as there are rounds.
local function lay_out(stages, epoch_steps, rounds)
  local list, first = {}, 0
  for round = 0, rounds - 1 do
    for i, stage in ipairs(stages) do
      local steps = math.max(1, math.floor((stage.steps or stage.epochs * epoch_steps) + 0.5))
      list[#list + 1] = {cfg = stage, first = first, steps = steps, number = i, round = round}
      first = first + steps
    end
  end
  return list, first
end

--- The stages of a run and its steps in all.
-- @tparam table cfg a resolved recipe
-- @tparam table dataset
-- @tparam ?table pruner
-- @treturn table stages, in their order
-- @treturn integer steps
-- @treturn integer steps of an epoch
function Loop.length(cfg, dataset, pruner)
  local epoch_steps = dataset:steps()
  if epoch_steps < 1 then
    error(("data.batch: a batch of %d images is more than the %d of the training split"):format(
      cfg.data.batch, dataset:size("train")), 0)
  end
  local stages, total = lay_out(cfg.stages, epoch_steps, pruner and pruner.rounds and pruner:rounds() or 1)
  return stages, total, epoch_steps
end

--- @tparam table parts cfg (a resolved recipe), model (values set, masks attached), dataset, optimiser, pruner (or
-- nil), losses (of each stage, see train.losses.xent), clock = function -> seconds, hooks:
--
-- * log(record): every few steps and at the end; record has step, epoch, loss and so on
-- * evaluate(step) -> false when interrupted: as often as eval.every says and after the last step
-- * save(step): when an evaluation is done, as often as save.every says, when stopped
-- * progress(step): after every step
-- * stop() -> whether the user wants to end
-- * start(folder, name) -> values and masks of a model file of another run
-- * keep(step): after a step that save.keep names
function Loop:init(parts)
  for key, value in pairs(parts) do self[key] = value end
  self.stages, self.total, self.epoch_steps = Loop.length(self.cfg, self.dataset, self.pruner)
  self.step, self.evaluated = 0, 0 -- steps done; the step of the last finished evaluation
  self.keeps = {}
  for _, step in ipairs(self.cfg.save.keep) do self.keeps[step] = true end
  self:clear()
  self.waiting = {} -- losses whose values have not been fetched
end

-- Begin with the sums that the next line of the log is made of.
function Loop:clear()
  self.window = {loss = 0, caption_loss = 0, count = 0, more = {}} -- more: name -> {sum, count} of what losses tell
end

--- What `load` takes, for a checkpoint.
function Loop:state()
  self:collect()
  return {step = self.step, evaluated = self.evaluated, window = self.window}
end

function Loop:load(state)
  if state.step > self.total then
    error(("the checkpoint was written after %d steps, but the recipe has only %d"):format(state.step, self.total), 0)
  end
  self.step, self.evaluated, self.window = state.step, state.evaluated, state.window
  self.window.more = self.window.more or {} -- the last lines of older versions told nothing more
  self.focused = nil
end

-- The stage that the next step belongs to.
function Loop:stage()
  for i = #self.stages, 1, -1 do
    if self.step >= self.stages[i].first then return self.stages[i] end
  end
end

-- The pruning method in the steps of a stage: none where its masks are frozen.
function Loop:pruner_of(stage)
  return stage.cfg.masks ~= "frozen" and self.pruner or nil
end

-- Values of the losses that are still on the device.
function Loop:collect()
  for _, pair in ipairs(self.waiting) do
    self.window.caption_loss = self.window.caption_loss + pair.caption:item()
    self.window.loss = self.window.loss + pair.whole:item()
    self.window.count = self.window.count + 1
    if self.window.loss ~= self.window.loss or math.abs(self.window.loss) == math.huge then self:diverged() end
    pair.caption:close()
    pair.whole:close()
  end
  self.waiting = {}
end

function Loop:diverged()
  error(("the loss is no longer a finite number at step %d or up to %d steps before; a smaller optim.lr or "
    .. "optim.clip_value may help. The last checkpoint is from before"):format(self.step, self.cfg.log.every - 1), 0)
end

-- The loss of a batch under the current tape: the captions' and, with a pruner that has one, the whole; then numbers of
-- the pruner, and what the loss tells.
function Loop:find_loss(stage, at, batch)
  local caption, told = self.losses[stage.number]:of(self.model, batch, {
    rng = self.rng, dataset = self.dataset, length = self.cfg.eval.length or self.dataset.length,
    sampling = schedule.at(stage.cfg.sampling, at, "sampling")})
  local pruner = self:pruner_of(stage)
  if not (pruner and pruner.loss) then return caption, caption, nil, told end
  local term, numbers = pruner:loss(self.model, {step = at.step - 1, steps = at.steps, epoch = at.epoch})
  numbers.scaled = term
  return caption, caption + term, numbers, told
end

-- Add what a loss tells of a step.
function Loop:note(told)
  for name, value in pairs(told or {}) do
    local so_far = self.window.more[name] or {sum = 0, count = 0}
    self.window.more[name] = {sum = so_far.sum + value, count = so_far.count + 1}
  end
end

-- What a step needs to know of where it is: step counts from 1 within the stage.
local function position(self, stage)
  local step = self.step - stage.first + 1
  return {step = step, steps = stage.steps, epoch = (step - 1) // self.epoch_steps, epoch_steps = self.epoch_steps,
          stage = stage.number, rng = self.rng}
end

--- The learning rate of a step.
-- @tparam table cfg resolved recipe
-- @tparam table stage its own part
-- @tparam table at where the step is, see optim.schedule
function Loop.rate(cfg, stage, at)
  if stage.lr ~= nil then return schedule.at(stage.lr, at, "lr of a stage") end
  return schedule.at(cfg.optim.lr, at, "optim.lr")
end

-- What a pruning method sees of the run between its steps, see prune.score.
function Loop:view(stage)
  return {
    model = self.model, optimiser = self.optimiser, steps = stage.steps, epoch_steps = self.epoch_steps,
    rng = lac.rng(self.cfg.seed):fork(("prune %d"):format(stage.round)), start = self.hooks.start,
    vocab = self.dataset.vocab:size(),
    batch = function(i) return self.dataset:batch(self.cfg.seed, 0, (i - 1) % self.epoch_steps + 1) end,
    gradient = function(i) self:gradient(stage, i) end,
  }
end

-- Add the gradients of a training batch to those there are, in training mode, without a step.
function Loop:gradient(stage, i)
  self.rng = lac.rng(self.cfg.seed):fork(("look %d"):format(i))
  self.model:train(self.rng)
  local tape <close> = lac.tape()
  local batch = self.dataset:batch(self.cfg.seed, 0, (i - 1) % self.epoch_steps + 1)
  tape:backward((self:find_loss(stage, {step = 1, steps = stage.steps, epoch = 0}, batch)))
end

--- Whether the stages and the pruning method can begin; what cannot is an error, as in `begin`.
function Loop:check()
  for _, stage in ipairs(self.stages) do
    focus.check(stage, self.model, self.pruner)
    if self.model.no_sampling and stage.cfg.sampling ~= 0 then
      error(("stages.%d.sampling: %s"):format(stage.number, self.model.no_sampling), 0)
    end
  end
  if self.pruner and self.pruner.check then self.pruner:check(self:view(self.stages[1])) end
end

-- Let the model train what the stage trains, once it has begun.
function Loop:focus(stage)
  if self.focused == stage then return end
  focus.begin(stage, self.model, self.pruner)
  self.focused = stage
end

--- Before the first step of a new run: let a pruning method that works ahead of training do so.
function Loop:begin()
  self:focus(self.stages[1])
  if self.pruner and self.pruner.begin then self.pruner:begin(self:view(self.stages[1])) end
end

-- Where a stage ends that ends a round, the method prunes; the checkpoint between is from before.
function Loop:end_round(stage)
  if stage.round > 0 and stage.number == 1 and self.step == stage.first then
    self.pruner:round_end(self:view(stage), stage.round)
  end
end

-- Call a hook of the pruning method, if it has one.
local function tell(pruner, hook, ...)
  if pruner and pruner[hook] then return pruner[hook](pruner, ...) end
end

function Loop:train_step()
  local stage = self:stage()
  self:end_round(stage)
  self:focus(stage)
  local pruner = self:pruner_of(stage)
  local epoch, index = self.step // self.epoch_steps, self.step % self.epoch_steps + 1
  self.rng = lac.rng(self.cfg.seed):fork(("step %d"):format(self.step))
  local at = position(self, stage)
  self.model:train(self.rng)
  local tape <close> = lac.tape()
  local batch = self.dataset:batch(self.cfg.seed, epoch, index)
  tell(pruner, "prepare", at)
  local caption, whole, numbers, told = self:find_loss(stage, at, batch)
  self:note(told)
  tape:backward(whole)
  local rate = Loop.rate(self.cfg, stage.cfg, at)
  if not tell(pruner, "before_step", self.model, at, self.optimiser) then self.optimiser:step(rate) end
  tell(pruner, "update", self.model, at)
  self.model:zero_grad()
  self.step = self.step + 1
  tape:keep(caption)
  if whole ~= caption then tape:keep(whole) end
  self.waiting[#self.waiting + 1] = {caption = caption, whole = whole}
  if self.step % self.cfg.log.every == 0 or self.step == self.total then self:log(at, rate, numbers) end
end

local function number(value)
  return type(value) == "userdata" and value:item() or value
end

function Loop:log(at, rate, numbers)
  self:collect()
  local window = self.window
  local record = {step = self.step, epoch = at.epoch, loss = window.loss / window.count, lr = rate,
                  caption_loss = window.caption_loss / window.count}
  for name, value in pairs(numbers or {}) do record["sparsity_" .. name] = number(value) end
  for name, told in pairs(window.more) do record[name] = told.sum / told.count end
  self:clear()
  self.hooks.log(record)
end

-- Questions "is it time?" of the current stage.
function Loop:questions()
  local stage = self:stage()
  if self.asked ~= stage then
    local run = {steps = stage.steps, epoch_steps = self.epoch_steps, clock = self.clock}
    self.asked = stage
    self.time_to_evaluate = every.due(self.cfg.eval.every, run, "eval.every")
    self.time_to_save = every.due(self.cfg.save.every, run, "save.every")
  end
end

-- Whether an evaluation belongs to the step just done and is still to be made.
function Loop:must_evaluate()
  if self.step == self.evaluated or self.step == 0 then return false end
  return self.step == self.total or self.time_to_evaluate(self.step)
end

--- Run from the current position to the end.
-- @treturn boolean false when it was stopped; everything is saved then
function Loop:run()
  while true do
    self:questions()
    if self:must_evaluate() then
      if not self.hooks.evaluate(self.step) then
        self.hooks.save(self.step)
        return false
      end
      self.evaluated = self.step
      self.hooks.save(self.step)
    elseif self.step > 0 and self.time_to_save(self.step) then
      self.hooks.save(self.step)
    end
    if self.step == self.total then return true end
    if self.hooks.stop() then
      self.hooks.save(self.step)
      return false
    end
    self:train_step()
    if self.keeps[self.step] then self.hooks.keep(self.step) end
    self.hooks.progress(self.step)
  end
end

return Loop
