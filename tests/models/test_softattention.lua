local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local fill = require "fill"
local published_models = require "train.published_models"
local published_soft = require "published_soft"
local published_variables = require "train.published_variables"
local supermask = require "prune.supermask"
local SoftAttention = require "models.softattention"

local T = {}

-- Equations of Tan, Chan and Chuah's decoder, evaluated in double precision by another program: per step the state, the
-- attention's weights and the log-probabilities of the first five published ids, for the words 10, 3, 7.
local WORDS = {10, 3, 7}
local GOLDEN = {
  lstm = {
    {{-.161855, -.079016, -.297341, .086342}, {.348814, .295260, .355926},
     {-1.742979, -3.228430, -2.956771, -2.882838, -2.579324}},
    {{-.389583, .073537, -.083390, -.172497}, {.363450, .302759, .333791},
     {-1.758244, -3.201345, -2.942711, -2.929001, -2.510479}},
    {{-.461021, .123104, -.262475, -.206796}, {.360252, .304242, .335506},
     {-1.815390, -3.203884, -2.812099, -2.981288, -2.359697}},
  },
  gru = {
    {{.830500, .138466, -.366992, -.529872}, {.320947, .298435, .380618},
     {-1.089212, -4.946667, -3.899532, -2.465538, -3.068663}},
    {{-.533003, .149246, -.562315, -.855438}, {.359883, .336557, .303560},
     {-1.652950, -3.831505, -2.561802, -3.174003, -1.879893}},
    {{-.235249, -.064941, -.623672, -.864982}, {.357886, .337676, .304439},
     {-1.451730, -4.138667, -2.647175, -3.122748, -1.939870}},
  },
}

-- The model of the golden numbers, through the reading of published variables.
local function golden_model(cell)
  local tensors = published_variables.convert(published_soft.variables(cell), "test")
  local model = checkpoint.build(published_models.read(tensors, {}, "test"), "test")
  model:load(tensors)
  return model:eval()
end

local function golden_images()
  return {fc = fill.tensor("im_embed", {1, 6}, 1, 0.5), att = fill.tensor("feature_map", {1, 3, 7}, 1, 0.5)}
end

local OWN = {} -- our id of a published one
for id = 0, 11 do OWN[published_soft.id(id)] = id end

-- Tolerance: the numbers have six decimals.
local function agrees(cell)
  local model = golden_model(cell)
  check.equal(model.cfg.cell, cell)
  do
    local scope <close> = lac.scope()
    local alignments, attend = {}, lac.attention
    local batch, words = golden_images(), {}
    for t, id in ipairs(WORDS) do words[t] = {OWN[id]} end
    batch.words = lac.tensor(words, "i32")
    local whole = model(batch):log_softmax():totable()
    local session, state = model:begin(model:encode(batch), 1)
    function lac.attention(args) -- luacheck: ignore 122
      local y, w = attend(args)
      alignments[#alignments + 1] = w:totable()[1]
      return y, w
    end
    local good, message = pcall(function()
      for t, want in ipairs(GOLDEN[cell]) do
        local logits
        logits, state = model:step(session, state, lac.tensor(words[t], "i32"))
        local logp = logits:log_softmax():totable()[1]
        check.close(state.h, {want[1]}, 2e-6)
        check.close(alignments[t], want[2], 2e-6)
        for id = 0, 4 do
          check.close(logp[OWN[id] + 1], want[3][id + 1], 5e-6)
          check.close(whole[t][OWN[id] + 1], want[3][id + 1], 5e-6)
        end
      end
    end)
    lac.attention = attend -- luacheck: ignore 122
    session.close()
    if not good then error(message, 0) end
  end
  model:close()
end

function T.lstm_decoder_follows_the_published_equations()
  agrees "lstm"
end

function T.gru_decoder_follows_the_published_equations()
  agrees "gru"
end

local function config(cell, changes)
  local cfg = {vocab = 9, embed = 3, hidden = 4, attention = 5, features = 6, fc_features = 7, cell = cell,
               dropout = 0.4, attention_dropout = 0.3}
  for key, value in pairs(changes or {}) do cfg[key] = value end
  return cfg
end

local function small_model(cell, changes)
  local model = SoftAttention(config(cell, changes))
  model:initialise(lac.rng(7))
  return model:eval()
end

-- Four captions of two images, of 3, 1, 2 and 3 words: padded, and without padding in the order of their lengths.
local PADDED = {words = {{2, 2, 2, 2}, {4, 0, 5, 6}, {7, 0, 0, 8}}, targets = {4, 3, 5, 6, 7, 0, 3, 8, 3, 0, 0, 3},
                weights = {1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1}}
local RAGGED = {counts = {4, 3, 2}, words = {2, 2, 2, 2, 4, 6, 5, 7, 8}, targets = {4, 6, 5, 3, 7, 8, 3, 3, 3},
                owners = {0, 1, 1, 0}, word_owners = {0, 1, 1, 0, 0, 1, 1, 0, 1}, members = {{0, 3}, {1, 2}}}

local function make_batch(from)
  local batch = {att = fill.tensor("att", {2, 3, 6}, 2), fc = fill.tensor("fc", {2, 7}, 2),
                 mask = lac.tensor {{1, 1, 1}, {1, 1, 0}}, counts = from.counts, words = lac.tensor(from.words, "i32")}
  for _, name in ipairs {"owners", "word_owners", "members"} do
    batch[name] = from[name] and lac.tensor(from[name], "i32")
  end
  return batch
end

local function loss_of(model, from, sampling)
  local batch = make_batch(from)
  if sampling then batch.sampling, batch.rng = sampling, lac.rng(3) end
  local weights = from.weights and lac.tensor(from.weights) or lac.zeros({#from.targets}):fill(1)
  return lac.xent(model(batch), lac.tensor(from.targets, "i32"), weights)
end

-- Loss and gradients by name; in training mode where a seed is given.
local function learn(model, from, seed, sampling)
  model:zero_grad()
  if seed then model:train(lac.rng(seed)) else model:eval() end
  local tape <close> = lac.tape()
  local loss = loss_of(model, from, sampling)
  tape:backward(loss)
  local found = {}
  for _, p in ipairs(model:parameters()) do
    found[p.name] = (p.param.value:grad() or lac.zeros(p.param.shape)):totable()
  end
  return loss:item(), found
end

local function check_same(model, one, other)
  local want_loss, want = learn(model, table.unpack(one, 1, 3))
  local loss, got = learn(model, table.unpack(other, 1, 3))
  check.close(loss, want_loss, 1e-6)
  for name, grad in pairs(want) do check.close(got[name], grad, 1e-5) end
end

local function each_cell(fn)
  for _, cell in ipairs {"lstm", "gru"} do fn(cell) end
end

function T.stepwise_decoding_gives_the_scores_of_teacher_forcing()
  each_cell(function(cell)
    local model = small_model(cell)
    do
      local scope <close> = lac.scope()
      local batch = make_batch(PADDED)
      local whole = model(batch):reshape(3, 4, 9)
      local session, state = model:begin(model:encode(batch), 2)
      for t = 1, 3 do
        local logits
        logits, state = model:step(session, state, batch.words:select(1, t))
        check.close(logits, whole:select(1, t), 1e-5)
      end
      session.close()
    end
    model:close()
  end)
end

function T.captions_that_end_one_by_one_give_the_loss_and_gradients_of_padded_ones()
  each_cell(function(cell)
    local model = small_model(cell)
    check_same(model, {PADDED}, {RAGGED})
    check_same(model, {PADDED}, {PADDED, nil, 1e-9}) -- everything inside the loop, and nothing drawn
    check_same(model, {PADDED}, {RAGGED, nil, 1e-9})
    model:close()
  end)
end

-- Central differences of the loss for some elements of every parameter. With dropout every pass draws the same noise.
local function check_differences(model, seed)
  local _, grads = learn(model, RAGGED, seed)
  local function loss()
    local scope <close> = lac.scope()
    if seed then model:train(lac.rng(seed)) end
    return loss_of(model, RAGGED):item()
  end
  for _, p in ipairs(model:parameters()) do
    local value, n = p.param.value, p.param:numel()
    local step <close>, flat = lac.zeros(p.param.shape), value:totable()
    local grad = grads[p.name]
    for _, at in ipairs {1, n // 2 + 1, n} do
      local width = p.param.shape[2] or 1
      local i, j = (at - 1) // width + 1, (at - 1) % width + 1
      local function moved(by)
        local rows = {}
        for r, row in ipairs(flat) do rows[r] = type(row) == "table" and {table.unpack(row)} or row end
        if p.param.shape[2] then rows[i][j] = rows[i][j] + by else rows[i] = rows[i] + by end
        step:copy(lac.tensor(rows))
        value:copy(step)
        return loss()
      end
      local numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2
      moved(0)
      local got = p.param.shape[2] and grad[i][j] or grad[i]
      check.yes(math.abs(got - numeric) <= 2e-3 * (1 + math.abs(numeric)),
        ("%s, element %d: rule says %g, differences say %g"):format(p.name, at, got, numeric))
    end
  end
end

function T.gradients_match_finite_differences_with_and_without_dropout()
  each_cell(function(cell)
    local model = small_model(cell)
    check_differences(model)
    check_differences(model, 5)
    model:close()
  end)
end

function T.dropout_goes_to_the_cell_and_to_attention_and_only_in_training()
  each_cell(function(cell)
    for _, changes in ipairs {{dropout = 0}, {attention_dropout = 0}} do
      local model = small_model(cell, changes)
      do
        local scope <close> = lac.scope()
        local rng = lac.rng(1)
        local plain = model(make_batch(RAGGED)):totable()
        model:train(rng)
        local one, other = model(make_batch(RAGGED)):totable(), model(make_batch(RAGGED)):totable()
        local last = #one -- at the first step the attention has not been seen
        check.yes(one[last][1] ~= other[last][1] and one[last][1] ~= plain[last][1], "dropout changed nothing")
        if changes.dropout then check.equal(one[1], plain[1]) end
        check.equal(model:eval()(make_batch(RAGGED)), plain)
      end
      model:close()
    end
  end)
end

-- A model with masks, in training mode.
local function masked(cell, draw)
  local model = small_model(cell, {dropout = 0, attention_dropout = 0})
  local method = supermask.new {target = 0.5, init = 1, draw = draw}
  method:attach(model)
  return model, method
end

-- How often a mask gives weights, or rows of them.
local function count_draws(mask)
  local counts, apply, rows = {apply = 0, rows = 0}, mask.apply, mask.rows
  function mask.apply(...)
    counts.apply = counts.apply + 1
    return apply(...)
  end
  function mask.rows(...)
    counts.rows = counts.rows + 1
    return rows(...)
  end
  return counts
end

function T.masks_are_drawn_once_per_pass_or_at_every_step()
  each_cell(function(cell)
    for draw, want in pairs {forward = {apply = 1, rows = 0}, step = {apply = 0, rows = 3}} do
      local model, method = masked(cell, draw)
      do
        local scope <close> = lac.scope()
        local counts = count_draws(model.embed.weight.mask)
        model:train(lac.rng(11))
        local one = model(make_batch(RAGGED)):totable()
        check.equal(counts, want)
        local other = model(make_batch(RAGGED)):totable()
        check.yes(one[1][1] ~= other[1][1], "every pass draws the same masks")
      end
      method:close()
      model:close()
    end
  end)
end

function T.masks_see_captions_that_end_one_by_one_as_padded_ones()
  each_cell(function(cell)
    for _, draw in ipairs {"forward", "step"} do
      local model, method = masked(cell, draw)
      check_same(model, {PADDED, 11}, {RAGGED, 11})
      method:close()
      model:close()
    end
  end)
end

function T.sampling_feeds_the_models_own_words_from_the_seed_alone()
  each_cell(function(cell)
    local model = small_model(cell)
    do
      local scope <close> = lac.scope()
      local function scores(p, seed)
        local batch = make_batch(PADDED)
        batch.sampling, batch.rng = p, lac.rng(seed)
        return model(batch):totable()
      end
      check.equal(scores(1, 3), scores(1, 3))
      check.yes(scores(1, 3)[12][1] ~= scores(0, 3)[12][1], "nothing was drawn")
      check.equal(scores(1, 3)[1], scores(1, 4)[1]) -- the first word is given
      check.fails("models.softattention: sampling must be a probability", scores, 1.5, 1)
    end
    model:close()
  end)
end

function T.weights_begin_as_in_the_published_program()
  local model = SoftAttention {vocab = 50, embed = 20, hidden = 30, attention = 40, features = 60, fc_features = 70}
  model:initialise(lac.rng(1))
  local bounds = {
    ["embed.weight"] = math.sqrt(6 / 70), ["start.weight"] = math.sqrt(6 / 100), ["keys.weight"] = math.sqrt(6 / 100),
    ["values.weight"] = math.sqrt(6 / 100), ["attention.h2att.weight"] = math.sqrt(6 / 70),
    ["attention.alpha_net.weight"] = math.sqrt(3 / 40), ["cell.gates.weight"] = math.sqrt(6 / (20 + 40 + 30 + 120)),
    ["cell.gates.bias"] = 0, ["logit.weight"] = math.sqrt(6 / 80), ["logit.bias"] = 0,
  }
  local names = {}
  for i, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    names[i] = p.name
    local largest = p.param.value:abs():max():item()
    check.yes(largest <= bounds[p.name] + 1e-6 and largest >= 0.9 * bounds[p.name], p.name .. ": " .. largest)
    check.equal(p.param.maskable, p.name:find "weight$" ~= nil)
  end
  check.equal(names, {"embed.weight", "start.weight", "keys.weight", "values.weight", "attention.h2att.weight",
                      "attention.alpha_net.weight", "cell.gates.weight", "cell.gates.bias", "logit.weight",
                      "logit.bias"})
  model:close()
  local gru = small_model "gru"
  check.equal(gru.cell.gates.bias.value, {1, 1, 1, 1, 1, 1, 1, 1})
  check.equal(gru.cell.candidate.bias.value, {0, 0, 0, 0})
  gru:close()
end

-- Counts of Tan, Chan and Chuah 2022 for 9962 words.
function T.models_of_the_paper_have_its_number_of_weights()
  for cell, want in pairs {lstm = {11911168, 12010}, gru = {11255808, 11498}} do
    local weights, others = 0, 0
    for _, p in ipairs(SoftAttention({vocab = 9962, cell = cell}):parameters()) do
      if p.param.maskable then weights = weights + p.param:numel() else others = others + p.param:numel() end
    end
    check.equal({weights, others}, want)
  end
end

function T.weights_are_multiplied_as_often_as_the_equations_say()
  local want = {["embed.weight"] = 0, ["start.weight"] = 1, ["keys.weight"] = 10, ["values.weight"] = 10,
                ["attention.h2att.weight"] = 3, ["attention.alpha_net.weight"] = 30, ["cell.gates.weight"] = 3,
                ["cell.gates.bias"] = 0, ["cell.candidate.weight"] = 3, ["cell.candidate.bias"] = 0,
                ["logit.weight"] = 3, ["logit.bias"] = 0}
  for _, p in ipairs(SoftAttention(config "gru"):parameters()) do
    check.equal(SoftAttention:uses(p.name, {regions = 10, words = 3}), want[p.name])
  end
end

function T.bad_sizes_and_keys_are_refused()
  check.fails("models.softattention: vocab must be given", SoftAttention, {})
  check.fails("hidden must be a whole number >= 1, got 0.5", SoftAttention, {vocab = 9, hidden = 0.5})
  check.fails('unknown key "hiden"; did you mean "hidden"', SoftAttention, {vocab = 9, hiden = 5})
  check.fails('cell must be "lstm" or "gru", got "elman"', SoftAttention, {vocab = 9, cell = "elman"})
  check.fails("dropout", SoftAttention, {vocab = 9, attention_dropout = 1})
end

return T
