local lac = require "lac"
local check = require "check"
local golden = require "golden"
local Acort = require "models.acort"
local Ort = require "models.ort"
local FeedForward = require "nn.feed_forward"
local Transformer = require "models.transformer"

local T = {}

local function scalar(file, name)
  local x <close> = file:read(name)
  return x:totable()[1]
end

-- What a golden tensor [captions, steps, ...] says of each word of a batch.
local function at_words(tensor, batch)
  local all, list = tensor:totable(), {}
  for i, at in ipairs(batch.at) do list[i] = all[at[1]][at[2]] end
  return list
end

-- Log-probabilities, losses and every gradient of a golden file, within the tolerances of its README.
local function agrees(name)
  local file <close> = golden.open(name)
  local model = golden.ort(file)
  do
    local tape <close> = lac.tape()
    local batch = golden.ragged(file)
    local logits = model(batch)
    check.close(logits:log_softmax(), at_words(file:read "outputs/logprobs", batch), 1e-4)
    local smooth = lac.xent(logits, batch.targets, batch.weights, {smoothing = 0.1})
    check.close(smooth:item(), scalar(file, "outputs/loss_label_smoothing_0.1"), 0, 1e-5)
    local loss = lac.xent(logits, batch.targets, batch.weights)
    check.close(loss:item(), scalar(file, "outputs/loss"), 0, 1e-5)
    tape:backward(loss)
  end
  golden.compare_gradients(file, model)
  model:close()
end

function T.small_model_agrees_with_the_golden_file()
  agrees "ort_small.h5"
end

function T.model_of_plain_box_ratios_agrees_with_the_golden_file()
  agrees "ort_small_notrig.h5"
end

function T.model_with_one_projection_of_queries_and_keys_agrees_with_the_golden_file()
  agrees "ort_share_qk.h5"
end

function T.model_of_shared_layers_and_values_that_are_keys_agrees_with_the_golden_file()
  agrees "acort_small.h5"
end

-- A tensor [images, regions, ...] as a list of the real regions.
local function real(tensor, mask)
  local list = {}
  for i, row in ipairs(mask:totable()) do
    local part = tensor:select(1, i):totable()
    for s, is_real in ipairs(row) do if is_real == 1 then list[#list + 1] = part[s] end end
  end
  return list
end

function T.encoded_images_agree_with_the_golden_file()
  for _, name in ipairs {"ort_small.h5", "ort_small_notrig.h5", "acort_small.h5"} do
    local file <close> = golden.open(name)
    local model = golden.ort(file)
    do
      local scope <close> = lac.scope()
      local batch = golden.ragged(file)
      local seen = model:encode(batch)
      check.close(model:relations(batch), file:read "outputs/box_embedding", 1e-4)
      check.close(seen.embedded, real(file:read "outputs/att_embed", batch.mask), 1e-5)
      check.close(seen.encoded, real(file:read "outputs/encoder", batch.mask), 1e-4)
    end
    model:close()
  end
end

-- The forward pass, loss and gradients of a self-critical step: the words of the file and their rewards.
local function self_critical_agrees(name)
  local file <close> = golden.open(name)
  local model = golden.ort(file)
  do
    local tape <close> = lac.tape()
    local seqs, rewards = {}, {}
    local reward = file:read("outputs/reward"):totable()
    for n, samples in ipairs(file:read("inputs/sampled_seq"):totable()) do
      for i, ids in ipairs(samples) do
        table.insert(ids, 1, 2)
        local last = #ids
        while ids[last] == 0 do last = last - 1 end
        seqs[#seqs + 1], rewards[#rewards + 1] = table.move(ids, 1, last, 1, {}), reward[n][i]
      end
    end
    local batch = golden.ragged(file, seqs)
    local logp = model(batch):log_softmax():pick(batch.targets)
    local want, weights = file:read("outputs/sample_logprobs"):reshape(#seqs, -1), {}
    check.close(logp, at_words(want, batch), 1e-4)
    for i, at in ipairs(batch.at) do weights[i] = -rewards[at[1]] / #batch.at end
    local loss = (logp * lac.tensor(weights)):sum()
    check.close(loss:item(), scalar(file, "outputs/loss"), 1e-5, 1e-5)
    tape:backward(loss)
  end
  golden.compare_gradients(file, model)
  model:close()
end

function T.a_self_critical_step_with_a_greedy_baseline_agrees_with_the_golden_file()
  self_critical_agrees "scst_ort_greedy.h5"
end

function T.a_self_critical_step_with_a_baseline_of_samples_agrees_with_the_golden_file()
  self_critical_agrees "scst_ort_sample.h5"
end

local SMALL = {vocab = 9, size = 8, inner = 12, layers = 2, heads = 2, features = 5}

-- Captions of different lengths, padded images; words step after step and how many there are at each.
local RAGGED = {counts = {4, 3, 2}, words = {2, 2, 2, 2, 4, 6, 5, 7, 8}, owners = {0, 1, 1, 0}}

local function small_batch()
  local rng = lac.rng(5)
  return {att = rng:uniform {2, 3, 5}, boxes = lac.tensor {
            {{0, 0, 1, 1}, {0.2, 0.1, 0.5, 0.6}, {0.5, 0.5, 0.9, 0.7}},
            {{0, 0, 1, 1}, {0.1, 0.3, 0.4, 0.9}, {0, 0, 0, 0}}},
          mask = lac.tensor {{1, 1, 1}, {1, 1, 0}}, counts = RAGGED.counts, words = lac.tensor(RAGGED.words, "i32"),
          owners = lac.tensor(RAGGED.owners, "i32")}
end

local function small_model(kind, cfg)
  local all = {}
  for key, value in pairs(SMALL) do all[key] = value end
  for key, value in pairs(cfg or {}) do all[key] = value end
  local model = kind(all)
  model:initialise(lac.rng(7))
  return model:eval()
end

-- Variants of the model whose decoder gives the same step by step as with teacher forcing.
local VARIANTS = {
  plain = {Transformer}, ort = {Ort}, keys_are_values = {Ort, {share_att_encoder = "kv", share_att_decoder = "kv"}},
  queries_are_keys = {Ort, {share_att_encoder = "qk", share_att_decoder = "qk"}},
  ratios = {Ort, {trigonometric = false}}, own_caches = {Acort, {shared_cache = false}},
}

-- Logits of the dense words of four captions, and of the same words step by step.
local function both_ways(model)
  local batch = small_batch()
  batch.counts, batch.owners = nil, nil
  batch.words = lac.tensor({{2, 2, 2, 2}, {4, 5, 6, 7}, {8, 3, 4, 4}, {1, 2, 3, 4}}, "i32")
  local whole, steps = model(batch):reshape(4, 4, 9), {}
  local session, state = model:begin(model:encode(batch), 2)
  for t = 1, 4 do
    local logits
    logits, state = model:step(session, state, batch.words:select(1, t))
    steps[t] = logits:reshape(1, 4, 9)
  end
  session.close()
  return whole, lac.concat(steps, 1)
end

function T.stepwise_decoding_gives_the_scores_of_teacher_forcing()
  for name, variant in pairs(VARIANTS) do
    local model = small_model(table.unpack(variant))
    do
      local scope <close> = lac.scope()
      local whole, steps = both_ways(model)
      local good, message = pcall(check.close, steps, whole, 1e-5)
      check.yes(good, name .. ": " .. tostring(message))
    end
    model:close()
  end
end

function T.a_cache_that_layers_share_gives_other_scores_from_the_first_step_on()
  local model = small_model(Acort)
  do
    local scope <close> = lac.scope()
    local whole, steps = both_ways(model)
    check.yes((whole - steps):slice(1, 1, 1):abs():max():item() > 1e-3)
  end
  model:close()
end

function T.a_state_can_be_continued_twice()
  local model = small_model(Ort)
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    local session, state = model:begin(model:encode(batch), 1)
    local first = lac.tensor({2, 2}, "i32")
    local _, later = model:step(session, state, first)
    local a = model:step(session, later, lac.tensor({4, 5}, "i32"))
    model:step(session, later, lac.tensor({6, 7}, "i32"))
    check.equal(model:step(session, later, lac.tensor({4, 5}, "i32")), a)
    session.close()
  end
  model:close()
end

function T.captions_of_different_lengths_give_the_scores_of_padded_ones()
  for _, kind in ipairs {Transformer, Ort, Acort} do
    local model = small_model(kind)
    do
      local scope <close> = lac.scope()
      local batch = small_batch()
      local ragged = model(batch):totable()
      local padded = small_batch()
      padded.counts, padded.owners = nil, nil
      -- the same captions, those of an image together: rows 1, 4 | 2, 3
      padded.words = lac.tensor({{2, 2, 2, 2}, {4, 0, 6, 5}, {7, 0, 8, 0}}, "i32")
      local whole = model(padded):totable()
      check.close(ragged, {whole[1], whole[3], whole[4], whole[2], whole[5], whole[7], whole[8], whole[9], whole[11]},
        1e-5)
    end
    model:close()
  end
end

function T.padded_regions_change_nothing()
  local model = small_model(Ort)
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    local want = model(batch)
    local filled = small_batch()
    filled.att = filled.att * 1 + lac.tensor {{{0}, {0}, {0}}, {{0}, {0}, {100}}}
    check.equal(model(filled), want)
    filled.mask, filled.regions, filled.owner_list = nil, {3, 2}, RAGGED.owners
    check.equal(model(filled), want)
    filled.regions = {3, 3}
    check.yes((model(filled) - want):abs():max():item() > 1e-3)
  end
  model:close()
end

function T.training_mode_drops_differently_each_time_and_evaluation_never()
  local model = small_model(Ort)
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    model:train(lac.rng(1))
    check.yes((model(batch) - model(batch)):abs():max():item() > 1e-3)
    model:eval()
    check.equal(model(batch), model(batch))
  end
  model:close()
end

function T.weights_start_as_published()
  local model = Ort {vocab = 50, size = 64, inner = 96, layers = 1, heads = 4, features = 20}
  model:initialise(lac.rng(3))
  local limits = {
    ["att_embed.0.weight"] = 20 ^ -0.5, ["att_embed.0.bias"] = 20 ^ -0.5,
    ["model.encoder.layers.0.self_attn.linears.0.weight"] = (6 / 128) ^ 0.5,
    ["model.encoder.layers.0.self_attn.WGs.3.weight"] = (6 / 65) ^ 0.5,
    ["model.encoder.layers.0.feed_forward.w_1.weight"] = (6 / 160) ^ 0.5,
    ["model.decoder.layers.0.feed_forward.w_2.bias"] = 96 ^ -0.5,
    ["model.tgt_embed.0.lut.weight"] = (6 / 114) ^ 0.5, ["model.generator.proj.weight"] = (6 / 114) ^ 0.5,
  }
  for _, p in ipairs(model:parameters()) do
    local scope <close> = lac.scope()
    local limit, most = limits[p.name], p.param.value:abs():max():item()
    if limit then check.yes(most <= limit and most > 0.8 * limit, ("%s: %g, limit %g"):format(p.name, most, limit)) end
    if p.name:find "a_2$" then check.equal({most, -p.param.value:neg():max():item()}, {1, 1}) end
    if p.name:find "b_2$" then check.equal(most, 0) end
  end
  model:close()
end

local function names_of(model)
  local names = {}
  for _, p in ipairs(model:parameters()) do names[#names + 1] = p.name end
  return names
end

function T.parameters_have_the_published_names_in_the_canonical_order()
  local model = Ort {vocab = 10001}
  local names, count, maskable = names_of(model), 0, 0
  for _, p in ipairs(model:parameters()) do
    count = count + p.param:numel()
    if p.param.maskable then maskable = maskable + p.param:numel() end
  end
  check.equal({#names, count, maskable}, {357, 55443777, 55332864}) -- and the published positions, which are none here
  local function place(name)
    for i, other in ipairs(names) do if other == name then return i end end
  end
  local order = {
    "att_embed.0.weight", "model.encoder.layers.0.self_attn.linears.0.weight",
    "model.encoder.layers.0.self_attn.linears.3.bias", "model.encoder.layers.0.self_attn.WGs.7.weight",
    "model.encoder.layers.0.feed_forward.w_1.weight", "model.encoder.layers.0.sublayer.1.norm.b_2",
    "model.encoder.layers.5.feed_forward.w_2.weight", "model.encoder.norm.a_2",
    "model.decoder.layers.0.self_attn.linears.0.weight", "model.decoder.layers.0.src_attn.linears.3.weight",
    "model.decoder.layers.5.feed_forward.w_2.weight", "model.decoder.norm.b_2", "model.tgt_embed.0.lut.weight",
    "model.generator.proj.weight",
  }
  for i = 2, #order do check.yes(place(order[i - 1]) < place(order[i]), order[i]) end
  check.equal(names[#names], "model.generator.proj.bias")
end

function T.a_plain_transformer_has_names_of_its_own()
  local names = {}
  for _, name in ipairs(names_of(Transformer {vocab = 9, layers = 1})) do names[name] = true end
  check.yes(names["core.src_embed.0.weight"] and names["core.encoder.layers.0.self_attn.linears.3.weight"])
  check.yes(names["core.tgt_embed.0.lut.weight"] and names["core.generator.proj.bias"])
end

function T.shared_layers_are_named_by_their_first_place()
  local seen = {}
  for _, name in ipairs(names_of(Acort {vocab = 9})) do
    seen[name:match("%a+%.layers%.%d+") or "other"] = true
  end
  check.equal(seen, {["encoder.layers.0"] = true, ["encoder.layers.3"] = true, ["decoder.layers.0"] = true,
                     ["decoder.layers.3"] = true, other = true})
end

function T.layers_start_with_equal_biases_and_matrices_of_their_own()
  local model = small_model(Ort, {layers = 3})
  local by_name, compared = {}, 0
  for _, p in ipairs(model:parameters()) do by_name[p.name] = p.param end
  for name, param in pairs(by_name) do
    local index = tonumber(name:match("layers%.(%d+)"))
    if index and index > 0 then
      local first = by_name[name:gsub("layers%.%d+", "layers.0")]
      check.equal(param.value:tobytes() == first.value:tobytes(), #param.shape == 1)
      compared = compared + 1
    end
  end
  check.equal(compared, 2 * (8 + 4 + 4 + 4 + 8 + 8 + 4 + 6)) -- two layers, on both sides
  check.yes(by_name["model.encoder.layers.1.feed_forward.w_1.bias"].value:abs():max():item() > 0)
  model:close()
end

function T.bad_sizes_and_sharing_are_refused()
  check.fails("models.ort: vocab must be given", Ort, {})
  check.fails("models.ort: size must be divisible by heads, got 510 and 8", Ort, {vocab = 9, size = 510})
  check.fails("models.transformer: layers must be a whole number from 1 to 100, got 0", Transformer,
    {vocab = 9, layers = 0})
  check.fails("heads must be a whole number from 1 to 256, got 1000", Ort, {vocab = 9, heads = 1000})
  check.fails('share_att_decoder must be "none", "kv" or "qk", got "vk"', Acort, {vocab = 9, share_att_decoder = "vk"})
  check.fails("models.ort: dropout must be in %[0, 1%), got 1", Ort, {vocab = 9, dropout = 1})
  check.fails("models.ort: inner_dropout must be in %[0, 1%), got %-?nan", Ort, {vocab = 9, inner_dropout = 0 / 0})
  local list = "share_layer_encoder must be a list of the layers 0 to n %- 1 at up to 100 places, such as 0, 0, 1, 1; "
    .. "got "
  check.fails(list .. "0, 2, 2", Ort, {vocab = 9, share_layer_encoder = {0, 2, 2}})
  check.fails(list .. "0, %-1", Ort, {vocab = 9, share_layer_encoder = {0, -1}})
  check.fails(list .. "0, one", Ort, {vocab = 9, share_layer_encoder = {0, "one"}})
  check.fails(list .. "an empty list", Ort, {vocab = 9, share_layer_encoder = {}})
  local gap = {0}
  gap[3] = 1
  check.fails(list .. "a table with gaps or names %(at [23]%)", Ort, {vocab = 9, share_layer_encoder = gap})
  check.fails(list .. "a table with gaps or names %(at a%)", Ort, {vocab = 9, share_layer_encoder = {0, a = 1}})
  check.fails(list .. "a table with gaps or names %(at a%)", Ort, {vocab = 9, share_layer_encoder = {a = 1}})
  check.fails('models.ort: activation must be "relu" or "gelu", got "tanh"', Ort, {vocab = 9, activation = "tanh"})
  check.fails('unknown key "head"; did you mean "heads"', Ort, {vocab = 9, head = 5})
end

function T.the_products_of_a_layer_may_bend_at_gelu()
  local sizes = {size = 2, inner = 3, dropout = 0}
  local x <close> = lac.tensor {{0.5, -1}}
  local eye <close> = lac.tensor {{1, 0}, {0, 1}, {1, 1}}
  for activation, bend in pairs {
    relu = function(v) return math.max(v, 0) end,
    gelu = function(v) return ({[0.5] = 0.345731, [-1] = -0.158655, [-0.5] = -0.154269})[v] end, -- v Phi(v)
  } do
    sizes.activation = activation
    local part = FeedForward(sizes)
    part:load {["w_1.weight"] = eye:clone(), ["w_1.bias"] = lac.zeros {3}, ["w_2.bias"] = lac.zeros {2},
               ["w_2.weight"] = lac.tensor {{1, 0, 0}, {0, 1, 2}}}
    do
      local scope <close> = lac.scope()
      check.close(part:eval()(x), {{bend(0.5), bend(-1) + 2 * bend(-0.5)}}, 1e-5)
    end
    part:close()
  end
  local model = small_model(Ort, {activation = "gelu"})
  check.equal({model.region_encoder.places[1].feed_forward.activation, model.decoder.places[1].feed_forward.activation},
    {"gelu", "gelu"})
  model:close()
end

function T.bad_batches_are_refused()
  local model = small_model(Ort)
  do
    local scope <close> = lac.scope()
    local batch = small_batch()
    batch.boxes = nil
    check.fails("models.ort: this model looks at the boxes of regions, but there are none", model.forward, model, batch)
    batch.boxes = lac.zeros {2, 2, 4}
    check.fails("boxes of these features have the shape %[2, 3, 4%], got %[2, 2, 4%]", model.forward, model, batch)
    local many <close> = lac.zeros {1, 60000, 5} -- more pairs than a device has room for
    local boxes <close> = lac.zeros {1, 60000, 4}
    check.fails("models.ort: for the boxes of 1 images with up to 60000 regions, every pair of them: .*; fewer regions "
      .. "or a smaller batch %(%-%-batch, data.batch, eval.batch%) take less memory", model.relations, model,
      {att = many, boxes = boxes})
    batch = small_batch()
    batch.regions = {3, 4}
    check.fails("models.ort: image 2 has 4 regions, but there are features of 3", model.forward, model, batch)
    batch.regions = {0, 3}
    check.fails("image 1 has 0 regions", model.forward, model, batch)
    batch.regions = {3}
    check.fails("there are 2 images, but regions of 1", model.forward, model, batch)
    batch = small_batch()
    batch.sampling = 0.5
    check.fails("models.ort: words drawn by the model itself %(sampling%) need a decoder", model.forward, model, batch)
  end
  model:close()
end

return T
