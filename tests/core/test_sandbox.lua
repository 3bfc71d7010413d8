-- The guard changes the process for good, so every attempt runs in a process of its own.
local check = require "check"

local T = {}

-- Run a restricted script; returns status and output.
local function try(text, flags)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local status, output = check.run(("run %s %s"):format(flags or "", path))
  os.remove(path)
  return status, (output:gsub("^lacuna: ", ""):gsub("\n$", ""):gsub("/tmp/lua_%w+", "script"))
end

local function prints(want, text, flags)
  local status, output = try(text, flags)
  check.equal(output, want)
  check.equal(status, 0)
end

local function refused(pattern, text, flags)
  local status, output = try(text, flags)
  check.yes(output:find(pattern), ("expected %s, got %s"):format(pattern, output))
  check.equal(status, 1)
end

function T.the_harmless_standard_library_is_there()
  prints("3\tB\t2\tx\t1", [[print(math.max(1, 3), ("b"):upper(), utf8.len("é1"), table.concat{"x"},
    coroutine.wrap(function() coroutine.yield(1) end)())]])
end

function T.files_processes_and_debugging_are_absent()
  for _, name in ipairs{"io", "os", "debug", "package", "dofile", "loadfile"} do
    refused("script:1: " .. name .. " is not available in a restricted script", "print(" .. name .. ")")
    refused(name .. " is not available", "print(_G." .. name .. ")")
    refused(name .. " is not available", "print(load('return " .. name .. "')())")
  end
end

function T.require_gives_only_the_modules_of_the_library()
  prints("table", "print(type(require 'core.suggest'))")
  for _, name in ipairs{"io", "os", "cli.native", "cli.main", "core.sandbox", "core.strict", "../core/class",
    "core..class", "/etc/passwd", "check", "_G", "package", "", "core.", ".core"} do
    refused("no module", ("require '%s'"):format(name))
  end
  refused("must be a string", "require(setmetatable({}, {__tostring = function() return 'os' end}))")
end

function T.bytecode_is_never_loaded()
  refused("is compiled Lua", string.dump(function() end))
  prints("nil\tattempt to load a binary chunk (mode is 't')",
    [[print(load("\27Lua", "x", "b"))]])
  prints("nil\tattempt to load a binary chunk (mode is 't')",
    [[print(load(("").dump(function() return 1 end), "x", "bt", {}))]])
  prints("nil\tattempt to load a binary chunk (mode is 't')",
    [[local once; print(load(function() if not once then once = 1 return "\27Lua" end end, "x", "b"))]])
end

function T.loaded_text_stays_in_the_environment()
  prints("7\ttrue", "x = 7; print(load('return x, _G == _ENV')())")
end

function T.shared_metatables_are_out_of_reach()
  prints("nil\tnil\tfalse", [[print(getmetatable(""), getmetatable(print), (pcall(setmetatable, "", {})))]])
  prints("nil", "local x = lac.zeros({1}); print(getmetatable(x)); x:close()")
  prints("restricted\tfalse", "print(getmetatable(_G), (pcall(setmetatable, _G, {})))")
end

function T.changing_a_standard_table_does_not_reach_the_library()
  prints('"x"', [[string.format = nil; table.sort = nil
    print(require("core.show").text("x"))
    require("core.suggest").hint("a", {"b"})]])
end

function T.finalisers_are_refused_in_scripts_and_in_the_classes_they_make()
  refused("finaliser %(__gc%) is not allowed", "setmetatable({}, {__gc = function() end})")
  refused("finaliser %(__gc%) is not allowed", [[local c = require("core.class")("C")
    c.__gc = function() while true do end end
    c()]])
  refused("finaliser %(__gc%) is not allowed", [[local c = require("core.class")("C")
    c.__gc = function() end
    require("core.class")("D", c)()]])
end

function T.the_collector_can_be_run_but_not_switched()
  prints("0\ttrue", "print(collectgarbage(), collectgarbage('count') > 0)")
  refused('"stop" is not allowed', "collectgarbage('stop')")
  refused('"generational" is not allowed', "collectgarbage('generational')")
end

function T.memory_beyond_the_budget_is_a_sentence()
  refused("^out of memory", "local t = {} for i = 1, 1e9 do t[i] = {i} end", "--memory 20")
  refused("^out of memory", "return ('x'):rep(1e9)", "--memory 20")
  prints("false\tnot enough memory", "print(pcall(string.rep, 'x', 1e9))", "--memory 20")
end

function T.a_budget_of_instructions_ends_the_script()
  refused("used up its budget of 100000 instructions", "while true do end", "--steps 100000")
  prints("5050", "local s = 0 for i = 1, 100 do s = s + i end print(s)", "--steps 100000")
end

function T.catching_the_end_of_the_budget_does_not_help()
  refused("used up its budget", "while true do pcall(function() while true do end end) end", "--steps 100000")
  refused("used up its budget", "local function f() pcall(f) f() end f()", "--steps 100000")
  refused("used up its budget", "xpcall(function() while true do end end, function() while true do end end)"
    .. "while true do end", "--steps 100000")
end

function T.an_error_handler_gets_the_error_and_gives_the_result()
  prints("false\tcaught script:1: x", "print(xpcall(error, function(e) return 'caught ' .. e end, 'script:1: x'))")
  prints("true\t1\tnil", "print(xpcall(function(...) return ... end, print, 1, nil))")
end

function T.a_message_that_never_ends_is_stopped_by_the_budget()
  refused("used up its budget", "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "--steps 100000")
end

function T.coroutines_count_towards_the_budget()
  refused("used up its budget", "coroutine.wrap(function() while true do end end)()", "--steps 100000")
  refused("used up its budget", [[while true do
    coroutine.resume(coroutine.create(function() while true do end end)) end]], "--steps 100000")
end

function T.errors_of_any_kind_end_in_one_sentence()
  refused("^a script raised a table, which cannot be shown$", "error({})")
  refused("^a script raised an error without a message$", "error()")
  refused("cannot be shown: script:1: deep",
    "error(setmetatable({}, {__tostring = function() error('deep') end}))")
  refused("stack overflow", "local function f() return 1 + f() end f()")
  refused("C stack overflow", "local s = {} for i = 1, 300 do s[i] = '(' end local e = load(table.concat(s))"
    .. " local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end print(t.x)")
end

function T.trust_gives_all_of_lua()
  prints("table\ttable\tfunction", "print(type(io), type(debug), type(dofile))", "--trust")
end

function T.files_are_out_of_reach_through_lac_and_through_the_library()
  for _, name in ipairs {"append", "child", "hdf5", "meteor", "npy", "npz", "pth", "safetensors", "tfevents",
                         "zip"} do
    refused("lac%." .. name .. " is not available in a restricted script", "print(lac." .. name .. ".read)")
  end
  prints("nil\tnil", "print(rawget(lac, 'hdf5'), rawget(require 'lac', 'zip'))")
  prints("false", "print((pcall(require, 'train.checkpoint')))")
  for _, name in ipairs {"core.disk", "train.journal", "train.run", "data.annotations", "data.build", "data.captions",
                         "data.features", "data.karpathy", "metrics.meteor", "metrics.spice"} do
    prints("false", ("print((pcall(require, '%s')))"):format(name))
  end
  prints("true", "print((pcall(require, 'data.vocab')))")
end

return T
