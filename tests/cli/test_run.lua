local check = require "check"

local T = {}

-- Run a script by `command`, in which %s is its path; returns status and output.
local function try(text, command, before)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local status, output = check.run((command or "run %s"):format(path), before)
  os.remove(path)
  return status, (output:gsub("/tmp/lua_%w+", "script"))
end

local function expect(status, output, ...)
  check.equal({try(...)}, {status, output})
end

function T.a_script_gets_its_arguments_untouched()
  expect(0, "a\t--trust\t2\ta\n", "print(..., arg[2], #arg, arg[1])", "run %s a --trust")
end

function T.a_script_has_the_library_and_a_clock()
  expect(0, "3.0\ttrue\n", "local x <close> = lac.tensor{1, 2}; print(x:sum():item(), clock() <= clock())")
end

function T.standard_input_is_run_when_there_is_no_command()
  expect(0, "4\n", "print(2 + 2)", "< %s")
  expect(0, "x\n", "print(...)", "run - x < %s")
  expect(1, "lacuna: stdin:1: io is not available in a restricted script (--trust lifts this)\n",
    "io.write(1)", "< %s")
end

function T.a_first_line_for_the_shell_is_skipped()
  expect(0, "2\n", "#!/usr/bin/env lacuna\nprint(debug and 1 or 2)", "run --trust %s | sed s/1/2/")
  expect(1, "lacuna: script:2: x\n", "#!/usr/bin/lacuna\nerror('x')")
end

function T.a_missing_script_is_one_sentence()
  check.equal({check.run("run nosuch.lua")},
    {1, "lacuna: cannot open the script nosuch.lua: No such file or directory\n"})
  check.equal({check.run("run /")}, {1, "lacuna: cannot read the script /: Is a directory\n"})
end

function T.errors_of_a_script_are_one_sentence_with_its_line()
  expect(1, "lacuna: script:2: boom\n", "\nerror('boom')")
  expect(1, "lacuna: script:1: unexpected symbol near <eof>\n", "x =")
  expect(1, "lacuna: script:1: attempt to call a nil value (global 'nonsense')\n", "nonsense()")
end

function T.a_mistake_in_an_option_table_is_blamed_on_the_script()
  expect(1, 'lacuna: script:2: log: unknown key "levle"; did you mean "level"?\n',
    "\nrequire('core.log'){levle = 1}")
end

function T.an_error_in_the_library_itself_comes_with_a_traceback()
  local status, text = try("require('core.suggest').nearest(nil, {'a'})")
  check.equal(status, 1)
  check.yes(text:find("^lacuna: this is a mistake in lacuna itself: %[lacuna%]/core/suggest.lua:%d+: attempt"), text)
  check.yes(text:find("stack traceback:\n.*script:1: in "), text)
end

function T.a_traceback_can_be_asked_for()
  local status, text = try("error('boom')", nil, "LACUNA_TRACE=1")
  check.equal(status, 1)
  check.yes(text:find("^lacuna: script:1: boom\nstack traceback:\n"), text)
end

-- One signal to the process alone; without --foreground timeout sends it to its group as well, so twice.
local ONCE = "timeout --foreground --preserve-status -s INT "

function T.ctrl_c_stops_a_running_script()
  check.equal({try("while true do end", nil, ONCE .. "2")}, {130, "lacuna: interrupted\n"})
end

function T.ctrl_c_passed_on_twice_at_once_counts_once()
  check.equal({try("while true do end", nil, "timeout --preserve-status -s INT 2")},
    {130, "lacuna: interrupted\n"})
end

function T.ctrl_c_reaches_into_coroutines()
  check.equal({try("coroutine.wrap(function() while true do end end)()", nil, ONCE .. "2")},
    {130, "lacuna: interrupted\n"})
  check.equal({try("coroutine.resume(coroutine.create(function() while true do end end)) print(1)", nil, ONCE .. "2")},
    {130, "lacuna: interrupted\n"})
end

function T.wrapped_coroutines_pass_values_and_errors()
  local text = [[local f = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) error("e" .. b, 0) end)
    print(f(1)) print(pcall(f, 5)) print(pcall(f))]]
  check.equal({try(text)}, {0, "2\nfalse\te5\nfalse\tcannot resume dead coroutine\n"})
end

function T.a_script_may_clean_up_when_it_is_interrupted()
  local text = [[local x <close> = setmetatable({}, {__close = function() print("closed") end})
    while true do end]]
  check.equal({try(text, nil, ONCE .. "2")}, {130, "closed\nlacuna: interrupted\n"})
end

function T.a_script_that_catches_the_interruption_is_ended_by_the_next()
  local text = "while true do pcall(function() while true do end end) end"
  check.equal({try(text, nil, ONCE .. "3 " .. ONCE .. "2")}, {130, ""})
end

return T
