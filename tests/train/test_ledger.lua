local lac = require "lac"
local check = require "check"
local Linear = require "nn.linear"
local Acort = require "models.acort"
local Ort = require "models.ort"
local UpDown = require "models.updown"
local ledger = require "train.ledger"

local T = {}

function T.products_are_weights_by_their_uses()
  local model = Linear {inputs = 3, outputs = 2}
  model:load {weight = lac.tensor {{1, 2, 3}, {0, 5, 6}}, bias = lac.tensor {0.5, 0}}
  model.weight:set_mask(lac.tensor {{1, 0, 0}, {1, 1, 0}})
  function model.uses(_, name, image) return name == "weight" and image.regions or 0 end
  local rows = ledger.of(model, {regions = 2.5, words = 9})
  check.equal({rows[1].macs_dense, rows[1].macs_sparse}, {15, 5}) -- 6 and 2 by 2.5
  check.equal({rows[2].macs_dense, rows.total.macs_dense, rows.total.macs_sparse}, {0, 15, 5})
  local lines = {}
  for line in ledger.csv(rows):gmatch("[^\n]+") do lines[#lines + 1] = line end
  check.equal(#lines, 4)
  check.equal(lines[2]:match("^(.-,24,12,)"), "weight,2x3,6,2,0.66667,24,12,")
  check.yes(lines[2]:find(",15,5$") and lines[3]:find("^bias,2,2,1,,8,4,") and lines[4]:find("^total,,8,3,0.66667,"))
  model:close()
end

function T.a_model_that_does_not_say_has_no_products()
  local model = Linear {inputs = 3, outputs = 2}
  model:initialise(lac.rng(1))
  local rows = ledger.of(model, ledger.USUAL)
  check.equal({rows[1].macs_dense, rows.total.macs_dense}, {})
  check.yes(ledger.csv(rows):find(",,\nbias"))
  model:close()
end

-- Uses of the weights of a model that have any, for 7 regions and 5 words.
local function uses_of(model)
  local uses = {}
  for _, p in ipairs(model:parameters()) do
    local n = model:uses(p.name, {regions = 7, words = 5})
    if n > 0 then uses[p.name] = n end
  end
  return uses
end

function T.up_down_uses_its_weights_per_image_region_and_word()
  local model = UpDown {vocab = 9, embed = 2, hidden = 3, attention = 4, features = 5, fc_features = 6,
                        logit_layers = 2}
  check.equal(uses_of(model), {
    ["fc_embed.0.weight"] = 1, ["att_embed.0.weight"] = 7, ["ctx2att.weight"] = 7, ["logit.0.weight"] = 5,
    ["logit.3.weight"] = 5, ["core.att_lstm.weight_ih"] = 5, ["core.att_lstm.weight_hh"] = 5,
    ["core.lang_lstm.weight_ih"] = 5, ["core.lang_lstm.weight_hh"] = 5, ["core.attention.h2att.weight"] = 5,
    ["core.attention.alpha_net.weight"] = 35,
  })
end

local function expect(uses, prefix, list)
  for name, n in pairs(list) do
    check.equal({prefix .. name, uses[prefix .. name .. ".weight"]}, {prefix .. name, n})
    uses[prefix .. name .. ".weight"] = nil
  end
end

function T.transformers_use_their_weights_per_region_pair_of_regions_and_word()
  local uses = uses_of(Ort {vocab = 9, size = 4, inner = 6, layers = 1, heads = 2, features = 5})
  expect(uses, "", {["att_embed.0"] = 7, ["model.generator.proj"] = 5})
  expect(uses, "model.encoder.layers.0.", {["self_attn.linears.0"] = 7, ["self_attn.linears.1"] = 7,
    ["self_attn.linears.2"] = 7, ["self_attn.linears.3"] = 7, ["self_attn.WGs.0"] = 49, ["self_attn.WGs.1"] = 49,
    ["feed_forward.w_1"] = 7, ["feed_forward.w_2"] = 7})
  expect(uses, "model.decoder.layers.0.", {["self_attn.linears.0"] = 5, ["self_attn.linears.1"] = 5,
    ["self_attn.linears.2"] = 5, ["self_attn.linears.3"] = 5, ["src_attn.linears.0"] = 5, ["src_attn.linears.1"] = 7,
    ["src_attn.linears.2"] = 7, ["src_attn.linears.3"] = 5, ["feed_forward.w_1"] = 5, ["feed_forward.w_2"] = 5})
  check.equal(next(uses), nil)
end

function T.layers_that_are_used_again_and_projections_that_are_shared_count()
  local sizes = {vocab = 9, size = 4, inner = 6, heads = 2, features = 5, share_layer_encoder = {0, 0, 1},
                 share_layer_decoder = {0, 1, 1}}
  local uses = uses_of(Acort(sizes))
  expect(uses, "model.encoder.layers.0.", {["self_attn.WGs.0"] = 49, ["self_attn.linears.2"] = 14})
  expect(uses, "model.encoder.layers.2.", {["self_attn.WGs.0"] = 49, ["feed_forward.w_1"] = 7})
  expect(uses, "model.decoder.layers.1.", {["self_attn.linears.1"] = 10, ["src_attn.linears.0"] = 10,
    ["src_attn.linears.1"] = 7, ["src_attn.linears.2"] = 10})
  sizes.share_att_decoder = "qk"
  uses = uses_of(Acort(sizes))
  expect(uses, "model.decoder.layers.1.", {["src_attn.linears.0"] = 17, ["src_attn.linears.1"] = 7,
    ["src_attn.linears.2"] = 10})
end

return T
