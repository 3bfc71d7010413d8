local check = require "check"
local Log = require "core.log"

local T = {}

local function recorder(level)
  local lines, now = {}, 100
  local log = Log{level = level, clock = function() return now end,
    write = function(line) lines[#lines + 1] = line end}
  return log, lines, function(seconds) now = now + seconds end
end

function T.a_line_has_the_time_since_the_start_and_the_level()
  local log, lines, pass = recorder("info")
  pass(1.25)
  log:info("step %d", 3)
  log:warning("100% full")
  check.equal(lines, {"[   1.250 s] step 3\n", "[   1.250 s] warning: 100% full\n"})
end

function T.lines_below_the_level_are_dropped()
  local log, lines = recorder("error")
  log:debug("a")
  log:info("b")
  log:warning("c")
  log:error("d")
  check.equal(lines, {"[   0.000 s] error: d\n"})
end

function T.an_unknown_level_is_refused()
  check.fails('no level "warnin"; did you mean "warning"', Log, {level = "warnin"})
end

return T
