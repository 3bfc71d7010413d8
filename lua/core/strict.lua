--- Reading or assigning a global that was never declared is an error. For tests and scripts.
-- @module core.strict
local suggest = require "core.suggest"

local strict = {}

local function known_names(env)
  local names = {}
  for name in pairs(env) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  return names
end

--- Guard an environment. What it holds now counts as declared.
-- @tparam[opt=_G] table env a table without a metatable
function strict.on(env)
  env = env or _G
  if getmetatable(env) ~= nil then error("strict.on: the environment has a metatable already", 2) end
  setmetatable(env, {
    __newindex = function(_, name)
      error(('assignment to the undeclared global "%s"; write local before it'):format(tostring(name)), 2)
    end,
    __index = function(_, name)
      error(('undeclared global "%s"%s'):format(tostring(name),
        suggest.hint(tostring(name), known_names(env))), 2)
    end,
    __metatable = "strict",
  })
end

--- Declare a global on purpose; works with and without the guard.
-- @tparam string name
-- @param[opt=false] value nil cannot be told from undeclared
-- @tparam[opt=_G] table env
function strict.declare(name, value, env)
  if value == nil then value = false end
  rawset(env or _G, name, value)
end

return strict
