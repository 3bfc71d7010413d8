local lac = require "lac"
local check = require "check"
local golden = require "golden"
local adam = require "optim.adam"
local schedule = require "optim.schedule"
local stats = require "prune.stats"
local supermask = require "prune.supermask"
local Linear = require "nn.linear"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"
local UpDown = require "models.updown"

local T = {}

-- The maskable parameters of a model by name.
local function masked_parameters(model)
  local params = {}
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then params[p.name] = p.param end
  end
  return params
end

-- Logits for every mask of a model that a method was attached to.
local function set_logits(model, logits)
  for name, param in pairs(masked_parameters(model)) do param.mask.logits:copy(logits[name]) end
end

-- Let masks take recorded noise, call by call, instead of a generator's; returns how often each was called.
local function replay(model, noise)
  local calls = {}
  for name, param in pairs(masked_parameters(model)) do
    calls[name] = 0
    function param.mask.source()
      calls[name] = calls[name] + 1
      return {noise = noise[name]:select(1, calls[name])}
    end
  end
  return calls
end

local function compare(got, want, name, ...)
  local good, message = pcall(check.close, got, want, ...)
  check.yes(good, name .. ": " .. tostring(message))
end

-- Each tensor of a golden group against those of a table.
local function compare_all(file, group, got, ...)
  local wanted = golden.group(file, group)
  check.yes(next(wanted), "the file holds no " .. group)
  for name, want in pairs(wanted) do
    compare(got[name], want, group .. "/" .. name, ...)
    want:close()
  end
end

local function weight_gradients(model)
  local grads = {}
  for _, p in ipairs(model:parameters()) do grads[p.name] = p.param.value:grad() or lac.zeros(p.param.shape) end
  return grads
end

local function logit_gradients(model)
  local grads = {}
  for name, param in pairs(masked_parameters(model)) do grads[name] = param.mask.logits:grad() end
  return grads
end

local function scalar(file, name)
  local x <close> = file:read(name)
  return x:totable()[1]
end

local function caption_loss(file, model, batch)
  local logits = model(batch)
  local targets, weights = golden.targets(file, batch)
  return lac.xent(logits, targets, weights), logits
end

-- With masks as recorded for a mode ("eval" or "train"), whether drawn at every use or once per forward pass.
local function ort_agrees(mode, draw)
  local file <close> = golden.open "supermask_ort.h5"
  local model, method = golden.ort(file), supermask.new {target = 0.9, draw = draw}
  method:attach(model)
  if mode == "train" then model:train(lac.rng(1)) end
  do
    local tape <close> = lac.tape()
    set_logits(model, golden.group(file, "mask_logits"))
    local noise = golden.group(file, "train/noise")
    local calls, batch = replay(model, noise), golden.ragged(file)
    local logits, want, list = model(batch), file:read(mode .. "/logprobs"):totable(), {}
    for i, at in ipairs(batch.at) do list[i] = want[at[1]][at[2]] end
    check.close(logits:log_softmax(), list, 1e-4)
    local loss = lac.xent(logits, batch.targets, batch.weights)
    check.close(loss:item(), scalar(file, mode .. "/loss"), 0, 1e-5)
    tape:backward(loss)
    compare_all(file, mode .. "/grads_weights", weight_gradients(model), 1e-5, 1e-3)
    compare_all(file, mode .. "/grads_masks", logit_gradients(model), 1e-8, 1e-3)
    for name, n in pairs(calls) do check.equal({name, n}, {name, mode == "train" and 1 or 0}) end
  end
  method:close()
  model:close()
end

function T.masks_may_be_rounded_in_training_and_still_learn()
  local model = Sequential {Linear {inputs = 40, outputs = 30}, Linear {inputs = 30, outputs = 4}}
  model:initialise(lac.rng(1))
  local method = supermask.new {target = 0.5, init = 0.5, rounded = {"0.*"}}
  method:attach(model)
  model:train(lac.rng(2))
  local first, second = model:parameters()[1].param, model:parameters()[3].param
  check.equal({first:redraws(), second:redraws()}, {false, true})
  local tape <close> = lac.tape()
  check.equal(first:tensor():tobytes(), first.value:tobytes()) -- each of 1,200 would be out with probability 0.38
  check.yes(second:tensor():tobytes() ~= second.value:tobytes())
  tape:backward(model(lac.rng(3):normal {5, 40}):sum())
  check.yes(first.mask.logits:grad():abs():max():item() > 0, "no gradient reaches the logits")
  method:close()
  model:close()
  check.fails('rounded: "encoder%.%*" matches nothing', function()
    supermask.new({target = 0.5, rounded = {"encoder.*"}}):attach(model)
  end)
end

function T.rounded_masks_of_a_transformer_agree_with_the_golden_file()
  ort_agrees "eval"
end

function T.masks_of_a_transformer_are_drawn_once_per_pass_and_agree_with_the_golden_file()
  ort_agrees("train", "step")
  ort_agrees("train", "forward")
end

local function updown_agrees(mode)
  local file <close> = golden.open "supermask_updown.h5"
  local model, method = golden.updown(file), supermask.new {target = 0.9}
  method:attach(model)
  if mode == "train" then model:train(lac.rng(1)) end
  do
    local tape <close> = lac.tape()
    set_logits(model, golden.group(file, "mask_logits"))
    local noise = golden.group(file, "train/noise")
    local calls = replay(model, noise)
    local batch = golden.batch(file)
    local loss, logits = caption_loss(file, model, batch)
    local logp = logits:log_softmax():reshape(batch.steps, #batch.seqs, logits:shape(2)):transpose(1, 2)
    check.close(logp, file:read(mode .. "/logprobs"):slice(2, 1, batch.steps), 1e-4)
    check.close(loss:item(), scalar(file, mode .. "/loss"), 0, 1e-5)
    tape:backward(loss)
    compare_all(file, mode .. "/grads_weights", weight_gradients(model), 1e-5, 1e-3)
    compare_all(file, mode .. "/grads_masks", logit_gradients(model), 1e-8, 1e-3)
    if mode == "train" then
      for name, n in pairs(calls) do check.equal(n, noise[name]:shape(1)) end
    end
  end
  method:close()
  model:close()
end

function T.rounded_masks_agree_with_the_golden_file()
  updown_agrees "eval"
end

function T.masks_drawn_at_every_step_agree_with_the_golden_file()
  updown_agrees "train"
end

function T.pruned_weights_and_their_sparsity_agree_with_the_golden_file()
  local file <close> = golden.open "supermask_updown.h5"
  local model, method = golden.updown(file), supermask.new {target = 0.9}
  method:attach(model)
  do
    local scope <close> = lac.scope()
    set_logits(model, golden.group(file, "mask_logits"))
  end
  local function statistics_agree()
    local s = stats.of(model)
    check.equal(s.kept, scalar(file, "sparsity/nnz"))
    check.close(s.sparsity, scalar(file, "sparsity/total"), 1e-6)
    for _, row in ipairs(s) do check.close(row.sparsity, scalar(file, "sparsity/layers/" .. row.name), 1e-6) end
    check.equal(#s, 11)
  end
  statistics_agree()
  method:finish(model)
  statistics_agree()
  local values = {}
  for name, param in pairs(masked_parameters(model)) do values[name] = param.value end
  compare_all(file, "pruned_weights", values, 0)
  for _, param in pairs(masked_parameters(model)) do param:set_mask(nil) end
  statistics_agree() -- now of the weights
  model:close()
end

-- Sizes of the Up-Down model of the golden file that holds logits only.
local SPARSITY_MODEL = {vocab = 30, embed = 12, hidden = 16, attention = 8, features = 10, fc_features = 10}

function T.the_sparsity_loss_agrees_with_the_golden_file_over_its_schedule()
  local file <close> = golden.open "supermask_sparsity_loss.h5"
  local model = UpDown(SPARSITY_MODEL)
  model:initialise(lac.rng(1))
  for n = 0, 1 do
    local at = "schedule" .. n .. "/"
    local method = supermask.new {target = scalar(file, at .. "target"), weight = scalar(file, at .. "weight")}
    method:attach(model)
    local tape <close> = lac.tape()
    set_logits(model, golden.group(file, "mask_logits"))
    local max_step = scalar(file, at .. "max_step")
    local function read(name) return file:read(at .. name):totable() end
    local loss, scaled, anneal = read "loss", read "loss_scaled", read "anneal_rate"
    for i, step in ipairs(read "steps") do
      local term, log = method:loss(model, {step = step, steps = max_step})
      check.close(term:item(), scaled[i], 0, 1e-5)
      check.close(log.loss:item(), loss[i], 0, 1e-5)
      check.equal(log.anneal_rate, anneal[i])
      check.close(log.sparsity:item(), scalar(file, "sparsity"), 0, 1e-5)
    end
    local term = method:loss(model, {step = 50, steps = max_step})
    tape:backward(term)
    compare_all(file, at .. "grads_step50", logit_gradients(model), 1e-8, 1e-3)
    method:close()
  end
  model:close()
end

-- Values of all parameters or logits by name.
local function values_of(model, what)
  local values = {}
  for _, p in ipairs(model:parameters()) do
    if what == "params" then values[p.name] = p.param.value end
    if what == "mask_logits" and p.param.mask then values[p.name] = p.param.mask.logits end
  end
  return values
end

-- Five steps with recorded noise: losses, gradients, and every weight and logit after each update.
local function training_agrees(name)
  local file <close> = golden.open(name)
  local function config(key) return scalar(file, "config/" .. key) end
  local model = golden.updown(file, "init/params")
  local method = supermask.new {
    target = config "prune_sparsity_target", weight = config "prune_supermask_sparsity_weight",
    lr = config "prune_supermask_lr", eps = config "mask_adam_epsilon", beta1 = config "optim_alpha",
    beta2 = config "optim_beta", clip_value = config "grad_clip"}
  method:attach(model)
  local optimiser = adam.new(model:parameters(), {
    beta1 = config "optim_alpha", beta2 = config "optim_beta", eps = config "optim_epsilon",
    clip_value = config "grad_clip", weight_decay = config "weight_decay"})
  local cosine = schedule.cosine {from = config "learning_rate", to = config "learning_rate_min"}
  local steps = config "max_train_step"
  do
    local scope <close> = lac.scope()
    set_logits(model, golden.group(file, "init/mask_logits"))
  end
  model:train(lac.rng(1))
  for k = 1, 5 do
    local at = "step" .. k .. "/"
    local tape <close> = lac.tape()
    replay(model, golden.group(file, at .. "noise"))
    check.close(stats.of(model).sparsity, scalar(file, at .. "sparsity_before"), 1e-6)
    local xent = caption_loss(file, model, golden.batch(file))
    local sparsity = method:loss(model, {step = k - 1, steps = steps})
    local loss = xent + sparsity
    check.close(xent:item(), scalar(file, at .. "caption_loss"), 0, 1e-5)
    check.close(sparsity:item(), scalar(file, at .. "sparsity_loss_scaled"), 0, 1e-5)
    check.close(loss:item(), scalar(file, at .. "loss"), 0, 1e-5)
    tape:backward(loss)
    if k == 1 or k == 5 then
      compare_all(file, at .. "grads_weights", weight_gradients(model), 1e-5, 1e-3)
      compare_all(file, at .. "grads_masks", logit_gradients(model), 1e-8, 1e-3)
    end
    local lr = schedule.at(cosine, {step = k, steps = steps, epoch = 0})
    check.close(lr, scalar(file, at .. "lr"), 0, 1e-5)
    optimiser:step(lr)
    method:update(model)
    model:zero_grad()
    compare_all(file, at .. "params", values_of(model, "params"), 1e-5, 1e-3)
    compare_all(file, at .. "mask_logits", values_of(model, "mask_logits"), 1e-5, 1e-3)
  end
  optimiser:close()
  method:close()
  model:close()
end

function T.five_training_steps_from_logits_of_5_agree_with_the_golden_file()
  training_agrees "supermask_train5_init5.h5"
end

function T.five_training_steps_from_random_logits_agree_with_the_golden_file()
  training_agrees "supermask_train5_random.h5"
end


-- A model of two layers whose input has four useful numbers and twelve of noise, and its data.
local function small_problem()
  local model = Sequential {Linear {inputs = 16, outputs = 8}, Relu(), Linear {inputs = 8, outputs = 1}}
  model:initialise(lac.rng(1))
  local x = lac.rng(2):normal({64, 16})
  local scope <close> = lac.scope()
  local y = x:slice(2, 1, 4):sum(2, true)
  scope:keep(y)
  return model, x, y
end

local function close_all(...)
  for _, object in ipairs {...} do object:close() end
end

function T.training_reaches_the_target_and_finish_keeps_what_evaluation_saw()
  local model, x, y = small_problem()
  local method = supermask.new {target = 0.75, weight = 20, lr = 30}
  method:attach(model)
  local optimiser = adam.new(model:parameters(), {eps = 1e-2, clip_value = 0.1})
  model:train(lac.rng(3))
  for step = 0, 399 do
    local tape <close> = lac.tape()
    local loss = (model(x) - y):square():mean() + method:loss(model, {step = step, steps = 400})
    tape:backward(loss)
    optimiser:step(0.02)
    method:update(model)
    model:zero_grad()
  end
  model:eval()
  local s = stats.of(model)
  check.yes(stats.reached(s.sparsity, 0.75), "sparsity is " .. s.sparsity)
  local before, error_before
  do
    local scope <close> = lac.scope()
    before = model(x):totable()
    error_before = (model(x) - y):square():mean():item()
  end
  check.yes(error_before < 1, "the error is " .. error_before) -- a constant leaves 4
  method:finish(model)
  check.equal(stats.of(model).kept, s.kept)
  do
    local scope <close> = lac.scope()
    check.equal(model(x), before)
    for _, param in pairs(masked_parameters(model)) do
      local nonzero = param.value:abs():greater(0)
      check.equal((nonzero - param.mask:binary()):abs():sum():item(), 0)
    end
  end
  close_all(optimiser, model, x, y)
end

function T.the_rate_of_the_logits_may_be_a_schedule()
  local model, x, y = small_problem()
  local method = supermask.new {target = 0.5, weight = 20, lr = schedule.linear {from = 4}}
  method:attach(model)
  model:train(lac.rng(3))
  local function moved_by(step)
    local before = model:parameters()[1].param.mask.logits:totable()
    do
      local tape <close> = lac.tape()
      tape:backward((model(x) - y):square():mean() + method:loss(model, {step = step - 1, steps = 10}))
      method:update(model, {step = step, steps = 10, epoch = 0})
      model:zero_grad()
    end
    local most = 0
    for i, row in ipairs(model:parameters()[1].param.mask.logits:totable()) do
      for j, value in ipairs(row) do most = math.max(most, math.abs(value - before[i][j])) end
    end
    return most
  end
  check.yes(moved_by(5) > 0)
  check.equal(moved_by(10), 0.0) -- the end of the line
  close_all(method, model, x, y)
end

function T.a_loaded_state_continues_exactly()
  local model, x, y = small_problem()
  local twin, x2, y2 = small_problem()
  local cfg = {target = 0.5, lr = 10, freeze = {"2.*"}}
  local function step(m, method, rng)
    m:train(rng)
    local tape <close> = lac.tape()
    tape:backward((m(x) - y):square():mean() + method:loss(m, {step = 5, steps = 10}))
    method:update(m)
    m:zero_grad()
  end
  local first, second = supermask.new(cfg), supermask.new(cfg)
  first:attach(model)
  second:attach(twin)
  for k = 1, 3 do step(model, first, lac.rng(k)) end
  second:load(first:state())
  step(model, first, lac.rng(9))
  step(twin, second, lac.rng(9))
  local mine, other = masked_parameters(model), masked_parameters(twin)
  for name, param in pairs(mine) do check.equal(other[name].mask.logits, param.mask.logits:totable()) end
  local broken = first:state()
  broken.logits["0.weight"] = nil
  check.fails("prune.supermask: the state has no logits of 0.weight", second.load, second, broken)
  broken.logits["0.weight"] = x
  check.fails("the state has 1024 logits of 0.weight, which has 128", second.load, second, broken)
  close_all(first, second, model, twin, x, y, x2, y2)
end

function T.frozen_masks_are_drawn_but_count_in_no_loss_and_do_not_move()
  local model, x, y = small_problem()
  local method = supermask.new {target = 0.5, weight = 10, freeze = {"0.*"}, lr = 50, init = 0.5}
  method:attach(model)
  local params = masked_parameters(model)
  do
    local tape <close> = lac.tape()
    model:train(lac.rng(1))
    local difference = (params["0.weight"]:tensor() - params["0.weight"]:tensor()):abs():greater(0):sum()
    check.yes(difference:item() > 10)
    local term, log = method:loss(model, {step = 10, steps = 10})
    check.equal(log.sparsity:item(), 0)
    check.close(term:item(), 5, 1e-5)
    tape:backward((model(x) - y):square():mean() + term)
    method:update(model)
    check.equal(params["0.weight"].mask.logits:max():item(), 0.5)
    check.yes(params["2.weight"].mask.logits:max():item() ~= 0.5)
  end
  check.equal(stats.of(model).size, 8 * 16 + 8) -- statistics count all
  model:zero_grad()
  method:finish(model)
  close_all(model, x, y)
end

local function tiny_updown()
  local model = UpDown {vocab = 9, embed = 3, hidden = 4, attention = 5, features = 6, fc_features = 6, dropout = 0}
  model:initialise(lac.rng(7))
  return model
end

-- How often each mask is drawn for a training pass of Up-Down over four steps.
local function draws(draw)
  local model, method = tiny_updown(), supermask.new {target = 0.5, draw = draw, init = 0.5}
  method:attach(model)
  model:train(lac.rng(1))
  local calls = {}
  for name, param in pairs(masked_parameters(model)) do
    function param.mask.source(_, rng)
      calls[name] = (calls[name] or 0) + 1
      return {rng = rng}
    end
  end
  do
    local scope <close> = lac.scope()
    model {fc = lac.zeros {2, 6}, att = lac.zeros {2, 3, 6}, words = lac.zeros({4, 6}, "i32")}
  end
  close_all(method, model)
  return calls
end

function T.masks_are_drawn_at_every_step_or_once_per_forward_pass()
  local step, forward = draws "step", draws "forward"
  local once = {["fc_embed.0.weight"] = true, ["att_embed.0.weight"] = true, ["ctx2att.weight"] = true}
  for name, n in pairs(step) do check.equal(n, once[name] and 1 or 4) end
  for _, n in pairs(forward) do check.equal(n, 1) end
  check.equal(forward["logit.weight"], 1)
end

function T.stepwise_decoding_under_masks_gives_the_scores_of_teacher_forcing()
  local model, method = tiny_updown(), supermask.new {target = 0.5}
  method:attach(model)
  for name, param in pairs(masked_parameters(model)) do
    local some <close> = lac.rng(5):fork(name):normal(param.shape)
    param.mask.logits:copy(some)
  end
  model:eval()
  do
    local scope <close> = lac.scope()
    local rng = lac.rng(1)
    local batch = {fc = rng:normal {2, 6}, att = rng:normal {2, 3, 6},
                   words = lac.tensor({{2, 2, 2, 2}, {4, 5, 6, 7}, {8, 3, 4, 4}}, "i32")}
    local whole = model(batch):reshape(3, 4, 9)
    local session, state = model:begin(model:encode(batch), 2)
    for t = 1, 3 do
      local logits
      logits, state = model:step(session, state, batch.words:select(1, t))
      check.close(logits, whole:select(1, t), 1e-5)
    end
    session.close()
    model:train(lac.rng(2)) -- with masks drawn at every step, steps differ
    session, state = model:begin(model:encode(batch), 2)
    local a = model:step(session, state, batch.words:select(1, 1)):totable()
    local b = model:step(session, state, batch.words:select(1, 1)):totable()
    session.close()
    check.yes(a[1][1] ~= b[1][1])
  end
  close_all(method, model)
end

function T.the_weight_of_the_loss_has_the_published_default()
  check.equal(supermask.new({target = 0.5}).cfg.weight, 5)
  check.close(supermask.new({target = 0.975}).cfg.weight, 20, 1e-9)
  check.equal(supermask.new({target = 0.975, weight = 120}).cfg.weight, 120)
end

function T.the_final_sparsity_of_the_whole_counts_frozen_weights_as_kept()
  local model = small_problem()
  local method = supermask.new {target = 0.8, freeze = {"2.*"}}
  method:attach(model)
  check.close(method:final_target(), 0.8 * 128 / 136, 1e-12)
end

function T.bad_settings_are_refused()
  check.fails("prune.supermask: target must be given", supermask.new, {})
  check.fails("target must be in %[0, 1%), got 1;", supermask.new, {target = 1})
  check.fails("target must be in %[0, 1%), got %-0.1", supermask.new, {target = -0.1})
  check.fails("target must be in %[0, 1%), got %-?nan", supermask.new, {target = 0 / 0})
  check.fails("weight must be >= 0, got %-1", supermask.new, {target = 0.5, weight = -1})
  check.fails('unknown key "inti"; did you mean "init"', supermask.new, {target = 0.5, inti = 1})
  check.fails('draw must be "step", "forward" or "never", got "always"', supermask.new, {target = 0.5, draw = "always"})
  local model = Sequential {Linear {inputs = 2, outputs = 1}}
  model:initialise(lac.rng(1))
  local function attach(cfg) return supermask.new(cfg):attach(model) end
  check.fails('freeze: "1.weight" matches nothing; did you mean "0.weight"', attach,
              {target = 0.5, freeze = {"1.weight"}})
  check.fails("everything is frozen", attach, {target = 0.5, freeze = {"re:."}})
  check.fails("no weight that pruning may touch", function() supermask.new({target = 0.5}):attach(Relu()) end)
  check.equal(model.chain[1].weight.mask, nil) -- nothing was attached
  model:close()
end

function T.a_layer_with_less_than_a_thousandth_left_has_collapsed()
  local function collapsed(size, kept, masked)
    return #stats.collapsed {{name = "x", size = size, kept = kept, masked = masked}} > 0
  end
  check.equal({collapsed(1000, 1, true), collapsed(1001, 1, true), collapsed(5, 0, true)}, {false, true, true})
  check.equal(collapsed(1001, 0, false), false) -- pruning does not touch it
end

-- One step of the two forms from logits of 5 in a model of 18 weights, after 25 of 100 steps: the gradient is
-- weight (1 - a) / 18 p (1 - p), p = s(5); bias corrections cancel in PyTorch's first step, and in TensorFlow's they
-- leave sqrt(1 - beta2) g in the denominator.
function T.the_form_of_adam_steps_logits_as_told()
  local a = (1 + math.cos(math.pi / 4)) / 2
  local p = 1 / (1 + math.exp(-5))
  local g = 1000 * (1 - a) / 18 * p * (1 - p)
  local want = {pytorch = 5 - 100 * g / (g + 1e-2),
                tensorflow = 5 - 100 * math.sqrt(1e-3) / 0.1 * 0.1 * g / (math.sqrt(1e-3) * g + 1e-2)}
  for form, logit in pairs(want) do
    local bare = require "prune.bare"
    local model = bare.random_model({{3, 4}, {2, 3}}, 1)
    local method = supermask.new {target = 0.5, weight = 1000, clip_value = 0, form = form}
    method:attach(model)
    do
      local tape <close> = lac.tape()
      tape:backward((method:loss(model, {step = 25, steps = 100})))
    end
    method:update(model)
    check.close(method:state().logits.a:totable()[1][1], logit, 1e-4, 1e-4)
    method:close()
    model:close()
  end
  check.fails("form must be", function()
    local model = require("prune.bare").random_model({{3, 4}}, 1)
    supermask.new {target = 0.5, form = "keras"}:attach(model)
  end)
end

return T
