--- Golden files of models: their sizes, parameters and inputs as ours.
-- @module golden
local lac = require "lac"
local check = require "check"
local Acort = require "models.acort"
local Ort = require "models.ort"
local UpDown = require "models.updown"

local golden = {}

local function scalar(file, name)
  local x <close> = file:read("config/" .. name)
  return x:totable()[1]
end

--- Open a golden file; skips the test where it is absent.
function golden.open(name)
  return lac.hdf5.open(check.shared("golden/" .. name))
end

--- The tensors of a group: name -> tensor.
function golden.group(file, group)
  local found = {}
  for _, path in ipairs(file:names()) do
    local name = path:match("^/?" .. group .. "/(.+)$")
    if name then found[name] = file:read(path) end
  end
  return found
end

--- The model of a golden file, with its parameters, in evaluation mode and without dropout.
-- @tparam file file
-- @tparam[opt="params"] string group where the parameters are
function golden.updown(file, group)
  local layers = file:has("config/logit_layers") and scalar(file, "logit_layers") or 1
  local model = UpDown {
    vocab = scalar(file, "vocab_size"), embed = scalar(file, "input_encoding_size"),
    hidden = scalar(file, "rnn_size"), attention = scalar(file, "att_hid_size"),
    features = scalar(file, "att_feat_size"), fc_features = scalar(file, "fc_feat_size"), logit_layers = layers,
    dropout = 0,
  }
  model:load(golden.group(file, group or "params"))
  return model:eval()
end

--- The batch of a golden file. `words` is time first and ends before the first column of padding.
function golden.batch(file)
  local seqs <close> = file:read("inputs/seqs")
  local rows = seqs:totable()
  local words, steps = {}, #rows[1]
  for t = 1, #rows[1] do
    local column, any = {}, false
    for r = 1, #rows do
      column[r] = rows[r][t]
      any = any or column[r] ~= 0
    end
    if not any then
      steps = t - 1
      break
    end
    words[t] = column
  end
  return {fc = file:read("inputs/fc_feats"), att = file:read("inputs/att_feats"), mask = file:read("inputs/att_masks"),
          words = lac.tensor(words, "i32"), steps = steps, seqs = rows}
end

--- Targets and weights of the cross-entropy, time first: step t predicts the id at t + 1.
function golden.targets(file, batch)
  local masks <close> = file:read("inputs/masks")
  local weight_rows = masks:totable()
  local targets, weights = {}, {}
  for t = 1, batch.steps do
    for r, row in ipairs(batch.seqs) do
      targets[#targets + 1] = row[t + 1] or 0
      weights[#weights + 1] = weight_rows[r][t + 1] or 0
    end
  end
  return lac.tensor(targets, "i32"), lac.tensor(weights)
end

local SHARED = {[0] = "none", "kv", "qk"}

local function setting(file, name, default)
  return file:has("config/" .. name) and scalar(file, name) or default
end

local function order(file)
  if not file:has "config/share_layer" then return nil end
  local x <close> = file:read "config/share_layer"
  return x:totable()
end

--- The configuration of a golden file of the Object Relation Transformer.
function golden.ort_config(file)
  local share = SHARED[setting(file, "share_att", 0)]
  local layers = order(file)
  return {
    vocab = scalar(file, "vocab_size"), size = scalar(file, "d_model"), inner = scalar(file, "dim_feedforward"),
    layers = scalar(file, "num_layers"), heads = scalar(file, "num_heads"), features = scalar(file, "att_feat_size"),
    share_att_encoder = share, share_att_decoder = share, share_layer_encoder = layers, share_layer_decoder = layers,
    trigonometric = setting(file, "box_trigonometric_embedding", 1) == 1, dropout = 0, inner_dropout = 0,
  }
end

--- The Object Relation Transformer of a golden file, in evaluation mode and without dropout.
-- @tparam file file
-- @tparam[opt="params"] string group where the parameters are
function golden.ort(file, group)
  local cfg = golden.ort_config(file)
  local model = cfg.share_layer_decoder and Acort(cfg) or Ort(cfg)
  model:load(golden.group(file, group or "params"))
  return model:eval()
end

--- The batch of such a file without padding: captions in the order of their lengths, longest first.
-- @tparam file file
-- @tparam[opt] table seqs a list of ids per caption, in place of the file's; their weights are then ones
-- @treturn table batch, with targets and weights, and at, the {caption, step} of every word
function golden.ragged(file, seqs)
  local masks = not seqs and file:read("inputs/masks"):totable()
  seqs = seqs or file:read("inputs/seqs"):totable()
  local att = file:read "inputs/att_feats"
  local rows, lengths, each = {}, {}, #seqs // att:shape(1)
  for r, ids in ipairs(seqs) do
    rows[r], lengths[r] = r, 0
    while lengths[r] < #ids - 1 and ids[lengths[r] + 1] ~= 0 do lengths[r] = lengths[r] + 1 end
  end
  table.sort(rows, function(a, b)
    if lengths[a] ~= lengths[b] then return lengths[a] > lengths[b] end
    return a < b
  end)
  local words, targets, weights, counts, at, owners = {}, {}, {}, {}, {}, {}
  for i, r in ipairs(rows) do owners[i] = (r - 1) // each end
  for t = 1, lengths[rows[1]] do
    counts[t] = 0
    for _, r in ipairs(rows) do
      if lengths[r] >= t then
        counts[t] = counts[t] + 1
        at[#at + 1], words[#words + 1], targets[#targets + 1] = {r, t}, seqs[r][t], seqs[r][t + 1]
        weights[#weights + 1] = not masks and 1 or masks[r][t + 1]
      end
    end
  end
  return {att = att, boxes = file:read "inputs/boxes", mask = file:read "inputs/att_masks", counts = counts, at = at,
          words = lac.tensor(words, "i32"), targets = lac.tensor(targets, "i32"), weights = lac.tensor(weights),
          owners = lac.tensor(owners, "i32")}
end

--- Every gradient of a golden file against the model's, within the tolerances of the files' README.
function golden.compare_gradients(file, model)
  local compared = 0
  for _, p in ipairs(model:parameters()) do
    local want <close> = file:read("grads/" .. p.name)
    local grad <close> = p.param.value:grad() or lac.zeros(p.param.shape)
    local good, message = pcall(check.close, grad, want, 1e-5, 1e-3)
    check.yes(good, p.name .. ": " .. tostring(message))
    compared = compared + 1
  end
  local wanted = golden.group(file, "grads")
  for _, x in pairs(wanted) do
    compared = compared - 1
    x:close()
  end
  check.equal(compared, 0) -- every gradient in the file has its parameter
end

return golden
