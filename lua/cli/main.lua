--- The command line: finds lua/cli/<command>.lua, runs it, puts errors into words.
--
-- A command is a module that returns {summary, usage, options, arguments, run}, see cli.options; `run`
-- gets the parsed arguments and returns nothing, or an exit status. Nothing else registers it.
--
-- Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C. A failure is one sentence on
-- standard error. A traceback follows when LACUNA_TRACE=1, or when the error looks like a mistake in
-- Lacuna itself: raised in one of its own Lua files, in the words of the Lua interpreter.
-- @script cli.main
local native = require "cli.native"

local OWN = "[lacuna]/" -- how our own files are called in messages, wherever they lie

-- Finds the library's modules first, under that name, and as text only.
local function find_own_module(name)
  local path, missing = package.searchpath(name, native.lua_dir .. "/?.lua")
  if not path then return missing end
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return assert(load(text, "@" .. OWN .. path:sub(#native.lua_dir + 2), "t")), path
end

table.insert(package.searchers, 2, find_own_module)

-- The stock one resumes without coroutine.resume, so Ctrl-C would not reach inside.
local function pass_on(co, ok, ...)
  if ok then return ... end
  coroutine.close(co)
  error((...), 0)
end

function coroutine.wrap(fn) -- luacheck: ignore 122
  local co = coroutine.create(fn)
  return function(...) return pass_on(co, coroutine.resume(co, ...)) end
end

local options = require "cli.options"
local suggest = require "core.suggest"

-- Commands -------------------------------------------------------------------------------------------

local function load_command(name)
  if not name:find("^[%w_]+$") or not package.searchpath("cli." .. name, native.lua_dir .. "/?.lua") then
    return nil
  end
  local command = require("cli." .. name)
  return type(command) == "table" and command.summary and command.run and command or nil
end

local function command_names()
  local names = {}
  for _, file in ipairs(assert(native.list(native.lua_dir .. "/cli"))) do
    local name = file:match("^(.+)%.lua$")
    if name and name ~= "main" and load_command(name) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function print_help()
  local names, width = command_names(), 0
  for _, name in ipairs(names) do width = math.max(width, #name) end
  print("usage: lacuna [COMMAND] [OPTION...] [ARGUMENT...]\n")
  print("Train, prune, evaluate and run image-captioning networks.")
  print("Without a command: an interactive prompt, or a script from standard input.\n\ncommands:")
  for _, name in ipairs(names) do
    print(("  %-" .. width .. "s  %s"):format(name, load_command(name).summary))
  end
  print("\noptions:\n  -h, --help  print this text\n  --version   print the version\n")
  print("lacuna COMMAND --help says more about one of them. Environment: LACUNA_DEVICE chooses the")
  print("device, LACUNA_TRACE=1 adds a traceback to errors.")
end

local function run_command(name, words)
  local command = load_command(name)
  if not command then
    options.wrong('there is no command "%s"%s; see lacuna --help', name,
      suggest.hint(name, command_names()))
  end
  local args = options.parse(name, command, words)
  if args.help then
    io.write(options.help(command))
    return 0
  end
  return command.run(args) or 0
end

local function run_words(words)
  local first = words[1]
  if not first then
    if native.terminal(0) then return require("cli.prompt").run() end
    return run_command("run", {"-"})
  end
  if first == "--help" or first == "-h" or (first == "help" and not words[2]) then return print_help() end
  if first == "help" then return run_command(words[2], {"--help"}) end
  if first == "--version" then return print("lacuna " .. native.version) end
  if first:sub(1, 1) == "-" then
    options.wrong('there is no option "%s"%s; see lacuna --help', first,
      suggest.hint(first, {"--help", "--version"}))
  end
  return run_command(first, table.move(words, 2, #words, 1, {}))
end

-- Errors ---------------------------------------------------------------------------------------------

local INTERPRETER = {"^attempt to ", "^bad argument ", "^stack overflow", "^assertion failed!",
  "^number has no integer", "^invalid ", "^wrong number of arguments", "^error in "}

local function looks_internal(message)
  local rest = message:match("^%[lacuna%]/[^:]+:%d+: (.*)$")
  if not rest then return false end
  for _, pattern in ipairs(INTERPRETER) do
    if rest:find(pattern) then return true end
  end
  return false
end

-- "core.attention" where a layer's forward was running: the error came through nn.module's calls.
local function running_layer()
  local module = package.loaded["nn.module"]
  if not module then return nil end
  local where = module.where()
  return debug.traceback():find("nn/module.lua", 1, true) and where ~= "" and where or nil
end

-- What xpcall makes of an error: the exit status, the sentence, and the stack where it makes sense.
local function explain(err)
  if options.is_wrong(err) then return {status = 2, message = err.message} end
  local ok, message = pcall(tostring, err)
  native.steps(0) -- a used-up budget must not stop what follows
  if not ok then message = "an error that cannot be shown: " .. tostring(message) end
  if type(err) == "table" and not (getmetatable(err) or {}).__tostring then
    message = "a script raised a table, which cannot be shown"
  end
  if err == nil then message = "a script raised an error without a message" end
  if native.interrupted() then return {status = 130, message = "interrupted"} end
  if message == "not enough memory" then
    return {status = 1, message = "out of memory: Lua values wanted more than was left of their budget "
      .. "(lacuna run --memory)"}
  end
  local internal, layer = looks_internal(message), running_layer()
  local trace = (internal or os.getenv("LACUNA_TRACE") == "1") and debug.traceback(nil, 2) or nil
  message = internal and "this is a mistake in lacuna itself: " .. message
    or message:gsub("^%[lacuna%]/[^:]+:%d+: ", "")
  if layer then message = message .. " (in the layer " .. layer .. ")" end
  return {status = 1, message = message, trace = trace}
end

local function main()
  local ok, result = xpcall(run_words, explain, table.move(arg, 1, #arg, 1, {}))
  if ok then return math.type(result) == "integer" and result or 0 end
  native.memory(0)
  if type(result) ~= "table" then result = explain(result) end -- Lua calls no handler without memory
  io.stdout:flush()
  io.stderr:write("lacuna: ", result.message, "\n", result.trace and result.trace .. "\n" or "")
  return result.status
end

return main()
