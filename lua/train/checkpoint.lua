--- Model files: parameters, configuration and vocabulary in one HDF5 file.
--
-- A file holds the attributes format = "lacuna-model" and version, one dataset params/<name> per parameter,
-- and the texts config (JSON: {model = ..., decode = ...}) and, if there is one, vocab. It is written under a
-- temporary name and renamed when it is whole; its checksum is verified before anything is read.
-- @module train.checkpoint
local lac = require "lac"
local vocab = require "data.vocab"
local suggest = require "core.suggest"

local checkpoint = {}

local FORMAT, VERSION = "lacuna-model", 1
local MODELS = {updown = "models.updown"}

local function model_class(name, path)
  local names = {}
  for known in pairs(MODELS) do names[#names + 1] = known end
  table.sort(names)
  if not MODELS[name] then
    error(("%s: there is no model \"%s\"%s; there are %s"):format(path, tostring(name),
      suggest.hint(tostring(name), names), table.concat(names, ", ")), 0)
  end
  return require(MODELS[name])
end

--- Build a model from its configuration, without values.
-- @tparam table cfg name and the model's own keys
-- @tparam string path quoted in messages
-- @treturn nn.Module
function checkpoint.build(cfg, path)
  local own = {}
  for key, value in pairs(cfg) do if key ~= "name" then own[key] = value end end
  return model_class(cfg.name, path)(own)
end

-- Mostly zeros: compressing pays.
local function is_sparse(x)
  local scope <close> = lac.scope()
  return x:numel() > 0 and x:abs():greater(0):mean():item() < 0.5
end

--- Write a model file; an existing one is replaced only when the new one is whole.
-- @tparam string path
-- @tparam table contents model (nn.Module with values), config (table with model and decode), vocab (data.vocab
-- or nil)
function checkpoint.save(path, contents)
  local file <close> = lac.hdf5.create(path)
  file:set_attr("", "format", FORMAT)
  file:set_attr("", "version", VERSION)
  file:write_text("config", lac.json.encode(contents.config))
  if contents.vocab then file:write_text("vocab", contents.vocab:text()) end
  for _, p in ipairs(contents.model:parameters()) do
    local scope <close> = lac.scope()
    local value = contents.form == "masked" and p.param.value or p.param:tensor()
    file:write("params/" .. p.name, value, {deflate = is_sparse(value)})
  end
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
  if version ~= VERSION then
    error(("%s has version %s of the model format, this program reads version %d; use a newer lacuna")
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

--- Read a model file.
-- @tparam string path
-- @treturn table model (nn.Module in evaluation mode), config, vocab (or nil)
-- @raise one sentence that names the file and what is wrong with it
function checkpoint.load(path)
  local file <close> = lac.hdf5.open(path)
  check_format(file, path)
  local config = read_config(file, path)
  local model = checkpoint.build(config.model, path)
  local tensors = {}
  for _, name in ipairs(file:names()) do
    local param = name:match("^/?params/(.+)$")
    if param then tensors[param] = file:read(name) end
  end
  local good, message = pcall(model.load, model, tensors)
  if not good then error(path .. ": " .. tostring(message):gsub("^%S-:%d+: ", ""), 0) end
  local words = file:has("vocab") and vocab.parse(file:text("vocab")) or nil
  return {model = model:eval(), config = config, vocab = words}
end

return checkpoint
