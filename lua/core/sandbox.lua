--- Run Lua text that is not trusted: no files, no processes, no native or compiled code.
--
-- The guarded text gets copies of the harmless standard functions and `require` for the library's own
-- modules, which run outside the guard. What it must not reach, and why it cannot:
-- bytecode (it crashes the interpreter): every load is of text; metatables of strings and userdata (shared
-- with the library): getmetatable shows those of tables only; finalisers (no hook runs in them, so no
-- budget and no Ctrl-C): a metatable with __gc is refused; the collector's switches: only counting and
-- collecting are left; debug, package, io, os: absent, and no module may hand them out.
-- What `lac` offers (reading and writing its own file formats) stays within reach.
-- @module core.sandbox

local sandbox = {}

local GLOBALS = {"assert", "error", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget",
  "rawlen", "rawset", "select", "tonumber", "tostring", "type", "xpcall", "_VERSION"}
local LIBRARIES = {"coroutine", "math", "string", "table", "utf8"}
local WITHHELD = {"io", "os", "debug", "package", "dofile", "loadfile", "warn"}
local HIDDEN = {["core.sandbox"] = true, ["core.strict"] = true} -- reach the true globals; so does all of cli

local function copy(from)
  local out = {}
  for key, value in pairs(from) do out[key] = value end
  return out
end

local function check_metatable(meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    error("setmetatable: a finaliser (__gc) is not allowed in a restricted script", 3)
  end
end

-- Replaces the true setmetatable: a class of the library given a __gc by the script would get past a
-- guarded copy. Objects of C code are not affected.
local set_metatable = setmetatable
local function guarded_setmetatable(object, meta)
  check_metatable(meta)
  return set_metatable(object, meta)
end

local function guarded_getmetatable(object)
  if type(object) ~= "table" then return nil end
  return getmetatable(object)
end

local function guarded_collectgarbage(action)
  if action == nil or action == "collect" or action == "count" or action == "step" then
    return collectgarbage(action)
  end
  error(('collectgarbage: "%s" is not allowed in a restricted script'):format(tostring(action)), 2)
end

-- A hook belongs to one coroutine, the count of instructions left to all of them.
local HOOK_STEPS = 1000
local steps_given, steps_left

local function count_steps()
  steps_left = steps_left - HOOK_STEPS
  if steps_left > 0 then return end
  debug.sethook(count_steps, "", 1) -- whoever catches the error meets the next one at once
  error(("the script used up its budget of %d instructions"):format(steps_given), 2)
end

local create = coroutine.create
local function counted_create(run)
  local thread = create(run)
  if steps_left then debug.sethook(thread, count_steps, "", HOOK_STEPS) end
  return thread
end

local function pass_on(thread, ok, ...)
  if ok then return ... end
  coroutine.close(thread)
  error((...), 0)
end

local function counted_wrap(run)
  local thread = counted_create(run)
  return function(...) return pass_on(thread, coroutine.resume(thread, ...)) end
end

local function make_load(env)
  return function(text, name, _, own_env)
    if own_env == nil then own_env = env end
    return load(text, name, "t", own_env)
  end
end

local function make_require(folder)
  return function(name)
    if type(name) ~= "string" then error("require: the name must be a string", 2) end
    if name == "lac" then return require "lac" end
    local plain = name:find("^[%w_]+%.[%w_.]+$") and not name:find("..", 1, true)
    if not plain or name:sub(1, 4) == "cli." or HIDDEN[name]
        or not package.searchpath(name, folder .. "/?.lua") then
      error(('require: there is no module "%s" in the library; a restricted script cannot load others '
        .. '(--trust lifts this)'):format(name), 2)
    end
    return require(name)
  end
end

-- The library calls back into the script, so what it uses has to be guarded as well as the copies.
local function guard_process()
  rawset(_G, "setmetatable", guarded_setmetatable)
  rawset(coroutine, "create", counted_create)
  rawset(coroutine, "wrap", counted_wrap)
end

--- The globals of a restricted script. Guards the process for good: Lua tables can have no finalisers,
-- and coroutines count towards the budget.
-- @tparam table cfg folder: the library's Lua folder; globals: further values to offer
-- @treturn table
function sandbox.environment(cfg)
  guard_process()
  local env = {}
  for _, name in ipairs(GLOBALS) do env[name] = _G[name] end
  for _, name in ipairs(LIBRARIES) do env[name] = copy(_G[name]) end
  env.string.dump = nil
  env.getmetatable = guarded_getmetatable
  env.collectgarbage = guarded_collectgarbage
  env.load = make_load(env)
  env.require = make_require(cfg.folder)
  for name, value in pairs(cfg.globals or {}) do env[name] = value end
  env._G = env
  env.setmetatable = guarded_setmetatable
  local withheld = {}
  for _, name in ipairs(WITHHELD) do withheld[name] = true end
  return set_metatable(env, {
    __index = function(_, name)
      if withheld[name] then
        error(("%s is not available in a restricted script (--trust lifts this)"):format(name), 2)
      end
    end,
    __metatable = "restricted",
  })
end

--- Compile text, never bytecode.
-- @tparam string text
-- @tparam string name as load takes it, "@file"
-- @tparam table env
-- @treturn ?function
-- @treturn ?string what is wrong
function sandbox.compile(text, name, env)
  if text:sub(1, 1) == "\27" then
    return nil, ("%s is compiled Lua; only source text is run"):format((name:gsub("^[@=]", "")))
  end
  if text:sub(1, 1) == "#" then text = "--" .. text end -- a first line for the shell
  return load(text, name, "t", env)
end

--- Stop the script with an error after about `steps` Lua instructions; catching the error does not help.
-- To be called after `environment`, right before the script.
-- @tparam ?integer steps nil lifts the limit
function sandbox.limit_steps(steps)
  steps_given, steps_left = steps, steps
  if steps then debug.sethook(count_steps, "", math.min(steps, HOOK_STEPS)) else debug.sethook() end
end

return sandbox
