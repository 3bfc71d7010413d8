--- 8-bit MobileNets: a JSON description and the .tflite file beside it -> parameters of ours.
--
-- NAME.json lists tensors (shape, type, scale, zero_point, and file_offset and bytes of what NAME.tflite holds of it)
-- and operators in order. A number q of a tensor stands for scale * (q - zero_point). Normalisation is folded into
-- the weights. Kernels are [outputs, rows, columns, inputs], depthwise ones [1, rows, columns, channels].
-- @module train.tflite
local lac = require "lac"
local checkpoint = require "train.checkpoint"
local published_encoders = require "train.published_encoders"

local tflite = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local CONVOLUTIONS = {CONV_2D = true, DEPTHWISE_CONV_2D = true}

local function read_description(path)
  local file, why = io.open(path, "rb")
  if not file then error("cannot open " .. why, 0) end
  local text = file:read("a")
  file:close()
  local good, found = pcall(lac.json.decode, text)
  if not good then fail(path, "it is not readable: %s", tostring(found)) end
  if type(found) ~= "table" or type(found.tensors) ~= "table" or type(found.operators) ~= "table" then
    fail(path, "this JSON describes no 8-bit network: it needs tensors and operators")
  end
  local by_index = {}
  for _, t in ipairs(found.tensors) do
    if type(t) == "table" and math.tointeger(t.index) then by_index[t.index] = t end
  end
  found.tensors = by_index
  return found
end

-- A value of the description as text: what is not a word or a number is shown as JSON has it.
local function shown(value)
  if value == nil or value == lac.json.null then return "not given" end
  return type(value) == "table" and lac.json.encode(value) or tostring(value)
end

-- How many numbers a shape has.
local function count_of(t, most, path)
  local count = 1
  for _, d in ipairs(t.shape) do
    d = math.tointeger(d)
    if not d or d < 1 or d > most then
      fail(path, "the tensor %s has the shape %s, which must be whole numbers from 1 to %d", shown(t.name),
        shown(t.shape), most)
    end
    count = math.min(count * d, most + 1) -- more than fit
  end
  return count
end

-- A number of bytes would overflow single precision with a larger scale.
local LARGEST_SCALE = 1e20

local function check_scale(t, path)
  local scale, zero = type(t.scale) == "table" and t.scale, type(t.zero_point) == "table" and t.zero_point
  if not scale or not zero or #scale ~= 1 or type(scale[1]) ~= "number" or math.tointeger(zero[1]) == nil then
    fail(path, "the tensor %s must have one scale and one zero point", shown(t.name))
  end
  if not (scale[1] > 0 and scale[1] <= LARGEST_SCALE) or math.abs(zero[1]) > 1 << 31 then
    fail(path, "the tensor %s has the scale %g and the zero point %d; a scale is above 0 and at most %g", shown(t.name),
      scale[1], zero[1], LARGEST_SCALE)
  end
end

-- Bytes of a tensor, bounds checked.
local function raw(source, index)
  local t = source.tensors[index]
  if not t then fail(source.path, "an operator uses tensor %s, which is not in the list", tostring(index)) end
  local name = shown(t.name)
  local offset, bytes = math.tointeger(t.file_offset), math.tointeger(t.bytes)
  if not offset or not bytes or type(t.shape) ~= "table" then
    fail(source.path, "the tensor %s has no file_offset, bytes and shape", name)
  end
  if offset < 0 or bytes < 0 or bytes > source.size - offset then
    fail(source.path, "the tensor %s is said to take %d bytes from %d on, but %s has %d", name, bytes, offset,
      source.file_path, source.size)
  end
  if count_of(t, source.size, source.path) * (t.type == "INT32" and 4 or 1) ~= bytes then
    fail(source.path, "the tensor %s has %d bytes, which do not fit its shape [%s]", name, bytes,
      table.concat(t.shape, ", "))
  end
  check_scale(t, source.path)
  source.file:seek("set", offset)
  return t, source.file:read(bytes) or ""
end

-- Weights: bytes through a table of the 256 numbers that they stand for.
local function weights(source, index)
  local t, bytes = raw(source, index)
  if t.type ~= "UINT8" then
    fail(source.path, "%s is of type %s; weights of UINT8 are read", shown(t.name), shown(t.type))
  end
  local numbers = {}
  for q = 0, 255 do numbers[string.char(q)] = string.pack("<f", t.scale[1] * (q - t.zero_point[1])) end
  return lac.from_bytes(bytes:gsub(".", numbers), t.shape), t
end

local function biases(source, index)
  local t, bytes = raw(source, index)
  if t.type ~= "INT32" then
    fail(source.path, "%s is of type %s; biases of INT32 are read", shown(t.name), shown(t.type))
  end
  local numbers = {}
  for i = 1, #bytes, 4 do
    numbers[#numbers + 1] = string.pack("<f", t.scale[1] * (string.unpack("<i4", bytes, i) - t.zero_point[1]))
  end
  return lac.from_bytes(table.concat(numbers), t.shape)
end

-- As our parameter has it: [outputs, inputs, rows, columns], or [outputs, inputs].
local function kernel(x, operator, matrix, t, path)
  local shape = x:shape()
  if #shape ~= 4 then fail(path, "the tensor %s has %d dimensions in place of 4", shown(t.name), #shape) end
  if operator.op == "DEPTHWISE_CONV_2D" then
    if shape[1] ~= 1 then fail(path, "%s: the first dimension of a depthwise kernel must be 1", shown(t.name)) end
    return x:transpose(1, 4):contiguous():reshape(shape[4], 1, shape[2], shape[3])
  end
  if matrix then return x:reshape(shape[1], shape[2] * shape[3] * shape[4]) end
  return x:transpose(2, 4):transpose(3, 4):contiguous()
end

local function convolutions(found, path)
  local list = {}
  for _, operator in ipairs(found.operators) do
    if type(operator) == "table" and CONVOLUTIONS[operator.op] then
      if operator.padding ~= "SAME" then
        fail(path, "padding of the kind %s is not known here; these networks have SAME", shown(operator.padding))
      end
      if type(operator.inputs) ~= "table" or #operator.inputs ~= 3 then
        fail(path, "a convolution has an input, weights and biases; one has other inputs")
      end
      list[#list + 1] = operator
    end
  end
  if #list < 2 then fail(path, "there are no convolutions in it") end
  return list
end

local function outputs_of(found, operator, path)
  local t = found.tensors[operator.inputs[2]]
  local n = t and type(t.shape) == "table" and math.tointeger(t.shape[operator.op == "CONV_2D" and 1 or 4])
  return n or fail(path, "a convolution has no weights with a shape")
end

-- Which network it is, of which size: V2 adds what went round its blocks, V1 does not.
local function settings(found, list, path)
  local input = found.tensors[list[1].inputs[1]]
  local size = input and type(input.shape) == "table" and math.tointeger(input.shape[2])
  if not size then fail(path, "the size of its pictures is not given") end
  if size < 32 or size > 4096 then fail(path, "its pictures must have 32 to 4096 pixels, not %d", size) end
  local cfg = {size = size, input = "byte", padding = "same", norm = "folded",
               classes = outputs_of(found, list[#list], path)}
  if #list == 28 then
    cfg.name, cfg.width = "mobilenet_v1", outputs_of(found, list[27], path) / 1024
  elseif #list == 53 then
    cfg.name = "mobilenet_v2"
    cfg.width = published_encoders.width_of_v2(function(stage)
      return outputs_of(found, list[stage == 0 and 1 or stage == 1 and 3 or 3 * stage], path)
    end)
    if not cfg.width then fail(path, "its channels are those of no MobileNet-V2") end
  else
    fail(path, "it has %d convolutions; MobileNet-V1 has 28 with the classifier, MobileNet-V2 53", #list)
  end
  cfg.width = math.tointeger(cfg.width) or cfg.width
  return cfg
end

-- The numbers of the convolutions that halve the picture, and whether one has no activation; the others have relu6.
local NETWORKS = {
  mobilenet_v1 = {halving = {[1] = true, [4] = true, [8] = true, [12] = true, [24] = true},
                  linear = function(i) return i == 28 end},
  mobilenet_v2 = {halving = {[1] = true, [5] = true, [11] = true, [20] = true, [41] = true},
                  linear = function(i) return i == 53 or i < 52 and i % 3 == 0 end},
}

-- The convolutions are those of the network, which is built without asking the description again.
local function check_operators(list, name, path)
  local network = NETWORKS[name]
  for i, operator in ipairs(list) do
    local want = {stride = network.halving[i] and 2 or 1, activation = network.linear(i) and "none" or "relu6",
                  dilation = 1, depth_multiplier = 1}
    for _, key in ipairs {"stride", "activation", "dilation", "depth_multiplier"} do
      local said = operator[key]
      if said ~= nil and said ~= want[key] then
        fail(path, "convolution %d of %d has the %s %s, but %s has %s there", i, #list, key, shown(said), name,
          shown(want[key]))
      end
    end
  end
end

-- A tensor for every parameter: convolutions come in the order of ours.
local function read_tensors(source, list, cfg)
  local scope <close> = lac.scope()
  local tensors, params = {}, checkpoint.encoder(cfg, source.path):parameters()
  for i, operator in ipairs(list) do
    local w, b = params[2 * i - 1], params[2 * i]
    local x, t = weights(source, operator.inputs[2])
    tensors[w.name] = kernel(x, operator, #w.param.shape == 2, t, source.path):clone()
    tensors[b.name] = biases(source, operator.inputs[3])
    scope:keep(tensors[w.name], tensors[b.name])
  end
  return tensors
end

--- Read an 8-bit MobileNet.
-- @tparam string path NAME.json; NAME.tflite lies beside it
-- @treturn table tensors name -> tensor
-- @treturn table the encoder's configuration
-- @raise one sentence that names the file and what is wrong with it
function tflite.read(path)
  local found = read_description(path)
  local list = convolutions(found, path)
  local cfg = settings(found, list, path)
  check_operators(list, cfg.name, path)
  local file_path = path:gsub("%.json$", "") .. ".tflite"
  local file <close> = io.open(file_path, "rb")
  if not file then fail(path, "the weights it describes should be in %s, which is not there", file_path) end
  local source = {path = path, file_path = file_path, file = file, size = file:seek("end"), tensors = found.tensors}
  return read_tensors(source, list, cfg), cfg
end

return tflite
