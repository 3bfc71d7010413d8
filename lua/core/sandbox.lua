--- Run Lua text that is not trusted: no files, no processes, no native or compiled code.
--
-- The guarded text gets copies of the harmless standard functions and `require` for the library's own
-- modules, which run outside the guard. What it must not reach, and why it cannot:
--
-- * bytecode, which can crash the interpreter: every load is of text
-- * metatables of strings and userdata, shared with the library: getmetatable shows those of tables only
-- * finalisers, where no hook runs, so no budget and no Ctrl-C: a metatable with __gc is refused
-- * error handlers, for the same reason: they run after unwinding
-- * the collector's switches: only counting and collecting are left
-- * debug, package, io, os: absent, and no module may hand them out
--
-- * files and programs: the parts of `lac` that read, write and start them, and the library's modules that take paths
-- @module core.sandbox

local sandbox = {}

local GLOBALS = {"assert", "error", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget",
  "rawlen", "rawset", "select", "tonumber", "tostring", "type", "_VERSION"}
local LIBRARIES = {"coroutine", "math", "string", "table", "utf8"}
local WITHHELD = {"io", "os", "debug", "package", "dofile", "loadfile", "warn"}
-- Modules reach the true globals in cli, and take paths in data and train; what does not is open.
local HIDDEN = {cli = true, data = true, train = true}
local OPEN = {["data.shapes"] = true, ["data.tokenizer"] = true, ["data.vocab"] = true,
              ["train.beam"] = true}
local CLOSED = {["core.disk"] = true, ["core.sandbox"] = true, ["core.strict"] = true, ["metrics.meteor"] = true,
                ["metrics.spice"] = true} -- which runs programs
local FILES = {"append", "child", "files", "hdf5", "meteor", "npy", "npz", "pth", "safetensors", "tfevents",
               "zip"} -- of lac

local function copy(from)
  local out = {}
  for key, value in pairs(from) do out[key] = value end
  return out
end

-- Replaces the true setmetatable: a class of the library given a __gc by the script would get past a
-- guarded copy. Objects of C code are not affected.
local set_metatable = setmetatable
local function guarded_setmetatable(object, meta)
  if type(object) ~= "table" then error("setmetatable: needs a table, got a " .. type(object), 2) end
  if meta ~= nil and type(meta) ~= "table" then
    error("setmetatable: a metatable is a table or nil, got a " .. type(meta), 2)
  end
  local old = debug.getmetatable(object)
  if old and rawget(old, "__metatable") ~= nil then error("setmetatable: the metatable is protected", 2) end
  if meta and rawget(meta, "__gc") ~= nil then
    error("setmetatable: a finaliser (__gc) is not allowed in a restricted script", 2)
  end
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

-- The true one runs the handler inside the hook that raised, where no other hook can stop it.
local function guarded_xpcall(run, handler, ...)
  local results = table.pack(pcall(run, ...))
  if results[1] then return table.unpack(results, 1, results.n) end
  return false, select(2, pcall(handler, results[2]))
end

local function make_load(env)
  return function(text, name, _, own_env)
    if own_env == nil then own_env = env end
    return load(text, name, "t", own_env)
  end
end

-- The module lac as a restricted script sees it.
local function without_files(lac)
  local out = copy(lac)
  for _, name in ipairs(FILES) do out[name] = nil end
  return setmetatable(out, {__index = function(_, name)
    for _, withheld in ipairs(FILES) do
      if name == withheld then
        error(("lac.%s is not available in a restricted script (--trust lifts this)"):format(name), 2)
      end
    end
  end, __metatable = "restricted"})
end

local function make_require(folder, lac)
  return function(name)
    if type(name) ~= "string" then error("require: the name must be a string", 2) end
    if name == "lac" then return lac end
    local plain = name:find("^[%w_]+%.[%w_.]+$") and not name:find("..", 1, true)
    local hidden = plain and (CLOSED[name] or HIDDEN[name:match("^[^.]+")] and not OPEN[name])
    if not plain or hidden or not package.searchpath(name, folder .. "/?.lua") then
      error(('require: there is no module "%s" in the library; a restricted script cannot load others '
        .. '(--trust lifts this)'):format(name), 2)
    end
    return (require(name)) -- without the path that comes second
  end
end

--- The globals of a restricted script. From now on no Lua table of the process can get a finaliser.
-- @tparam table cfg folder: the library's Lua folder; lac: the module, offered without its files; globals:
-- further values to offer
-- @treturn table
function sandbox.environment(cfg)
  rawset(_G, "setmetatable", guarded_setmetatable)
  local env = {}
  for _, name in ipairs(GLOBALS) do env[name] = _G[name] end
  for _, name in ipairs(LIBRARIES) do env[name] = copy(_G[name]) end
  env.string.dump = nil
  env.getmetatable = guarded_getmetatable
  env.xpcall = guarded_xpcall
  env.collectgarbage = guarded_collectgarbage
  env.load = make_load(env)
  env.lac = cfg.lac and without_files(cfg.lac)
  env.require = make_require(cfg.folder, env.lac)
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

return sandbox
