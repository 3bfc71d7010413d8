--- TensorFlow's names of encoders, as TF-slim and the published programs of soft attention save them -> ours.
--
-- A variable is <anything>/<network>/<layer>/<kind>, such as Model/encoder/cnn/InceptionV1/Mixed_3b/Branch_0/
-- Conv2d_0a_1x1/weights. Kernels are [rows, columns, inputs, outputs] there, and depthwise ones [rows, columns,
-- channels, 1]. A kernel's mask, <kind>/mask, is multiplied into it: zeros and ones, or logits.
-- @module train.slim_names
local lac = require "lac"
local masked = require "train.variable_mask"
local plural = require "core.plural"

local slim_names = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

-- A layer of each network: TensorFlow's name -> {names of convolution and normalisation}.

local MIXED = {"3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"}
local BLOCKS = {"3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"}

local function inception()
  local layers = {["Logits/Conv2d_0c_1x1"] = {conv = "fc", matrix = true}}
  local function add(theirs, ours) layers[theirs] = {conv = ours .. ".conv", norm = ours .. ".bn"} end
  add("Conv2d_1a_7x7", "conv1")
  add("Conv2d_2b_1x1", "conv2")
  add("Conv2d_2c_3x3", "conv3")
  for i, name in ipairs(MIXED) do
    local theirs, ours = "Mixed_" .. name .. "/", "inception" .. BLOCKS[i] .. "."
    add(theirs .. "Branch_0/Conv2d_0a_1x1", ours .. "branch1")
    add(theirs .. "Branch_1/Conv2d_0a_1x1", ours .. "branch2.0")
    add(theirs .. "Branch_1/Conv2d_0b_3x3", ours .. "branch2.1")
    add(theirs .. "Branch_2/Conv2d_0a_1x1", ours .. "branch3.0")
    add(theirs .. "Branch_2/Conv2d_0" .. (name == "5b" and "a" or "b") .. "_3x3", ours .. "branch3.1")
    add(theirs .. "Branch_3/Conv2d_0b_1x1", ours .. "branch4.1")
  end
  return layers
end

local function mobilenet_v1()
  local layers = {["Logits/Conv2d_1c_1x1"] = {conv = "classifier.1", matrix = true},
                  Conv2d_0 = {conv = "features.0.0", norm = "features.0.1"}}
  for i = 1, 13 do
    local ours = "features." .. i
    layers[("Conv2d_%d_depthwise"):format(i)] = {conv = ours .. ".0.0", norm = ours .. ".0.1"}
    layers[("Conv2d_%d_pointwise"):format(i)] = {conv = ours .. ".1.0", norm = ours .. ".1.1"}
  end
  return layers
end

local function mobilenet_v2()
  local layers = {["Logits/Conv2d_1c_1x1"] = {conv = "classifier.1", matrix = true},
                  Conv = {conv = "features.0.0", norm = "features.0.1"},
                  Conv_1 = {conv = "features.18.0", norm = "features.18.1"}}
  for i = 1, 17 do
    local theirs, at = i == 1 and "expanded_conv/" or ("expanded_conv_%d/"):format(i - 1), i == 1 and 0 or 1
    local function name(index, more) return ("features.%d.conv.%d%s"):format(i, index, more or "") end
    if i > 1 then layers[theirs .. "expand"] = {conv = name(0, ".0"), norm = name(0, ".1")} end
    layers[theirs .. "depthwise"] = {conv = name(at, ".0"), norm = name(at, ".1")}
    layers[theirs .. "project"] = {conv = name(at + 1), norm = name(at + 2)}
  end
  return layers
end

local NETWORKS = {InceptionV1 = inception, MobilenetV1 = mobilenet_v1, MobilenetV2 = mobilenet_v2}

--- The layers of a network: TensorFlow's name -> {conv =, norm =, matrix =}, names of ours.
-- @tparam string network InceptionV1, MobilenetV1 or MobilenetV2
function slim_names.layers(network)
  return NETWORKS[network]()
end

-- How these programs read pictures and pad.
local SETTINGS = {eps = 1e-3, padding = "same", input = "symmetric", grid = "legacy"}

local NORM = {["BatchNorm/gamma"] = "weight", ["BatchNorm/beta"] = "bias", ["BatchNorm/moving_mean"] = "running_mean",
              ["BatchNorm/moving_variance"] = "running_var"}

-- What training leaves beside the variables.
local LEFT = {"/Adam$", "/Adam_1$", "/RMSProp$", "/RMSProp_1$", "/Momentum$", "/ExponentialMovingAverage$",
              "/AuxLogits/"}

local function is_left(name)
  for _, pattern in ipairs(LEFT) do
    if name:find(pattern) then return true end
  end
end

-- [rows, columns, inputs, outputs] -> [outputs, inputs, rows, columns], or for a depthwise kernel [rows, columns,
-- channels, 1] -> [channels, 1, rows, columns], or a matrix.
local function kernel(x, kind, layer, name, path)
  local shape = x:shape()
  if #shape ~= 4 then fail(path, "the tensor %s has %d dimensions in place of 4", name, #shape) end
  local scope <close> = lac.scope()
  local rows, columns, inputs, outputs = table.unpack(shape)
  if kind == "depthwise_weights" then
    if outputs ~= 1 then fail(path, "%s: several kernels for a channel (%d) are not known here", name, outputs) end
    local y = x:transpose(1, 3):transpose(2, 3):contiguous()
    return scope:keep(y:reshape(inputs, 1, rows, columns):clone())
  end
  local y = x:transpose(1, 4):transpose(2, 3):transpose(3, 4):contiguous()
  return scope:keep(layer.matrix and y:reshape(outputs, inputs * rows * columns):clone() or y:clone())
end

-- Where a variable goes: our name, and the kernel's kind and layer.
local function place(rest, layers)
  local scope, kind = rest:match("^(.+)/(BatchNorm/[%l_]+)$")
  if scope and layers[scope] and layers[scope].norm and NORM[kind] then
    return layers[scope].norm .. "." .. NORM[kind]
  end
  scope, kind = rest:match("^(.+)/([%l_]+)$")
  local layer = scope and layers[scope]
  if not layer then return nil end
  if kind == "weights" or kind == "depthwise_weights" then return layer.conv .. ".weight", kind, layer end
  if kind == "biases" then return layer.conv .. ".bias" end
end

-- The network that names speak of, and what comes before its layers in them.
local function find_network(tensors)
  for name in pairs(tensors) do
    for network in pairs(NETWORKS) do
      local before = name:match("^(.-)" .. network .. "/")
      if before and (before == "" or before:sub(-1) == "/") then return network, before .. network .. "/" end
    end
  end
end

-- Our tensors of a network's, and how many were left out.
local function translate(tensors, prefix, layers, path)
  local found, left = {}, 0
  for name, x in pairs(tensors) do
    local rest = name:sub(1, #prefix) == prefix and name:sub(#prefix + 1)
    if rest and not is_left(name) and not rest:find("/mask$") then
      rest = rest:gsub("^" .. prefix:match("([^/]+)/$") .. "/", "") -- MobilenetV1/MobilenetV1/Conv2d_0
      local ours, kind, layer = place(rest, layers)
      if not ours then fail(path, "the tensor %s has no place in this network", name) end
      local mask = tensors[name .. "/mask"]
      local y = mask and masked(x, mask, name .. "/mask", path) or x
      found[ours] = kind and kernel(y, kind, layer, name, path) or y:clone()
      if mask then y:close() end
    elseif not rest or is_left(name) then
      left = left + 1
    end
  end
  for theirs, layer in pairs(layers) do
    if not layer.matrix and not found[layer.conv .. ".weight"] then
      fail(path, "the kernel of %s%s is missing", prefix, theirs)
    end
  end
  return found, left
end

--- Give tensors of a TensorFlow encoder our names and layouts; others stay as they are.
-- @tparam table tensors name -> tensor, changed
-- @tparam string path quoted in messages
-- @treturn ?table settings and left (what was left out, in words); nil where the names are not TensorFlow's
function slim_names.rename(tensors, path)
  local network, prefix = find_network(tensors)
  if not network then return nil end
  local found, left = translate(tensors, prefix, slim_names.layers(network), path)
  for name, x in pairs(tensors) do
    x:close()
    tensors[name] = nil
  end
  for name, x in pairs(found) do tensors[name] = x end
  return {settings = SETTINGS, left = left > 0 and {plural(left, "tensor") .. " beside the encoder's own"} or {}}
end

return slim_names
