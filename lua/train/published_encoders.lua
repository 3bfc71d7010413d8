--- Which encoder of pictures the tensors of a published file are: read off their names and shapes.
--
-- Names are torchvision's, or those of this program in their style, or TensorFlow's (train.slim_names). What encoders
-- here do not have (counts of batches, auxiliary classifiers) is closed and taken out.
-- @module train.published_encoders
local mobilenet_v2 = require "models.encoders.mobilenet_v2"
local slim_names = require "train.slim_names"

local published_encoders = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

-- The last convolution, which all widths show in, and its outputs at width 1; a tensor that no other network has; the
-- classifier; the normalisation of the first convolution.
local NETWORKS = {
  {name = "googlenet", sign = "^inception%d%l%.", first = "conv1.conv", norm = "conv1.bn", classifier = "fc",
   last = "inception5b.branch1.conv.weight", outputs = 384},
  {name = "mobilenet_v2", sign = "^features%.%d+%.conv%.", first = "features.0.0", norm = "features.0.1",
   classifier = "classifier.1"},
  {name = "mobilenet_v1", sign = "^features%.%d+%.1%.0%.", first = "features.0.0", norm = "features.0.1",
   classifier = "classifier.1", last = "features.13.1.0.weight", outputs = 1024},
}

--- A tensor of each kind of encoder, and what has it, for messages: what a MobileNet-V1 has in a MobileNet-V2's place
-- goes by the same name.
published_encoders.SIGNS = {
  {key = "inception3a.branch1.conv.weight", what = "a GoogLeNet"},
  {key = "features.1.conv.0.0.weight", what = "a MobileNet-V2"},
}

local function take_out(tensors, pattern)
  local count = 0
  for name, x in pairs(tensors) do
    if name:find(pattern) then
      x:close()
      tensors[name], count = nil, count + 1
    end
  end
  return count
end

local function dimension(tensors, name, i, path)
  local x = tensors[name]
  if not x then fail(path, "the tensor %s is missing", name) end
  local shape = x:shape()
  if not shape[i] then fail(path, "the tensor %s has %d dimensions, too few", name, #shape) end
  return shape[i]
end

--- The width of a MobileNet-V2, whose channels are rounded to multiples of 8.
-- @tparam function outputs (stage) -> channels of the stage, counted from 0
-- @treturn ?number nil where no width fits
function published_encoders.width_of_v2(outputs)
  local candidates = {1, 1.4, 1.3, 0.75, 0.5, 0.35, 0.25, 0.1, 2}
  candidates[#candidates + 1] = outputs(17) / 320
  for _, width in ipairs(candidates) do
    local fits = true
    for stage, channels in pairs(mobilenet_v2.channels(width)) do fits = fits and outputs(stage) == channels end
    if fits then return width end
  end
end

local function width_of(network, tensors, path)
  if network.last then return dimension(tensors, network.last, 1, path) / network.outputs end
  local width = published_encoders.width_of_v2(function(stage)
    local name = ("features.%d.%s.weight"):format(stage, stage == 1 and "conv.1" or stage == 0 and "0" or "conv.2")
    return dimension(tensors, name, 1, path)
  end)
  return width or fail(path, "its channels are those of no MobileNet-V2: features.17 gives %d",
    dimension(tensors, "features.17.conv.2.weight", 1, path))
end

local function find_network(tensors)
  for _, network in ipairs(NETWORKS) do
    for name in pairs(tensors) do
      if name:find(network.sign) then return network end
    end
  end
end

-- Whole numbers as such, for messages and files.
local function plain(x)
  return math.tointeger(x) or x
end

-- The settings of a network whose tensors have our names already.
local function settings(network, tensors, path)
  local class = require("models.encoders." .. network.name)
  local cfg = {name = network.name, width = plain(width_of(network, tensors, path)), size = class.defaults.size,
               input = class.defaults.input, padding = class.defaults.padding, eps = class.defaults.eps, classes = 0}
  local classifier = network.classifier .. ".weight"
  if tensors[classifier] then cfg.classes = dimension(tensors, classifier, 1, path) end
  cfg.norm = tensors[network.norm .. ".running_mean"] and "frozen" or "folded"
  if cfg.norm == "frozen" then cfg.gain = tensors[network.norm .. ".weight"] ~= nil end
  return cfg
end

--- Take the classifier out, which an encoder in front of a captioning model does not have.
-- @tparam table tensors of the encoder, changed
-- @tparam table cfg its configuration from read, changed
-- @tparam table left list of what was left out, changed
function published_encoders.drop_classifier(tensors, cfg, left)
  for _, network in ipairs(NETWORKS) do
    if network.name == cfg.name then
      local count = take_out(tensors, "^" .. network.classifier:gsub("%.", "%%.") .. "%.")
      if count > 0 then left[#left + 1] = ("the image encoder's classifier (%d tensors)"):format(count) end
    end
  end
  cfg.classes = 0
end

--- The configuration of the encoder that tensors are, if they are one.
-- @tparam table tensors name -> tensor; gets the names of this program
-- @tparam string path quoted in messages
-- @treturn ?table name and the encoder's own keys; nil for tensors of something else
-- @treturn table list of what was left out, in words
-- @raise what is missing or does not fit
function published_encoders.read(tensors, path)
  local slim = slim_names.rename(tensors, path)
  local network = find_network(tensors)
  if not network then return nil end
  local left = slim and slim.left or {}
  take_out(tensors, "%.num_batches_tracked$")
  local auxiliary = take_out(tensors, "^aux%d%.")
  if auxiliary > 0 then left[#left + 1] = ("the auxiliary classifiers (%d tensors)"):format(auxiliary) end
  local cfg = settings(network, tensors, path)
  for key, value in pairs(slim and slim.settings or {}) do cfg[key] = value end -- these cut 224 from 256: 8/7 too
  return cfg, left
end

return published_encoders
