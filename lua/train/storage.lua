--- How the tensors of a model lie in its file.
--
-- The text `tensors` lists them, in the model's order, as JSON records {name, shape, form, ...}; a name is
-- params/<parameter> or masks/<parameter>, where "mask" says which kind of mask it is (see nn.mask; "cfg" has its
-- settings). Forms of a record:
--
-- * dense   a dataset of that name, float32
-- * packed  "bytes" of the byte stream `packed`, where the records' parts follow each other; "values" are float32,
--           float16, int8, or ones (a mask of zeros and ones), see runtime/io/pack.h
-- * plain   the same stream, float32 as in memory: what packing would only lengthen
--
-- Files of version 1 have no list: every dataset below params/ is a dense tensor.
-- @module train.storage
local lac = require "lac"
local mask = require "nn.mask"
local suggest = require "core.suggest"

local storage = {}

local FORMS = {"dense", "masked", "packed"}   -- of a file
local VALUES = {"float32", "float16", "int8"} -- of its packed tensors

local function check_choice(what, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return end
  end
  local hint = suggest.hint(tostring(value), choices)
  error(('there is no %s "%s"%s'):format(what, tostring(value),
    hint ~= "" and hint or "; there are " .. table.concat(choices, ", ")), 0)
end

--- Fill in and check the form of a file.
-- @tparam[opt] table cfg form ("dense"), values ("float32"; others only packed)
-- @treturn table form, values
-- @raise a sentence about what is not known
function storage.options(cfg)
  local form, values = cfg and cfg.form or "dense", cfg and cfg.values or "float32"
  check_choice("form of a model file", form, FORMS)
  check_choice("kind of values", values, VALUES)
  if form ~= "packed" and values ~= "float32" then
    error(("values of type %s need the packed form; the %s form keeps float32"):format(values, form), 0)
  end
  return {form = form, values = values}
end

-- Writing --------------------------------------------------------------------------------------------

--- A tensor in the fewest bytes.
-- @tparam tensor x float32
-- @tparam string values float32, float16, int8 or ones
-- @tparam string name for messages
-- @treturn string
-- @treturn string the record's form: packed, or plain where that is shorter
function storage.pack(x, values, name)
  local bytes = lac.pack.encode(x, values, name)
  if #bytes >= 4 * x:numel() then return x:tobytes(), "plain" end
  return bytes, "packed"
end

--- The kind of values of one parameter: what no mask may touch (biases) has at least float16, buffers are float32.
function storage.values_of(param, values)
  if param.buffer then return "float32" end
  return values == "int8" and not param.maskable and "float16" or values
end

-- Mostly zeros: compressing pays.
local function is_sparse(x)
  local scope <close> = lac.scope()
  return x:numel() > 0 and x:abs():greater(0):mean():item() < 0.5
end

local function add_dense(out, name, x)
  out.file:write(name, x, {deflate = is_sparse(x)})
  local record = {name = name, shape = x:shape(), form = "dense"}
  table.insert(out.records, record)
  return record
end

local function add_packed(out, name, x, values)
  local bytes, form = storage.pack(x, values, name)
  local record = {name = name, shape = x:shape(), form = form, values = form == "packed" and values or nil,
                  bytes = #bytes}
  table.insert(out.records, record)
  table.insert(out.stream, bytes)
  return record
end

local function add_mask(out, name, of)
  local state = of:state()
  local record
  if state.kind == "fixed" then
    record = add_packed(out, name, state.tensor, "ones")
  else
    record = add_dense(out, name, state.tensor)
    record.cfg = state.cfg
  end
  record.mask = state.kind
end

local ADD = {
  dense = function(out, p)
    local scope <close> = lac.scope()
    add_dense(out, "params/" .. p.name, p.param:pruned())
  end,
  packed = function(out, p, values)
    local scope <close> = lac.scope()
    add_packed(out, "params/" .. p.name, p.param:pruned(), storage.values_of(p.param, values))
  end,
  masked = function(out, p)
    if not p.param.mask then
      local scope <close> = lac.scope()
      return add_dense(out, "params/" .. p.name, p.param:pruned())
    end
    add_dense(out, "params/" .. p.name, p.param.value)
    add_mask(out, "masks/" .. p.name, p.param.mask)
  end,
}

--- Write a model's tensors. Dense and packed files hold the weights as evaluation sees them, with masks multiplied in;
-- masked files hold both sides.
-- @tparam file file an HDF5 file being written
-- @tparam nn.Module model
-- @tparam[opt] table cfg see storage.options
function storage.write(file, model, cfg)
  cfg = storage.options(cfg)
  local out = {file = file, records = {}, stream = {}}
  for _, p in ipairs(model:tensors()) do ADD[cfg.form](out, p, cfg.values) end
  file:set_attr("", "form", cfg.form)
  if cfg.form == "packed" then file:set_attr("", "values", cfg.values) end
  file:write_text("tensors", lac.json.encode(out.records))
  if #out.stream > 0 then file:write_bytes("packed", table.concat(out.stream)) end
end

-- Reading --------------------------------------------------------------------------------------------

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local function list_of_version_1(file)
  local records = {}
  for _, name in ipairs(file:names()) do
    if name:find("^params/") then table.insert(records, {name = name, form = "dense"}) end
  end
  return records
end

local IN_STREAM = {packed = true, plain = true}

local function check_record(r, path)
  local good = type(r) == "table" and type(r.name) == "string" and type(r.shape) == "table"
  if not good then fail(path, "the list of tensors in it is damaged") end
  for _, d in ipairs(r.shape) do good = good and math.type(d) == "integer" and d >= 0 end
  if not good then fail(path, "the list of tensors in it gives no shape for %s", r.name) end
  if IN_STREAM[r.form] then
    if math.type(r.bytes) ~= "integer" or r.bytes < 0 then
      fail(path, "the list of tensors in it does not say how many bytes %s takes", r.name)
    end
  elseif r.form ~= "dense" then
    fail(path, "%s is stored as \"%s\", which this program does not know", r.name, tostring(r.form))
  end
end

--- The records of a file; those of dense tensors get `bytes`, too.
-- @tparam file file
-- @tparam string path for messages
-- @treturn table list
function storage.records(file, path)
  local records
  if file:has("tensors") then
    local good
    good, records = pcall(lac.json.decode, file:text("tensors"))
    if not good or type(records) ~= "table" then fail(path, "the list of tensors in it is damaged") end
    for _, r in ipairs(records) do check_record(r, path) end
  else
    records = list_of_version_1(file)
  end
  for _, r in ipairs(records) do
    if r.form == "dense" then r.bytes = file:bytes(r.name) end
  end
  return records
end

-- "params" or "masks", and the parameter; its shape is compared before any memory is taken for the record.
local function find_place(r, params, path)
  local kind, name = r.name:match("^(%l+)/(.+)$")
  local param = params[name]
  if not param or (kind ~= "params" and kind ~= "masks") then
    fail(path, "the tensor %s has no place in this model", name or r.name)
  end
  local shape = table.concat(kind == "masks" and mask.shape_of(r.mask, param.shape) or param.shape, ", ")
  if r.shape and table.concat(r.shape, ", ") ~= shape then
    fail(path, "%s: expected shape [%s], got [%s]", name, shape, table.concat(r.shape, ", "))
  end
  return kind, name
end

local function decode(r, bytes, path)
  if r.form == "plain" then
    local good, x = pcall(lac.from_bytes, bytes, r.shape)
    if not good then fail(path, "%s has %d bytes, which do not fit its shape", r.name, #bytes) end
    return x
  end
  local good, x = pcall(lac.pack.decode, bytes, r.shape, r.name)
  if not good then fail(path, "%s", x) end
  return x
end

local function read_tensors(file, path, params)
  local found = {params = {}, masks = {}}
  local stream = file:has("packed") and file:text("packed") or ""
  local at = 0
  for _, r in ipairs(storage.records(file, path)) do
    local kind, name = find_place(r, params, path)
    local x
    if r.form == "dense" then
      x = file:read(r.name)
    else
      if r.bytes > #stream - at then fail(path, "the packed bytes end before %s", r.name) end
      x = decode(r, stream:sub(at + 1, at + r.bytes), path)
      at = at + r.bytes
    end
    found[kind][name] = kind == "params" and x or {kind = r.mask, tensor = x, cfg = r.cfg}
  end
  if at ~= #stream then fail(path, "%d packed bytes belong to no tensor", #stream - at) end
  return found
end

--- Give a model its values and masks from a file.
-- @tparam file file an open HDF5 file
-- @tparam string path for messages
-- @tparam nn.Module model without values
-- @raise one sentence that names the file and what is wrong with it
function storage.read(file, path, model)
  local params = {}
  for _, p in ipairs(model:tensors()) do params[p.name] = p.param end
  local found = read_tensors(file, path, params)
  local good, message = pcall(model.load, model, found.params)
  if not good then fail(path, "%s", (tostring(message):gsub("^%S-:%d+: ", ""))) end
  for name, state in pairs(found.masks) do
    good, message = pcall(params[name].set_mask, params[name], state)
    if not good then fail(path, "the mask of %s: %s", name, (tostring(message):gsub("^%S-:%d+: ", ""))) end
  end
end

return storage
