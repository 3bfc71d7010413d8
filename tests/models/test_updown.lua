local lac = require "lac"
local check = require "check"
local golden = require "golden"
local UpDown = require "models.updown"

local T = {}

-- Log-probabilities, loss and every gradient of a golden file, within the tolerances of its README.
local function agrees(name)
  local file <close> = golden.open(name)
  local model = golden.updown(file)
  do
    local tape <close> = lac.tape()
    local batch = golden.batch(file)
    local logits = model(batch)
    local rows, vocab = #batch.seqs, logits:shape(2)
    local logp = logits:log_softmax():reshape(batch.steps, rows, vocab):transpose(1, 2)
    local want = file:read("outputs/logprobs"):slice(2, 1, batch.steps)
    check.close(logp, want, 1e-4)
    local targets, weights = golden.targets(file, batch)
    local loss = lac.xent(logits, targets, weights)
    local want_loss = file:read("outputs/loss"):totable()[1]
    check.close(loss:item(), want_loss, 0, 1e-5)
    tape:backward(loss)
  end
  golden.compare_gradients(file, model)
  model:close()
end

function T.small_model_agrees_with_the_golden_file()
  agrees "updown_small.h5"
end

function T.two_layer_classifier_agrees_with_the_golden_file()
  agrees "updown_logit2.h5"
end

function T.published_model_agrees_with_the_golden_file()
  agrees "updown_tiny3_xe.h5"
end

function T.embedded_images_agree_with_the_golden_file()
  local file <close> = golden.open "updown_small.h5"
  local model = golden.updown(file)
  do
    local scope <close> = lac.scope()
    local seen = model:encode(golden.batch(file))
    check.close(seen.fc, file:read("outputs/fc_embed"), 1e-5)
    check.close(seen.values, file:read("outputs/att_embed"), 1e-5)
    check.close(seen.keys, file:read("outputs/ctx2att"), 1e-5)
  end
  model:close()
end

local SMALL = {vocab = 9, embed = 3, hidden = 4, attention = 5, features = 6, fc_features = 6, dropout = 0.5}

local function small_batch()
  local att, fc = {}, {}
  for n = 1, 2 do
    att[n], fc[n] = {}, {}
    for s = 1, 3 do
      att[n][s] = {}
      for j = 1, 6 do att[n][s][j] = math.sin(n * 31 + s * 7 + j) end
    end
    for j = 1, 6 do fc[n][j] = math.cos(n * 13 + j) end
  end
  return {att = lac.tensor(att), fc = lac.tensor(fc), mask = lac.tensor {{1, 1, 1}, {1, 1, 0}},
          words = lac.tensor({{2, 2, 2, 2}, {4, 5, 6, 7}, {8, 3, 4, 4}}, "i32")}
end

function T.stepwise_decoding_gives_the_scores_of_teacher_forcing()
  local model = UpDown(SMALL)
  model:initialise(lac.rng(7))
  model:eval()
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    local whole = model(batch):reshape(3, 4, 9)
    local seen = model:encode(batch)
    local session, state = model:begin(seen, 2)
    for t = 1, 3 do
      local logits
      logits, state = model:step(session, state, batch.words:select(1, t))
      check.close(logits, whole:select(1, t), 1e-5)
    end
    session.close()
  end
  model:close()
end

function T.training_mode_drops_differently_each_time_and_evaluation_never()
  local model = UpDown(SMALL)
  model:initialise(lac.rng(7))
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    local rng = lac.rng(1)
    model:train(rng)
    local a, b = model(batch):totable(), model(batch):totable()
    check.yes(a[1][1] ~= b[1][1], "dropout changed nothing")
    model:eval()
    check.equal(model(batch), model(batch))
  end
  model:close()
end

-- The small model, initialised, in evaluation mode. Scores `times` as far apart as drawn make it sharp.
local function small_model(times)
  local model = UpDown(SMALL)
  model:initialise(lac.rng(7))
  local weight = model.logit.weight.value
  local scaled <close> = weight * (times or 1)
  weight:copy(scaled)
  return model:eval()
end

-- Note the words that a model is fed, step by step.
local function listen(model)
  local fed = {}
  function model:step_inputs(batch, seen, w, words, image)
    fed[#fed + 1] = words:totable()
    return UpDown.step_inputs(self, batch, seen, w, words, image)
  end
  return fed
end

local function sampled(batch, p, seed)
  batch.sampling, batch.rng = p, lac.rng(seed)
  return batch
end

function T.sampling_with_probability_1_feeds_a_sharp_model_its_own_words()
  local model = small_model(1e5)
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    local session, state = model:begin(model:encode(batch), 2)
    local words, own = batch.words:select(1, 1), {}
    for t = 1, 3 do
      own[t] = words:totable()
      local logits
      logits, state = model:step(session, state, words)
      words = logits:argmax(2)
    end
    session.close()
    local given = batch.words:totable()
    check.yes(own[2][1] ~= given[2][1] or own[2][2] ~= given[2][2], "its own words are the given ones")
    local fed = listen(model)
    local logits = model(sampled(batch, 1, 3))
    check.equal(fed, own)
    check.equal(logits:shape(), {12, 9})
  end
  model:close()
end

function T.sampling_never_is_teacher_forcing()
  local model = small_model()
  do
    local scope <close> = lac.scope()
    local whole = model(small_batch())
    check.equal(model(sampled(small_batch(), 0, 3)), whole)
    check.equal(model {att = small_batch().att, fc = small_batch().fc, mask = small_batch().mask,
                       words = small_batch().words, sampling = 0}, whole) -- needs no generator
    check.close(model(sampled(small_batch(), 1e-9, 3)), whole, 1e-5) -- the slow path, and nothing drawn
  end
  model:close()
end

function T.sampled_words_depend_on_the_seed_alone()
  local model = small_model()
  do
    local scope <close> = lac.scope()
    local function fed_with(seed)
      local fed = listen(model)
      local logits = model(sampled(small_batch(), 0.5, seed)):totable()
      return {fed, logits}
    end
    check.equal(fed_with(3), fed_with(3))
    local differs = false
    for seed = 4, 8 do differs = differs or not pcall(check.equal, fed_with(seed)[1], fed_with(3)[1]) end
    check.yes(differs, "every seed draws the same words")
  end
  model:close()
end

function T.words_are_replaced_as_often_as_asked_and_drawn_as_the_model_says()
  local model = small_model(3)
  do
    local scope <close> = lac.scope()
    local batch, each, words = small_batch(), 1000, {{}, {}}
    for row = 1, 2 * each do words[1][row], words[2][row] = 2, 1 end
    batch.words = lac.tensor(words, "i32")
    local fed = listen(model)
    local chances = model(sampled(batch, 0.75, 5)):slice(1, 1, 2 * each):softmax():totable()
    for image = 0, 1 do
      local p, count = chances[image * each + 1], {}
      for row = 1, each do
        local word = fed[2][image * each + row]
        count[word] = (count[word] or 0) + 1
      end
      for word = 0, 8 do
        local want = 0.75 * p[word + 1] + (word == 1 and 0.25 or 0)
        local spread = math.sqrt(want * (1 - want) / each)
        check.close((count[word] or 0) / each, want, 4 * spread + 1e-9) -- four standard deviations, for one seed
      end
    end
  end
  model:close()
end

-- Four captions of two images, of 3, 1, 2 and 3 words: padded, and without padding in the order of their lengths.
local PADDED = {words = {{2, 2, 2, 2}, {4, 0, 5, 6}, {7, 0, 0, 8}}, targets = {4, 3, 5, 6, 7, 0, 3, 8, 3, 0, 0, 3},
                weights = {1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1}}
local RAGGED = {counts = {4, 3, 2}, words = {2, 2, 2, 2, 4, 6, 5, 7, 8}, targets = {4, 6, 5, 3, 7, 8, 3, 3, 3},
                owners = {0, 1, 1, 0}, word_owners = {0, 1, 1, 0, 0, 1, 1, 0, 1}, members = {{0, 3}, {1, 2}}}

-- Loss and gradients of the small model, in training mode where a generator is given.
local function learn(model, ragged, rng, sampling)
  model:zero_grad()
  local tape <close> = lac.tape()
  if rng then model:train(rng) else model:eval() end
  local batch, from = small_batch(), ragged and RAGGED or PADDED
  batch.counts, batch.words = from.counts, lac.tensor(from.words, "i32")
  for _, name in ipairs {"owners", "word_owners", "members"} do
    batch[name] = from[name] and lac.tensor(from[name], "i32")
  end
  if sampling then sampled(batch, sampling, 3) end
  local logits = model(batch)
  local weights = from.weights and lac.tensor(from.weights) or lac.zeros({#from.targets}):fill(1)
  local loss = lac.xent(logits, lac.tensor(from.targets, "i32"), weights)
  tape:backward(loss)
  local found = {}
  for _, p in ipairs(model:parameters()) do
    found[p.name] = (p.param.value:grad() or lac.zeros(p.param.shape)):totable()
  end
  return loss:item(), found
end

local function check_same_learning(model, ...)
  local want_loss, want = learn(model, false, ...)
  local loss, got = learn(model, true, ...)
  check.close(loss, want_loss, 1e-6)
  for name, grad in pairs(want) do check.close(got[name], grad, 1e-5) end
end

function T.captions_that_end_one_by_one_give_the_loss_and_gradients_of_padded_ones()
  local model = small_model()
  check_same_learning(model)
  check_same_learning(model, nil, 1e-9) -- with the classifier inside the loop
  model:close()
end

function T.masks_of_every_step_see_captions_that_end_one_by_one_as_padded_ones()
  local supermask = require "prune.supermask"
  local plain = {}
  for key, value in pairs(SMALL) do plain[key] = value end
  plain.dropout = 0
  local model, method = UpDown(plain), supermask.new {target = 0.5, init = 1}
  model:initialise(lac.rng(7))
  method:attach(model)
  local want_loss, want = learn(model, false, lac.rng(11))
  local loss, got = learn(model, true, lac.rng(11))
  check.close(loss, want_loss, 1e-5)
  for name, grad in pairs(want) do check.close(got[name], grad, 1e-4) end
  method:close()
  model:close()
end

function T.no_gradient_goes_through_a_draw()
  local model = small_model(3)
  local function grads(batch)
    model:zero_grad()
    local tape <close> = lac.tape()
    local logits = model(batch())
    local rows = logits:shape(1)
    tape:backward(lac.xent(logits, lac.zeros({rows}, "i32"), lac.zeros({rows}):fill(1)))
    local found = {}
    for _, p in ipairs(model:parameters()) do
      found[p.name] = (p.param.value:grad() or lac.zeros(p.param.shape)):totable() -- a bias before softmax has none
    end
    return found
  end
  local fed = listen(model)
  local got = grads(function() return sampled(small_batch(), 1, 3) end)
  local words = {table.unpack(fed)}
  local want = grads(function()
    local batch = small_batch()
    batch.words = lac.tensor(words, "i32")
    return batch
  end)
  for name, grad in pairs(want) do check.close(got[name], grad, 1e-5) end
  model:close()
end

function T.sampling_works_with_masks_that_every_step_draws_anew()
  local supermask = require "prune.supermask"
  local plain = {}
  for key, value in pairs(SMALL) do plain[key] = value end
  plain.dropout = 0
  local model, method = UpDown(plain), supermask.new {target = 0.5, init = 1}
  model:initialise(lac.rng(7))
  method:attach(model)
  do
    local scope <close> = lac.scope()
    local function scores(p)
      model:train(lac.rng(11))
      check.yes(model:redraws())
      return model(sampled(small_batch(), p, 3)):totable()
    end
    check.close(scores(1e-9), scores(0), 1e-5)
    local fed = listen(model)
    local first = scores(1)
    check.equal(scores(1), first)
    check.equal(#fed, 6)
  end
  method:close()
  model:close()
end

function T.bad_sampling_is_refused()
  local model = small_model()
  do
    local scope <close> = lac.scope()
    for _, p in ipairs {-0.5, 1.5, 0 / 0} do
      check.fails("sampling must be a probability from 0 to 1, got", model.forward, model, sampled(small_batch(), p, 1))
    end
    check.fails("sampling must be a probability", model.forward, model, sampled(small_batch(), "much", 1))
    local batch = small_batch()
    batch.sampling = 0.5
    check.fails("sampling needs a generator, batch.rng", model.forward, model, batch)
  end
  model:close()
end

function T.parameters_have_the_published_names_in_the_canonical_order()
  local names = {}
  for _, p in ipairs(UpDown(SMALL):parameters()) do names[#names + 1] = p.name end
  check.equal(names, {
    "embed.0.weight", "fc_embed.0.weight", "fc_embed.0.bias", "att_embed.0.weight", "att_embed.0.bias",
    "logit.weight", "logit.bias", "ctx2att.weight", "ctx2att.bias", "core.att_lstm.weight_ih",
    "core.att_lstm.weight_hh", "core.att_lstm.bias_ih", "core.att_lstm.bias_hh", "core.lang_lstm.weight_ih",
    "core.lang_lstm.weight_hh", "core.lang_lstm.bias_ih", "core.lang_lstm.bias_hh",
    "core.attention.h2att.weight", "core.attention.h2att.bias", "core.attention.alpha_net.weight",
    "core.attention.alpha_net.bias"})
end

function T.bad_sizes_and_keys_are_refused()
  check.fails("models.updown: vocab must be given", UpDown, {})
  check.fails("hidden must be a whole number >= 1, got 0.5", UpDown, {vocab = 9, hidden = 0.5})
  check.fails("models.updown: dropout must be in %[0, 1%), got %-0.1", UpDown, {vocab = 9, dropout = -0.1})
  check.fails('unknown key "hiden"; did you mean "hidden"', UpDown, {vocab = 9, hiden = 5})
end

return T
