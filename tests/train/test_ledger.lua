local lac = require "lac"
local check = require "check"
local Linear = require "nn.linear"
local UpDown = require "models.updown"
local ledger = require "train.ledger"

local T = {}

function T.products_are_weights_by_their_uses()
  local model = Linear {inputs = 3, outputs = 2}
  model:load {weight = lac.tensor {{1, 2, 3}, {0, 5, 6}}, bias = lac.tensor {0.5, 0}}
  model.weight:set_mask(lac.tensor {{1, 0, 0}, {1, 1, 0}})
  function model.uses(_, name, image) return name == "weight" and image.regions or 0 end
  local rows = ledger.of(model, {regions = 2.5, words = 9})
  check.equal({rows[1].macs_dense, rows[1].macs_sparse}, {15, 8}) -- 6 and 3 by 2.5
  check.equal({rows[2].macs_dense, rows.total.macs_dense, rows.total.macs_sparse}, {0, 15, 8})
  local lines = {}
  for line in ledger.csv(rows):gmatch("[^\n]+") do lines[#lines + 1] = line end
  check.equal(#lines, 4)
  check.equal(lines[2]:match("^(.-,24,12,)"), "weight,2x3,6,3,0.50000,24,12,")
  check.yes(lines[2]:find(",15,8$") and lines[3]:find("^bias,2,2,1,,8,4,") and lines[4]:find("^total,,8,4,0.50000,"))
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

function T.up_down_uses_its_weights_per_image_region_and_word()
  local model = UpDown {vocab = 9, embed = 2, hidden = 3, attention = 4, features = 5, fc_features = 6,
                        logit_layers = 2}
  local uses = {}
  for _, p in ipairs(model:parameters()) do
    local n = model:uses(p.name, {regions = 7, words = 5})
    if n > 0 then uses[p.name] = n end
  end
  check.equal(uses, {
    ["fc_embed.0.weight"] = 1, ["att_embed.0.weight"] = 7, ["ctx2att.weight"] = 7, ["logit.0.weight"] = 5,
    ["logit.3.weight"] = 5, ["core.att_lstm.weight_ih"] = 5, ["core.att_lstm.weight_hh"] = 5,
    ["core.lang_lstm.weight_ih"] = 5, ["core.lang_lstm.weight_hh"] = 5, ["core.attention.h2att.weight"] = 5,
    ["core.attention.alpha_net.weight"] = 35,
  })
end

return T
