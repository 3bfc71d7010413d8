-- The prompt in a terminal of its own, made by `script`. A test types only after it has seen what it waits
-- for, so nothing depends on how fast the machine is.
local check = require "check"
local prompt = require "cli.prompt"

local T = {}

local function temporary()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local Session = {}
Session.__index = Session

local function open_session(setup)
  if not os.execute("command -v script >/dev/null") then check.skip("the program script is not installed") end
  local self = setmetatable({keys = temporary(), log = temporary(), state = temporary(), at = 1}, Session)
  assert(os.execute("mkfifo " .. self.keys))
  os.execute(("timeout 60 script -qfc '%s; XDG_STATE_HOME=%s %s; echo \"status $?\"' %s <%s >/dev/null 2>&1 &")
    :format(setup or ":", self.state, check.settings.lacuna, self.log, self.keys))
  self.pipe = assert(io.open(self.keys, "w"))
  self.pipe:setvbuf("no")
  self:see("\n> ")
  return self
end

function Session:__close()
  self.pipe:close()
  os.execute(("rm -rf %s %s %s"):format(self.keys, self.log, self.state))
end

-- Wait until text appears after what was seen last; terminal codes and bells are left out.
function Session:see(text)
  local all
  for _ = 1, 400 do
    local file = io.open(self.log, "rb")
    all = file and file:read("a"):gsub("\27%[[%d;?]*%a", ""):gsub("[\r\a]", "") or ""
    if file then file:close() end
    local _, last = all:find(text, self.at, true)
    if last then
      self.at = last + 1
      return
    end
    os.execute("sleep 0.05")
  end
  error(("%q did not appear; there is %q"):format(text, all:sub(self.at)), 2)
end

function Session:type(text)
  self.pipe:write(text)
end

function Session:enter(text, want)
  self:type(text .. "\n")
  self:see("\n" .. want .. "\n")
  self:see("> ")
end

function T.results_are_shown_and_errors_do_not_end_it()
  local s <close> = open_session()
  s:enter("1 + 1", "2")
  s:enter("'a\\n'", '"a\\n"')
  s:enter("nil, false", "nil\nfalse")
  s:enter("error('boom')", "prompt:1: boom")
  s:enter("x = = 1", "prompt:1: unexpected symbol near '='")
  s:enter("lac.tensor{{1, 2}, {3, 4}}", " 1  2\n 3  4")
  s:type("\4")
  s:see("status 0\n")
end

function T.an_incomplete_chunk_asks_for_more()
  local s <close> = open_session()
  s:type("for i = 1, 2 do\n")
  s:see("\n>> ")
  s:type("print('i', i)\n")
  s:see("\n>> ")
  s:enter("end", "i\t1\ni\t2")
end

function T.ctrl_c_clears_the_line_and_stops_a_chunk()
  local s <close> = open_session()
  s:type("half a line")
  s:see("half a line")
  s:type("\3")
  s:see("^C\n> ")
  s:type("x =\n")
  s:see("\n>> ")
  s:type("\3")
  s:see("^C\n> ")
  s:type("print('going'); while true do end\n")
  s:see("\ngoing\n")
  s:type("\3")
  s:see("\ninterrupted\n> ")
  s:enter("2 * 3", "6")
end

function T.tab_completes_names()
  local s <close> = open_session()
  s:type("string.gm\t")
  s:see("string.gmatch")
  s:type("\3")
  s:see("^C\n> ")
end

function T.the_history_is_kept_for_the_next_session()
  local s <close> = open_session()
  s:enter("40 + 2", "42")
  s:type("\4")
  s:see("status 0\n")
  local file <close> = assert(io.open(s.state .. "/lacuna/history"))
  check.yes(file:read("a"):find("40"))
end

function T.quit_and_exit_leave()
  local s <close> = open_session()
  s:type("quit()\n")
  s:see("status 0\n")
end

function T.a_tiny_or_unknown_terminal_does_not_break_it()
  for _, setup in ipairs{"stty cols 20 rows 5", "stty cols 1 rows 1", "export TERM=dumb", "unset TERM",
    "export TERM=nonsense", "export LC_ALL=C"} do
    local s <close> = open_session(setup)
    s:type("111 * 111 -- a comment that is longer than the line\n")
    s:see("12321")
    s:type("\4")
    s:see("status 0")
  end
end

function T.completion_follows_fields_and_methods_without_running_code()
  local trap = setmetatable({inner = {deep = 1, depth = 2}}, {__index = function() error("must not run") end})
  rawset(_G, "completion_trap", trap)
  check.equal(prompt.complete("completion_t"), {"completion_trap"})
  check.equal(prompt.complete("completion_trap.inner.de"),
    {"completion_trap.inner.deep", "completion_trap.inner.depth"})
  check.equal(prompt.complete("completion_trap.nothing.x"), {})
  check.equal(prompt.complete("completion_trap.inner.deep.x"), {})
  rawset(_G, "completion_trap", nil)
end

return T
