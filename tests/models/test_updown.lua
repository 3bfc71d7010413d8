local lac = require "lac"
local check = require "check"
local golden = require "golden"
local UpDown = require "models.updown"

local T = {}

-- Log-probabilities, loss and every gradient of a golden file, within the tolerances of its README.
local function agrees(name)
  local file <close> = golden.open(name)
  local model = golden.updown(file)
  local parameters = model:parameters()
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
  for _, p in ipairs(parameters) do
    local want <close> = file:read("grads/" .. p.name)
    local grad <close> = p.param.value:grad() or lac.zeros(p.param.shape)
    local good, message = pcall(check.close, grad, want, 1e-5, 1e-3)
    check.yes(good, p.name .. ": " .. tostring(message))
  end
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
  check.fails('unknown key "hiden"; did you mean "hidden"', UpDown, {vocab = 9, hiden = 5})
end

return T
