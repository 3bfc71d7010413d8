local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

-- Its exit status and what it printed.
local function run(words, folder)
  local child <close> = lac.child.start(words, folder)
  for _ = 1, 600 do
    local code = child:wait(0.1)
    if code then return code, child:output() end
  end
  error("it does not end")
end

function T.arguments_reach_it_without_a_shell()
  check.equal({run {"printf", "%s|", "a b", "$HOME", "*", ";", ""}}, {0, "a b|$HOME|*|;||"})
end

function T.it_runs_in_the_folder_it_is_given()
  files.with_folder(function(folder)
    files.write(folder .. "/here", "x")
    check.equal({run({"cat", "here"}, folder)}, {0, "x"})
  end)
end

function T.its_exit_status_or_signal_is_told()
  check.equal({run {"sh", "-c", "echo out; echo err >&2; exit 7"}}, {7, "out\nerr\n"})
  check.equal({run {"sh", "-c", "kill -TERM $$"}}, {-15, ""})
end

function T.it_reads_nothing()
  check.equal({run {"cat"}}, {0, ""})
end

function T.only_the_last_of_what_it_prints_is_kept()
  local code, text = run {"sh", "-c", "seq 100000"}
  check.equal({code, #text}, {0, 4096})
  check.equal(text:sub(-14), "\n99999\n100000\n")
end

function T.one_that_is_closed_is_killed()
  local child = lac.child.start {"sleep", "300"}
  check.equal(child:wait(0), nil)
  child:close()
  child:close()
  check.fails("closed child process", child.wait, child, 0)
end

function T.what_cannot_be_started_says_why()
  check.fails("cannot start nosuchprogram: No such file or directory", lac.child.start, {"nosuchprogram"})
  check.fails("cannot start true: No such file or directory", lac.child.start, {"true"}, "/nosuchfolder")
  check.fails("needs a program", lac.child.start, {})
  check.fails("texts only", lac.child.start, {"echo", {}})
end

return T
