local check = require "check"

local T = {}

local function run(arguments, want_status)
  local status, output = check.run(arguments)
  check.equal(status, want_status)
  return output
end

local function has(text, pattern)
  check.yes(text:find(pattern), ("%s is not in\n%s"):format(pattern, text))
end

function T.help_lists_the_commands_that_have_a_file()
  local text = run("--help", 0)
  has(text, "\n  run +train as a recipe says")
  has(text, "\n  info +show the version")
  check.yes(not text:find("\n  options") and not text:find("\n  main") and not text:find("\n  prompt"), text)
  check.equal(run("-h", 0), text)
  check.equal(run("help", 0), text)
end

function T.each_command_has_help_of_its_own()
  has(run("run --help", 0), "^usage: lacuna run ")
  check.equal(run("help run", 0), run("run --help", 0))
end

function T.the_version_is_one_line()
  has(run("--version", 0), "^lacuna %d+%.%d+%.%d+\n$")
end

function T.wrong_usage_is_status_2_and_one_sentence()
  has(run("rnu", 2), '^lacuna: there is no command "rnu"; did you mean "run"%?; see lacuna %-%-help\n$')
  has(run("options", 2), '^lacuna: there is no command "options"')
  has(run("../cli/run", 2), '^lacuna: there is no command "../cli/run"')
  has(run("--verison", 2), '^lacuna: there is no option "%-%-verison"; did you mean "%-%-version"')
  has(run("run", 2), "^lacuna: RECIPE is missing; see lacuna run %-%-help\n$")
end

function T.a_lua_folder_without_its_files_is_named()
  local status, text = check.run("--version", "LACUNA_LUA=/nowhere")
  check.equal(status, 1)
  has(text, "^lacuna: the Lua modules are missing: cannot read /nowhere/cli/main.lua")
end

function T.a_reader_that_leaves_early_is_no_error()
  local status, text = check.run("--help", [[sh -c '"$0" "$@" 2>&1 | head -1']])
  check.equal({status, text}, {0, run("--help", 0):match("^[^\n]*\n")})
end

function T.output_that_cannot_be_written_is_an_error()
  for _, place in ipairs{">/dev/full", ">&-"} do
    local status, text = check.run("--version", ([[sh -c '"$0" "$@" %s']]):format(place))
    check.equal(status, 1)
    has(text, "^lacuna: cannot write to standard output[^\n]*\n$")
  end
end

function T.info_names_the_devices()
  local text = run("info", 0)
  has(text, "^lacuna %d")
  has(text, "\ndevice 0 %(0:0%): ")
  has(text, "\n  matrix products  %w")
  has(run("info devices", 0), "^device 0")
  has(run("info divices", 1), 'there is no file divices; did you mean "devices"')
end

function T.info_without_a_driver_says_what_to_install()
  local status, text = check.run("info devices", "OCL_ICD_VENDORS=/nowhere")
  check.equal(status, 1)
  has(text, "^lacuna: .*pocl")
end

return T
