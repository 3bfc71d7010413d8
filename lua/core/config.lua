--- Defaults merged with a caller's options; what the defaults do not know is refused.
--
--     local defaults = {sparsity = 0.8, scope = "global", lr = config.either(0.1, "function"),
--                       seed = config.optional("number"), data = {batch = 15}}
--     cfg = config.merge(defaults, cfg, "prune.magnitude")
-- @module core.config
local blame = require "core.blame"
local suggest = require "core.suggest"

local config = {}

local Rule = {__name = "config rule"}

--- A default that may be replaced by values of further types.
-- @param default nil for none
-- @tparam string ... names of Lua types
function config.either(default, ...)
  local types = {...}
  if default ~= nil then table.insert(types, 1, type(default)) end
  return setmetatable({default = default, types = types}, Rule)
end

--- A key without a default; when given, its value has one of these types.
-- @tparam string ... names of Lua types
function config.optional(...)
  return config.either(nil, ...)
end

--- A key of the types that a default has, without the default.
-- @param spec a default, or what `either` gives
function config.without_default(spec)
  if getmetatable(spec) == Rule then return config.optional(table.unpack(spec.types)) end
  return config.optional(type(spec))
end

--- Whether a value is a part with named keys, which is merged key by key; lists and objects are values.
function config.is_part(value)
  return type(value) == "table" and getmetatable(value) == nil and #value == 0
end

--- A copy at every depth; objects are shared.
function config.copy(value)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = config.copy(item) end
  return out
end

local function default_of(spec)
  if getmetatable(spec) == Rule then return config.copy(spec.default) end
  if not config.is_part(spec) then return config.copy(spec) end
  local out = {}
  for key, item in pairs(spec) do out[key] = default_of(item) end
  return out
end

local function check_type(spec, value, path)
  local types = getmetatable(spec) == Rule and spec.types or {type(spec)}
  for _, name in ipairs(types) do
    if type(value) == name then return end
  end
  error(("%s must be a %s, got the %s %s"):format(path, table.concat(types, " or a "), type(value),
    type(value) == "string" and ("%q"):format(value) or tostring(value)), 0)
end

local function check_known(defaults, key, path)
  if type(key) == "string" and defaults[key] ~= nil then return end
  local names = {}
  for name in pairs(defaults) do names[#names + 1] = tostring(name) end
  table.sort(names)
  local hint = suggest.hint(tostring(key), names)
  if hint == "" then
    hint = #names == 0 and "; there are no keys" or "; there are " .. table.concat(names, ", ")
  end
  error(("%s: unknown key %s%s"):format(path, type(key) == "string" and ('"%s"'):format(key)
    or "[" .. tostring(key) .. "]", hint), 0)
end

local function merge(defaults, options, path)
  local out = default_of(defaults)
  for key, value in pairs(options) do
    check_known(defaults, key, path)
    local spec, inner = defaults[key], path .. "." .. key
    check_type(spec, value, inner)
    if config.is_part(spec) and next(spec) ~= nil and getmetatable(value) == nil then
      out[key] = merge(spec, value, inner)
    else
      out[key] = config.copy(value)
    end
  end
  return out
end

--- A new table: `options` over `defaults`, at every depth. Neither is changed or shared. A part that is
-- empty in the defaults may hold anything.
-- @tparam table defaults values, `either`, `optional`, or tables of these
-- @tparam[opt] table options
-- @tparam[opt="options"] string name what the options belong to, for messages
-- @treturn table
-- @raise at the user's line, see core.blame
function config.merge(defaults, options, name)
  name = name or "options"
  if options == nil then options = {} end
  if type(options) ~= "table" then
    blame(("%s: options must be a table, got a %s"):format(name, type(options)))
  end
  local ok, result = pcall(merge, defaults, options, name)
  if not ok then blame(result) end
  return result
end

return config
