--- What the encoder of a recipe begins with: the settings and values of an encoder in a file, if model.encoder.weights
-- names one.
-- @module train.first_encoder
local checkpoint = require "train.checkpoint"
local select = require "core.select"

local first_encoder = {}

-- Settings that the file does not decide: of a classifier, which is not taken, and of training.
local OWN = {name = true, classes = true, frozen = true}

--- Complete the settings by those of the file, which are below the recipe's.
-- @tparam table given model.encoder of a recipe; changed, and without weights afterwards
-- @treturn ?table encoder, path, and model, which is to be closed: what load takes; nil without a file
-- @raise names the file
function first_encoder.open(given)
  local path = given.weights
  given.weights = nil
  if not path then return nil end
  local encoder, found, model = checkpoint.load_encoder(path)
  if found.name ~= given.name then
    model:close()
    error(("model.encoder: %s holds the encoder %s, not %s"):format(path, found.name, given.name), 0)
  end
  for key, value in pairs(found) do
    if given[key] == nil and not OWN[key] then given[key] = value end
  end
  return {encoder = encoder, model = model, path = path}
end

--- Give the encoder the values of the one in the file, which is closed.
-- @tparam nn.Module encoder
-- @tparam table start from open
-- @raise names the file
function first_encoder.load(encoder, start)
  local values, theirs = {}, start.encoder
  local classifier = theirs.classifier and theirs.classifier:path() .. "."
  for _, p in ipairs(theirs:tensors()) do
    local kept = not classifier or p.name:sub(1, #classifier) ~= classifier
    if kept then values[p.name] = p.param:pruned():clone() end
  end
  local good, message = pcall(encoder.load, encoder, values)
  start.model:close()
  if not good then error(("%s: %s"):format(start.path, (tostring(message):gsub("^%S-:%d+: ", ""))), 0) end
end

-- Why an encoder stays as it is, at least in the first stage; nil where it learns.
local function rests(encoder, stage)
  if encoder.cfg.frozen then return "frozen is true" end
  for _, p in ipairs(encoder:parameters()) do
    local named = false
    for _, pattern in ipairs(stage.freeze) do -- train.focus checks what they are
      named = named or type(pattern) == "string" and select.matches(pattern, "encoder." .. p.name)
    end
    if not named then return nil end
  end
  return "the first stage freezes it"
end

--- Check that an encoder has something to learn from, or something to begin with.
-- @tparam nn.Module encoder
-- @tparam ?table start from open
-- @tparam table cfg the recipe
-- @tparam table dataset
-- @raise names the key and what to do
function first_encoder.check(encoder, start, cfg, dataset)
  if not dataset.has_pictures and not encoder.cfg.frozen then
    error(("model.encoder: %s holds features, so the encoder would learn nothing; give it frozen = true, or the run a "
      .. "data file of pictures"):format(dataset.path), 0)
  end
  local why = not start and rests(encoder, cfg.stages[1])
  if why then
    error(("model.encoder: %s, but it has no weights, so a decoder would learn from random features; weights names the "
      .. "file of an encoder (lacuna import)"):format(why), 0)
  end
end

return first_encoder
