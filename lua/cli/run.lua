--- lacuna run: a Lua script with `lac` and the library's modules.
local lac = require "lac"
local native = require "cli.native"
local sandbox = require "core.sandbox"

local MIB = 1024 * 1024

local run = {
  summary = "run a Lua script, restricted unless --trust is given",
  usage = "lacuna run [--trust] SCRIPT [ARGUMENT...]",
  options = {
    {name = "trust", help = "give the script all of Lua: files, processes, native modules"},
    {name = "memory", value = "MIB", type = "integer", min = 1, default = 4096,
      help = "what Lua values may take, tensors not counted"},
    {name = "steps", value = "N", type = "integer", min = 1,
      help = "end the script after N Lua instructions"},
  },
  arguments = {name = "SCRIPT", min = 1},
  options_first = true,
  details = "SCRIPT may be - for standard input. The script gets its arguments as ... and in the table arg,\n"
    .. "`lac` and `clock()` (seconds) as globals, and the library through require. Restricted means:\n"
    .. "no io, os, debug, package, files through lac, bytecode or modules from elsewhere.",
}

local function read_script(path)
  if path == "-" then return io.read("a"), "=stdin" end
  local file, why = io.open(path, "rb")
  if not file then error("cannot open the script " .. why, 0) end
  local text, failed = file:read("a")
  file:close()
  if not text then error(("cannot read the script %s: %s"):format(path, failed), 0) end
  return text, "@" .. path
end

local function globals(args)
  local script = {[0] = args[1]}
  table.move(args, 2, #args, 1, script)
  return {clock = native.clock, arg = script}
end

local function environment(args)
  if not args.trust then
    return sandbox.environment {folder = native.lua_dir, lac = lac, globals = globals(args)}
  end
  rawset(_G, "lac", lac)
  for name, value in pairs(globals(args)) do rawset(_G, name, value) end
  return _G
end

function run.run(args)
  local text, name = read_script(args[1])
  local chunk, why = sandbox.compile(text, name, environment(args))
  if not chunk then error(why, 0) end
  native.memory(args.memory * MIB)
  native.steps(args.steps or 0)
  chunk(table.unpack(args, 2))
  native.steps(0)
end

return run
