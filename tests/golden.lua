--- Golden files of the Up-Down model: its sizes, parameters and inputs as ours.
-- @module golden
local lac = require "lac"
local check = require "check"
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

--- The model of a golden file, with its parameters, in evaluation mode.
function golden.updown(file)
  local layers = file:has("config/logit_layers") and scalar(file, "logit_layers") or 1
  local model = UpDown {
    vocab = scalar(file, "vocab_size"), embed = scalar(file, "input_encoding_size"),
    hidden = scalar(file, "rnn_size"), attention = scalar(file, "att_hid_size"),
    features = scalar(file, "att_feat_size"), fc_features = scalar(file, "fc_feat_size"), logit_layers = layers,
    dropout = 0,
  }
  model:load(golden.group(file, "params"))
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

return golden
