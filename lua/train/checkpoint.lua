--- Model files: parameters, configuration and vocabulary in one HDF5 file.
--
-- A file holds the attributes format = "lacuna-model", version and form (dense, masked or packed), the tensors as
-- train.storage lays them out, and the texts config (JSON: {model = ..., decode = ...}) and, if there is one, vocab.
-- Whoever saves may add datasets of their own below state/. It is written under a temporary name and renamed when it
-- is whole; its checksum is verified before anything is read.
--
--     checkpoint.save("last.h5", {model = model, config = config, vocab = words, form = "masked",
--                                 extra = function(file) file:write("state/moment", m) end})
--     local file <close> = checkpoint.open("last.h5")
--     local found = checkpoint.read(file, "last.h5")
--     local m = file:read("state/moment")
-- @module train.checkpoint
local lac = require "lac"
local storage = require "train.storage"
local tokenizer = require "data.tokenizer"

local checkpoint = {}

-- Version 1: dense tensors only, not listed. 2: words only, which is still written where they are.
local FORMAT, VERSION = "lacuna-model", 3

--- The class in models/<name>.lua.
-- @tparam string name
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.class(name, path)
  local module = type(name) == "string" and name:find("^[%l_%d]+$") and "models." .. name
  local found, class = pcall(require, module or "")
  if found and type(class) == "table" and class.defaults and class.forward then return class end
  if not found and module and not tostring(class):find("module '" .. module .. "' not found", 1, true) then
    error(class, 0)
  end
  error(('%s: there is no model "%s" in this program'):format(path, tostring(name)), 0)
end

--- Build a model from its configuration, without values.
-- @tparam table cfg name and the model's own keys
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.build(cfg, path)
  local own = {}
  for key, value in pairs(cfg) do if key ~= "name" then own[key] = value end end
  return checkpoint.class(cfg.name, path)(own)
end

--- Write a model file; an existing one is replaced only when the new one is whole.
-- @tparam string path
-- @tparam table contents model (nn.Module with values), config (table with model and decode), vocab (a tokenizer
-- or nil); form: "dense" (the default), "masked" (masks and unmasked weights side by side) or "packed" (few bytes);
-- values of packed tensors: "float32" (the default, exact), "float16" or "int8"; extra: a function that gets the file
-- and writes datasets below state/
function checkpoint.save(path, contents)
  local cfg = storage.options(contents)
  local file <close> = lac.hdf5.create(path)
  file:set_attr("", "format", FORMAT)
  file:set_attr("", "version", (not contents.vocab or contents.vocab.kind == "word") and 2 or VERSION)
  file:write_text("config", lac.json.encode(contents.config))
  if contents.vocab then file:write_text("vocab", contents.vocab:text()) end
  storage.write(file, contents.model, cfg)
  if contents.extra then contents.extra(file) end
  file:commit()
end

local function check_format(file, path)
  local format = file:attr("", "format")
  if format ~= FORMAT then
    error(("%s is no model file of lacuna (its format is %s); lacuna import makes one of a published checkpoint")
      :format(path, format and ('"' .. tostring(format) .. '"') or "not given"), 0)
  end
  local version = file:attr("", "version")
  if math.type(version) ~= "integer" or version < 1 or version > VERSION then
    error(("%s has version %s of the model format, this program reads versions 1 to %d; use a newer lacuna")
      :format(path, tostring(version), VERSION), 0)
  end
end

local function read_config(file, path)
  local good, config = pcall(lac.json.decode, file:text("config"))
  if not good or type(config) ~= "table" or type(config.model) ~= "table" then
    error(("%s: the configuration in it is not readable: %s"):format(path, tostring(config)), 0)
  end
  local length = type(config.decode) == "table" and math.tointeger(config.decode.length)
  if not length or length < 1 or length > 1000 then
    error(path .. ": the configuration in it gives no caption length between 1 and 1000", 0)
  end
  return config
end

--- Open a model file, for read and for datasets below state/.
-- @tparam string path
-- @treturn file to be closed; checked to be a model file of a version that is known
function checkpoint.open(path)
  local opened, file = pcall(lac.hdf5.open, path)
  if not opened then
    local hint = ", so no model file; lacuna import makes one of a published checkpoint"
    error((file:gsub("is not an HDF5 file$", "%0" .. hint)), 0)
  end
  local good, message = pcall(check_format, file, path)
  if good then return file end
  file:close()
  error(message, 0)
end

local function read_parts(file, path)
  local config = read_config(file, path)
  local model = checkpoint.build(config.model, path)
  storage.read(file, path, model)
  local words = file:has("vocab") and tokenizer.parse(file:text("vocab")) or nil
  if words and words:size() > config.model.vocab then
    error(("the tokenizer has %s, but the model only %d"):format(words:describe(), config.model.vocab), 0)
  end
  return {model = model:eval(), config = config, vocab = words}
end

--- Read the model of an open file.
-- @tparam file file from open
-- @tparam string path for messages
-- @treturn table model (nn.Module in evaluation mode, with its masks where the form is masked), config, vocab (or nil)
-- @raise one sentence that names the file and what is wrong with it
function checkpoint.read(file, path)
  local good, result = pcall(read_parts, file, path)
  if good then return result end
  result = tostring(result):gsub("^%[lacuna%]/[^:]+:%d+: ", "")
  error(result:find(path, 1, true) and result or path .. ": " .. result, 0)
end

--- Read a model file.
-- @tparam string path
-- @treturn table as read gives it
-- @raise one sentence that names the file and what is wrong with it
function checkpoint.load(path)
  local file <close> = checkpoint.open(path)
  return checkpoint.read(file, path)
end

return checkpoint
