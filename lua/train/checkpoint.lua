--- Model files: parameters, configuration and vocabulary in one HDF5 file.
--
-- A captioning model may have an encoder of pictures in front (config.model.encoder); a file of kind "encoder" holds an
-- encoder alone: its config is {kind = "encoder", model = ...}.
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
local attach = require "models.encoders.attach"
local storage = require "train.storage"
local tokenizer = require "data.tokenizer"

local checkpoint = {}

-- Version 1: dense tensors only, not listed. 2: words only, which is still written where they are.
local FORMAT, VERSION = "lacuna-model", 3

-- The class in <folder>/<name>.lua; `what` is what it is called in messages.
local function find_class(folder, name, path, what)
  local module = type(name) == "string" and name:find("^[%l_%d]+$") and folder .. "." .. name
  local found, class = pcall(require, module or "")
  if found and type(class) == "table" and class.defaults and class.forward then return class end
  if not found and module and not tostring(class):find("module '" .. module .. "' not found", 1, true) then
    error(class, 0)
  end
  error(('%s: there is no %s "%s" in this program'):format(path, what, tostring(name)), 0)
end

--- The class in models/<name>.lua.
-- @tparam string name
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.class(name, path)
  return find_class("models", name, path, "model")
end

--- An encoder of pictures from its configuration, without values.
-- @tparam table cfg name and the encoder's own keys
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.encoder(cfg, path)
  local own = {}
  for key, value in pairs(cfg) do if key ~= "name" then own[key] = value end end
  return find_class("models.encoders", cfg.name, path, "encoder of pictures")(own)
end

-- The encoder that a captioning model has in front; the sizes of what it sees are the encoder's.
local function encoder_of(cfg, kind, own, path)
  if type(cfg) ~= "table" then error(path .. ": model.encoder must be a table with a name", 0) end
  if (cfg.classes or 0) ~= 0 then
    error(path .. ": the encoder of a captioning model has no classifier; leave its classes out", 0)
  end
  local encoder = checkpoint.encoder(cfg, path)
  for _, key in ipairs {"features", "fc_features"} do
    if kind.defaults[key] ~= nil then
      if own[key] ~= nil and own[key] ~= encoder[key] then
        error(("%s: model.%s is %s, but the encoder %s gives %d"):format(path, key, tostring(own[key]), cfg.name,
          encoder[key]), 0)
      end
      own[key] = encoder[key]
    end
  end
  return encoder
end

--- Build a captioning model from its configuration, without values.
-- @tparam table cfg name and the model's own keys, and maybe encoder, the same of an encoder of pictures
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.build(cfg, path)
  local own, kind = {}, checkpoint.class(cfg.name, path)
  for key, value in pairs(cfg) do if key ~= "name" and key ~= "encoder" then own[key] = value end end
  if cfg.encoder == nil then return kind(own) end
  local encoder = encoder_of(cfg.encoder, kind, own, path)
  return attach(kind(own), encoder)
end

--- Write a model file; an existing one is replaced only when the new one is whole.
-- @tparam string path
-- @tparam table contents model (nn.Module with values), config (table with model and decode, or of an encoder), vocab
-- (a tokenizer or nil); form: "dense" (the default), "masked" (masks and unmasked weights side by side) or "packed"
-- (few bytes); values of packed tensors: "float32" (the default, exact), "float16" or "int8"; extra: a function that
-- gets the file and writes datasets below state/
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

--- The configuration in a text, as model files hold it.
-- @tparam string text JSON
-- @tparam string path of the file it is from, for messages
-- @tparam string wanted as for read
-- @treturn table
-- @raise what is wrong with it
function checkpoint.parse_config(text, path, wanted)
  local good, config = pcall(lac.json.decode, text)
  if not good or type(config) ~= "table" or type(config.model) ~= "table" then
    error(("%s: the configuration in it is not readable: %s"):format(path, tostring(config)), 0)
  end
  if config.kind ~= nil and config.kind ~= "encoder" then
    error(('%s: it holds a model of the kind "%s", which this program does not know; use a newer lacuna'):format(path,
      tostring(config.kind)), 0)
  end
  local is_encoder = config.kind == "encoder"
  if is_encoder and wanted == "model" then
    error(("%s: this is an encoder of pictures (%s), not a captioning model; a recipe puts it in front of one with "
      .. "model.encoder"):format(path, tostring(config.model.name)), 0)
  elseif not is_encoder and wanted == "encoder" then
    error(("%s: this is a captioning model (%s), not an encoder of pictures; lacuna import makes an encoder file of "
      .. "published weights"):format(path, tostring(config.model.name)), 0)
  end
  if is_encoder then return config end
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

local function read_parts(file, path, wanted)
  local config = checkpoint.parse_config(file:text("config"), path, wanted)
  local build = config.kind == "encoder" and checkpoint.encoder or checkpoint.build
  local model = build(config.model, path)
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
-- @tparam[opt="model"] string wanted "model": a captioning model; "encoder": an encoder alone; "any": either
-- @treturn table model (nn.Module in evaluation mode, with its masks where the form is masked), config, vocab (or nil)
-- @raise one sentence that names the file and what is wrong with it
function checkpoint.read(file, path, wanted)
  local good, result = pcall(read_parts, file, path, wanted or "model")
  if good then return result end
  result = tostring(result):gsub("^%[lacuna%]/[^:]+:%d+: ", "")
  error(result:find(path, 1, true) and result or path .. ": " .. result, 0)
end

--- Read a model file.
-- @tparam string path
-- @tparam[opt="model"] string wanted as for read
-- @treturn table as read gives it
-- @raise one sentence that names the file and what is wrong with it
function checkpoint.load(path, wanted)
  local file <close> = checkpoint.open(path)
  return checkpoint.read(file, path, wanted)
end

--- The encoder of pictures in a model file: an encoder alone, or the one in front of a captioning model.
-- @tparam string path
-- @treturn nn.Module encoder, in evaluation mode
-- @treturn table its configuration
-- @treturn nn.Module what it is part of, to be closed
-- @raise as load, and where there is none
function checkpoint.load_encoder(path)
  local found = checkpoint.load(path, "any")
  if found.config.kind == "encoder" then return found.model, found.config.model, found.model end
  if found.model.encoder then return found.model.encoder, found.config.model.encoder, found.model end
  found.model:close()
  error(path .. ": this model has no encoder; it looks at features that were made elsewhere", 0)
end

return checkpoint
