--- A recipe -> a finished run folder.
--
-- What touches the terminal, the clock and signals comes from the caller as `host`: clock() -> seconds, stop() ->
-- whether the user asked to end, time() -> seconds since 1970, list(folder) -> names, device() -> a table for
-- device.json, print(text), progress with start(done, total), update(done, fields), note(text) and finish().
-- @module train.run
local lac = require "lac"
local class = require "core.class"
local Folder = require "train.folder"
local Loop = require "train.loop"
local checkpoint = require "train.checkpoint"
local config = require "core.config"
local disk = require "core.disk"
local evaluate = require "train.evaluate"
local fix = require "prune.fix"
local journal = require "train.journal"
local ledger = require "train.ledger"
local recipe = require "train.recipe"
local sight = require "train.sight"
local standard = require "metrics.standard"
local state = require "train.state"
local stats = require "prune.stats"

local Run = class("Run")

local EVENTS = "events.out.tfevents.lacuna"

-- Building -------------------------------------------------------------------------------------------

-- Sizes of what the model sees; a recipe may say them too.
local function take_sizes(own, kind, sizes, from)
  for _, key in ipairs {"features", "fc_features"} do
    if kind.defaults[key] ~= nil and sizes[key] then
      if own[key] and own[key] ~= sizes[key] then
        error(("model.%s is %s, but %s has %d; leave it out"):format(key, own[key], from, sizes[key]), 0)
      end
      own[key] = sizes[key]
    end
  end
end

-- The settings of the encoder: those of the file whose weights it begins with, and the recipe's over them. What it
-- sees has the sizes that it gives, whatever the data hold. Returns the encoder of that file, to be closed, or nil.
local function encoder_config(own, kind)
  local given, found = own.encoder, nil
  if given.weights then
    found = checkpoint.load(given.weights, "encoder")
    if found.config.model.name ~= given.name then
      error(("model.encoder: %s holds the encoder %s, not %s"):format(given.weights, found.config.model.name,
        given.name), 0)
    end
    for key, value in pairs(found.config.model) do
      if given[key] == nil and key ~= "classes" then given[key] = value end
    end
  end
  given.weights = nil
  take_sizes(own, kind, checkpoint.encoder(given, "recipe"), "the encoder " .. given.name)
  return found and found.model
end

-- Let the encoder begin with the values of the one that the file at path holds, which is closed.
local function load_encoder(encoder, start, path)
  local values = {}
  local classifier = start.classifier and start.classifier:path() .. "."
  for _, p in ipairs(start:tensors()) do
    local kept = not classifier or p.name:sub(1, #classifier) ~= classifier
    if kept then values[p.name] = p.param:pruned():clone() end
  end
  local good, message = pcall(encoder.load, encoder, values)
  start:close()
  if not good then error(("%s: %s"):format(path, (tostring(message):gsub("^%S-:%d+: ", ""))), 0) end
end

-- The sizes that the data decide, where the recipe is silent; and the encoder to begin with, see encoder_config.
local function model_config(cfg, dataset)
  local own = config.copy(cfg.model)
  own.vocab = own.vocab or dataset.vocab:size()
  if own.vocab < dataset.vocab:size() then
    error(("model.vocab is %d, but the data file has %s"):format(own.vocab, dataset.vocab:describe()), 0)
  end
  local kind = checkpoint.class(own.name, "recipe")
  if kind.needs_boxes and not own.encoder and not dataset.has_boxes and not dataset.has_pictures then
    error(("model.name: %s looks at the boxes of regions, but %s has none; lacuna data build --boxes adds them"):format(
      own.name, dataset.path), 0)
  end
  if kind.check_recipe then kind.check_recipe(own) end
  local start
  if own.encoder then
    start = encoder_config(own, kind)
  else
    take_sizes(own, kind, {features = dataset.width, fc_features = dataset.fc_width}, dataset.path)
  end
  for _, key in ipairs(kind.unfilled or {}) do
    if own[key] == nil then own[key] = kind.defaults[key] end -- as the model would
  end
  return own, start
end

--- What a recipe needs to train: data, model with values, optimiser, pruning method.
-- @tparam table cfg resolved, see train.recipe
-- @treturn table dataset, model, optimiser, pruner, with close(); losses, one for each stage
function Run.build(cfg)
  lac.device.info() -- a device that cannot be had is no fault of the data file
  local dataset = require("data." .. cfg.data.name).open(recipe.own(cfg.data))
  local own, start = model_config(cfg, dataset)
  local model = checkpoint.build(own, "recipe")
  if model.encoder and not dataset.has_pictures and not model.encoder.cfg.frozen then
    error(("model.encoder: %s holds features, so the encoder would learn nothing; give it frozen = true, or the run a "
      .. "data file of pictures"):format(dataset.path), 0)
  end
  model:initialise(lac.rng(cfg.seed):fork("init"))
  if start then load_encoder(model.encoder, start, cfg.model.encoder.weights) end
  sight(model, dataset, "recipe")
  local pruner
  if cfg.prune then
    pruner = require("prune." .. cfg.prune.method).new(recipe.own(cfg.prune))
    pruner:attach(model)
  end
  local settings = recipe.own(cfg.optim)
  settings.lr = nil
  local optimiser = require("optim." .. cfg.optim.name).new(model:parameters(), settings)
  local losses = {}
  for i, stage in ipairs(cfg.stages) do
    losses[i] = require("train.losses." .. stage.loss.name).new(recipe.own(stage.loss), ("stages.%d.loss"):format(i))
  end
  return {dataset = dataset, model = model, model_config = own, optimiser = optimiser, pruner = pruner,
          losses = losses}
end

function Run:init(folder, cfg, host)
  self.folder, self.cfg, self.host = folder, cfg, host
  for key, value in pairs(Run.build(cfg)) do self[key] = value end
  function self.dataset.note(_, text) self.host.progress:note(text) end
  self.best = {score = 0, step = 0}
  self.judge = {}
  self.collapsed = {} -- names of layers that were warned about
  self.loop = Loop {cfg = cfg, model = self.model, dataset = self.dataset, optimiser = self.optimiser,
                    pruner = self.pruner, losses = self.losses, clock = host.clock, hooks = self:hooks()}
end

-- Values and masks in a model file of another run, for pruning methods: {values =, masks =}, name -> tensor of the
-- current scope. Without a name it is the run's best model.
local function starting_point(path, name)
  local folder = Folder(path)
  name = name or folder:has "best.h5" and "best.h5" or "last.h5"
  if not folder:has(name) then
    error(("prune.start: %s"):format(not disk.exists(path) and "there is no folder " .. path
      or name:find("^step_") and ("the run in %s has kept no weights of step %s; save.keep is the list of steps whose "
        .. "weights stay"):format(path, name:match "%d+")
      or ("there is no %s in %s, so it is no folder of a run"):format(name, path)), 0)
  end
  local found = checkpoint.load(folder:at(name))
  local values, masks = {}, {}
  for _, p in ipairs(found.model:tensors()) do
    local soft = p.param.mask and p.param.mask:state().kind == "soft" -- its weights are smaller than their values
    values[p.name] = (soft and p.param:pruned() or p.param.value):clone()
    masks[p.name] = p.param.mask and p.param.mask:binary(p.param.value)
  end
  found.model:close()
  return {values = values, masks = masks}
end

function Run:hooks()
  return {
    log = function(record) self:log(record) end,
    evaluate = function(step) return self:evaluate(step) end,
    save = function() self:save() end,
    stop = self.host.stop,
    progress = function(step) self.host.progress:update(step, self.shown) end,
    keep = function(step) self:keep(("step_%d.h5"):format(step)) end,
    start = starting_point,
  }
end

-- Saving ---------------------------------------------------------------------------------------------

function Run:contents(form)
  local length = self.cfg.eval.length or self.dataset.length
  return {model = self.model, vocab = self.dataset.vocab, form = form,
          config = {model = self.model_config, decode = {length = length}}}
end

--- Keep the weights of this moment, dense.
-- @tparam string name of the file
function Run:keep(name)
  local contents = self:contents("masked")
  self.model:eval()
  checkpoint.save(self.folder:at(name), contents)
end

--- Write last.h5: everything that resuming needs.
function Run:save()
  self.journal:sync()
  self.events:sync()
  local tree = {
    loop = self.loop:state(), best = self.best, optimiser = self.optimiser:state(),
    pruner = self.pruner and self.pruner:state(), data = self.dataset:fingerprint(), absent = self.dataset:absent(),
    log = self.journal:size(), events = self.events:size(), collapsed = self.collapsed,
  }
  local contents = self:contents("masked")
  contents.extra = function(file) state.write(file, tree) end
  self.model:eval()
  checkpoint.save(self.folder:at "last.h5", contents)
end

-- Take over what `save` wrote; returns the sizes that the logs had.
function Run:restore()
  local found, values = checkpoint.load(self.folder:at "last.h5"), {}
  for _, p in ipairs(found.model:tensors()) do
    values[p.name] = p.param.value
    p.param:set_mask(nil)
  end
  self.model:load(values)
  local scope <close> = lac.scope()
  local tree = state.read(self.folder:at "last.h5")
  if not tree then
    error(self.folder:at "last.h5" .. ": there is no state of training in it, so nothing to resume", 0)
  end
  if tree.data ~= self.dataset:fingerprint() then
    error(("%s is not the data file that this run began with, so it cannot be resumed; a new run can use it"):format(
      self.dataset.path), 0)
  end
  if tree.absent and tree.absent ~= self.dataset:absent() then
    error(("the pictures that are missing from %s are others than when this run began (%d now), and with them its "
      .. "batches, so it cannot be resumed; put the folder back as it was, or begin a new run"):format(
      self.dataset.looks.place or self.dataset.path, self.dataset:left_out()), 0)
  end
  self.optimiser:load(tree.optimiser)
  if self.pruner then self.pruner:load(tree.pruner) end
  self.loop:load(tree.loop)
  self.best, self.collapsed = tree.best, tree.collapsed or {}
  return tree.log, tree.events
end

-- Numbers --------------------------------------------------------------------------------------------

-- New logs, or those there cut to the sizes that a checkpoint noted.
function Run:open_logs(log_bytes, event_bytes)
  local log, events = self.folder:at "log.jsonl", self.folder:at(EVENTS)
  log_bytes, event_bytes = self.folder:has "log.jsonl" and log_bytes, self.folder:has(EVENTS) and event_bytes
  self.journal = log_bytes and journal.open(log, log_bytes) or journal.create(log)
  self.events = event_bytes and lac.tfevents.open(events, event_bytes) or lac.tfevents.create(events)
end

local TAGS = {loss = "train/loss", caption_loss = "train/caption_loss", lr = "train/learning_rate",
              sparsity_loss = "sparsity_loss/loss", sparsity_anneal_rate = "sparsity_loss/anneal_rate",
              sparsity_scaled = "sparsity_loss/loss_scaled", sparsity_sparsity = "prune/sparsity/all",
              reward = "train/avg_reward", baseline = "train/avg_baseline", caption_length = "train/caption_length"}

function Run:log(record)
  if not self.journal then return end -- a plan
  record.sparsity, record.sparsity_sparsity = record.sparsity_sparsity, nil
  local now = self.host.time()
  for name, value in pairs(record) do
    local tag = TAGS[name] or name == "sparsity" and TAGS.sparsity_sparsity
    if tag then self.events:scalar(tag, value, record.step, now) end
  end
  self.shown = {loss = not record.reward and record.caption_loss or nil, reward = record.reward,
                sparsity = record.sparsity and ("%.2f %%"):format(100 * math.max(0, record.sparsity))}
  record.time = now
  self.journal:write(record)
end

-- Those that are wanted, and the reward where there is one.
local function by_name(scores, metrics)
  local out = {reward = scores.reward}
  for _, metric in ipairs(metrics) do
    for _, name in ipairs(standard.GROUPS[metric]) do out[name] = scores[name] end
  end
  return out
end

-- Captions and scores of an evaluation, in files named by its step.
function Run:keep_scores(split, width, step, rows, scores)
  local folder = ("%s_beam_%d"):format(split, width)
  lac.files.make_folder(self.folder:at(folder))
  self.folder:write_json(("%s/caption_%08d.json"):format(folder, step), rows)
  self.folder:write_json(("%s/score_%08d.json"):format(folder, step), scores)
  local names, cells = {}, {}
  for i, name in ipairs(standard.NAMES) do
    names[i], cells[i] = name, ("%.3f"):format(scores[name])
  end
  self.folder:add_row(folder .. "/scores.csv", "Step," .. table.concat(names, ","),
                      ("%08d,"):format(step) .. table.concat(cells, ","))
end

-- The mean reward of a split's captions, where a stage trains for rewards.
function Run:reward(split, rows)
  for _, loss in ipairs(self.losses) do
    if loss.score then return loss:score(self.dataset, split, rows) end
  end
end

--- Captions and scores of a split with a model.
-- @treturn ?table scores, and reward; nil when stopped
function Run:score(model, split, width, step)
  model:eval()
  local rows = evaluate.captions(model, self.dataset, split, {
    decode = {beam = width, length = self.cfg.eval.length or self.dataset.length}, batch = self.cfg.eval.batch,
    stop = self.host.stop})
  if not rows then return nil end
  self.judge[split] = self.judge[split] or evaluate.judge(self.dataset, split)
  local scores = self.judge[split](rows)
  scores.reward = self:reward(split, rows)
  self:keep_scores(split, width, step, rows, scores)
  return scores
end

-- Whether a checkpoint may count as best: as many weights left as the target asks for, within 5 %.
function Run:reached(sparsity)
  local target = self.pruner and self.pruner:final_target()
  return not target or stats.reached(sparsity.sparsity, target)
end

-- Sparsity of every layer, and the mean of all masks as they are: of logits where these are trained.
function Run:log_masks(sparsity, step, now)
  local sum, size = 0, 0
  for _, layer in ipairs(sparsity) do
    self.events:scalar("prune/sparsity/" .. layer.name, layer.sparsity, step, now)
  end
  for _, p in ipairs(self.model:parameters()) do
    local scope <close> = lac.scope()
    if p.param.mask then
      sum, size = sum + p.param.mask:state().tensor:sum():item(), size + p.param:numel()
    end
  end
  if size > 0 then self.events:scalar("prune/all_mask_avg", sum / size, step, now) end
end

-- Warn about layers that pruning has all but removed, about each once.
function Run:warn_of_collapse(sparsity, step, now)
  local known = {}
  for _, name in ipairs(self.collapsed) do known[name] = true end
  for _, layer in ipairs(stats.collapsed(sparsity)) do
    if not known[layer.name] then
      table.insert(self.collapsed, layer.name)
      self.journal:write {step = step, collapsed = layer.name, kept = layer.kept, size = layer.size, time = now}
      self.host.progress:note(("step %d: warning: the layer %s has collapsed, %d of its %d weights are left"):format(
        step, layer.name, layer.kept, layer.size))
    end
  end
end

--- Evaluate the validation split; the best model so far is kept.
-- @treturn boolean false when stopped
function Run:evaluate(step)
  local cfg = self.cfg.eval
  if self.dataset:size("val") == 0 then return true end -- nothing to choose by: the last model is the best
  local scores = self:score(self.model, "val", cfg.beam, step)
  if not scores then return false end
  local sparsity = stats.of(self.model)
  local value, now = scores[standard.main(cfg.keep)], self.host.time()
  for name, score in pairs(by_name(scores, cfg.metrics)) do self.events:scalar("val/" .. name, score, step, now) end
  if self.pruner then
    self:log_masks(sparsity, step, now)
    self:warn_of_collapse(sparsity, step, now)
  end
  local better = self.pruner and self.pruner.judge and self.pruner:judge(value)
  if better == nil then
    better = self:reached(sparsity) and (self.best.step == 0 or value > self.best.score)
  end
  self.journal:write {step = step, val = by_name(scores, cfg.metrics), sparsity = sparsity.sparsity, best = better,
                      time = now}
  self.host.progress:note(("step %d: %s%s%s"):format(step, self:describe(scores),
    self.pruner and (", sparsity %.2f %%"):format(100 * sparsity.sparsity) or "", better and ", best so far" or ""))
  if better then
    self.best = {score = value, step = step}
    checkpoint.save(self.folder:at "best.h5", self:contents("masked"))
  end
  return true
end

-- The shown metrics as text: "BLEU-4 0.312, CIDEr 1.02".
function Run:describe(scores)
  local words = {}
  for _, metric in ipairs(self.cfg.eval.metrics) do
    local name = standard.main(metric)
    words[#words + 1] = ("%s %.3f"):format(standard.label(name), scores[name])
  end
  if scores.reward then words[#words + 1] = ("reward %.3f"):format(scores.reward) end
  return table.concat(words, ", ")
end

-- What an image is like in the data, for train.ledger: the step that ends a caption is one more.
function Run:typical()
  local counts, positions = self.dataset:regions(), self.model.encoder and self.model.encoder.positions
  return {regions = counts and counts.mean or positions[1] * positions[2], words = self.dataset:caption_words() + 1}
end

-- The end ---------------------------------------------------------------------------------------------

local function sparsity_table(sparsity)
  local names, cells = {"sparsity", "nnz"}, {("%.5f"):format(sparsity.sparsity), ("%d"):format(sparsity.kept)}
  for _, layer in ipairs(sparsity) do
    names[#names + 1], cells[#cells + 1] = layer.name, ("%.5f"):format(layer.sparsity)
  end
  return table.concat(names, ",") .. "\n" .. table.concat(cells, ",") .. "\n"
end

-- Prune the best model for good and export it; returns the file that the test split is evaluated with.
function Run:export()
  local source = self.best.step > 0 and "best" or "last"
  if not self.pruner then return source .. ".h5" end
  if source == "last" then
    local now, target = stats.of(self.model).sparsity, self.pruner:final_target() or 0
    self.host.print(("no evaluation found the sparsity within 5 %% of the target's weights (%.2f %%, it ended at "
      .. "%.2f %%), so there is no best model; the last is exported"):format(100 * target, 100 * now))
  end
  local found = checkpoint.load(self.folder:at(source .. ".h5"))
  fix(found.model)
  self.folder:write("sparsity.csv", sparsity_table(stats.of(found.model, stats.nonzeros)))
  self.folder:write("layers.csv", ledger.csv(ledger.of(found.model, self:typical())))
  checkpoint.save(self.folder:at(source .. "_sparse.h5"),
    {model = found.model, config = found.config, vocab = found.vocab, form = "packed"})
  found.model:close()
  return source .. "_sparse.h5"
end

--- Before the first step of a new run: its first weights are kept, then the pruning method may do what it does ahead
-- of training.
function Run:begin()
  self:keep "init.h5"
  self.loop:begin()
end

--- Train from the current position, export, evaluate the test split.
-- @treturn ?table the result, nil when stopped
function Run:go()
  self.host.progress:start(self.loop.step, self.loop.total)
  local absent = self.dataset:left_out() -- none was read yet
  if absent == 1 then self.host.progress:note("1 image is left out: its picture is not there") end
  if absent > 1 then
    self.host.progress:note(("%d images are left out: their pictures are not there"):format(absent))
  end
  if not self.folder:has "last.h5" then self:save() end
  local done = self.loop:run()
  self.host.progress:finish()
  if not done then return nil end
  local name = self:export()
  local found = checkpoint.load(self.folder:at(name))
  local step = self.best.step > 0 and self.best.step or self.loop.total
  local scores = self.dataset:size("test") > 0 and self:score(found.model, "test", self.cfg.eval.test_beam, step)
  if scores == nil then return nil end
  local sparsity = stats.of(found.model)
  local result = {model = name, step = step, best_val = self.best.score, test = scores or nil,
                  sparsity = sparsity.sparsity, nonzeros = sparsity.kept, weights = sparsity.size}
  found.model:close()
  self.folder:write_json("result.json", result)
  return result
end

function Run:close()
  if self.journal then self.journal:close() end
  if self.events then self.events:close() end
  if self.pruner then self.pruner:close() end
  for _, loss in ipairs(self.losses) do loss:close() end
  self.optimiser:close()
  self.model:close()
  self.dataset:close()
  if self.lock then self.lock:close() end
end

--- What a recipe builds, without a folder: for plans and measurements.
-- @tparam table cfg resolved
-- @tparam table host
-- @treturn Run
function Run.plan(cfg, host)
  return Run(nil, cfg, host)
end

-- Starting -------------------------------------------------------------------------------------------

-- A configuration as JSON can say it: functions become a word.
local function plain(value)
  if type(value) == "function" then return "a function, see recipe.lua" end
  if value ~= value or value == math.huge or value == -math.huge then return tostring(value) end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = plain(item) end
  return out
end

local function check_is_new(folder)
  if folder:has "config.json" then
    error(("%s is a run already; lacuna resume %s goes on with it, --out FOLDER chooses another place"):format(
      folder.path, folder.path), 0)
  end
end

--- Begin a run in a new folder.
-- @tparam string path of the folder
-- @tparam table sources of the recipe, see train.recipe
-- @tparam table how as for recipe.resolve
-- @tparam table host
-- @treturn Run
function Run.start(path, sources, how, host)
  local cfg = recipe.resolve(sources, how)
  local folder = Folder(path)
  check_is_new(folder)
  local run = Run(folder, cfg, host)
  run.loop:check() -- what cannot begin leaves no folder
  lac.files.make_folder(path)
  run.lock = lac.files.lock(folder:at "lock")
  check_is_new(folder) -- another process may have begun, and even finished, in between
  run:begin()
  folder:keep_recipe(sources)
  folder:write_json("device.json", host.device())
  cfg.model = run.model_config
  folder:write_json("config.json", {recipe = plain(cfg), overrides = how.overrides or {}, path = sources[1].path,
                                    trusted = how.trusted or false, typical = run:typical()})
  run:open_logs()
  return run
end

--- Go on with a run.
-- @tparam string path of its folder
-- @tparam table how compile, find, guard as for recipe.resolve; overrides come after those that it was started with
-- @tparam table host
-- @treturn ?Run nil when it is finished
function Run.resume(path, how, host)
  local folder = Folder(path)
  if not folder:has "config.json" then
    error(path .. " is no folder of a run: there is no config.json in it", 0)
  end
  if folder:has "result.json" then return nil end
  local lock = lac.files.lock(folder:at "lock")
  if folder:has "result.json" then return nil end -- finished by another process in between
  folder:tidy(host.list(path))
  local overrides = folder:overrides()
  how.overrides = table.move(how.overrides, 1, #how.overrides, #overrides + 1, overrides)
  local cfg = recipe.resolve(recipe.again(folder:recipe_texts(), how.compile), how)
  local run = Run(folder, cfg, host)
  run.lock = lock
  if folder:has "last.h5" then
    run:open_logs(run:restore())
  else
    run:begin()
    run:open_logs()
  end
  return run
end

return Run
