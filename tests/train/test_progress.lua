-- With a clock that only moves when told to and an output that keeps what is written.
local check = require "check"
local files = require "files"
local progress = require "train.progress"

local T = {}

local Output = {}
Output.__index = Output

function Output:write(...)
  self.text = self.text .. table.concat({...})
end

function Output:flush()
  self.flushed = self.text
end

-- A bar over `options` and what drives it: out.text, and pass(seconds).
local function start(options)
  local now, out = 1000, setmetatable({text = "", flushed = ""}, Output)
  local cfg = {out = out, clock = function() return now end}
  for key, value in pairs(options) do cfg[key] = value end
  return progress.new(cfg), out, function(seconds) now = now + seconds end
end

-- What was drawn, a string per drawing.
local function drawings(out)
  local list = {}
  for text in out.text:gmatch("\r([^\r]*)\27%[K") do list[#list + 1] = text end
  return list
end

local function last_drawing(out)
  local list = drawings(out)
  return list[#list]
end

local function terminal(width, options)
  options = options or {}
  options.terminal, options.width = true, type(width) == "function" and width or function() return width end
  options.total = options.total or 6000
  return start(options)
end

function T.a_line_shows_share_steps_time_left_rate_and_fields()
  local bar, out, pass = terminal(100, {label = "epoch 1"})
  bar:update(1214)
  pass(8)
  bar:update(1234, {loss = 2.41, sparsity = "61 %"})
  check.equal(last_drawing(out),
    "epoch 1  20 % [####>.................]  1234/6000  ETA 31 min 46 s  2.5/s  loss 2.41  sparsity 61 %")
  check.equal(#last_drawing(out), 99)
  check.equal(out.flushed, out.text)
end

function T.the_line_is_drawn_five_times_a_second_at_most_and_at_the_end()
  local bar, out, pass = terminal(80, {total = 100})
  for i = 1, 100 do
    bar:update(i)
    if i < 100 then pass(0.01) end
  end
  check.equal(#drawings(out), 6) -- at 0, 0.2, 0.4, 0.6, 0.8 s and the last step at 0.99 s
  check.yes(last_drawing(out):find("^100 %% %[#+%]  100/100$"), last_drawing(out))
end

function T.the_line_never_reaches_the_last_column()
  for width = 1, 130 do
    local bar, out, pass = terminal(width, {label = "épreuve 日本語"})
    bar:update(0)
    pass(100)
    bar:update(5999, {loss = 0.25, note = "naïve\n\27[2Jtext", bad = "\xff\xfe"})
    bar:finish()
    for _, text in ipairs(drawings(out)) do
      local columns = 0
      for _, code in utf8.codes(text) do
        check.yes(code >= 32 and code ~= 127, "a control character was drawn")
        columns = columns + (code > 0x3000 and 2 or 1)
      end
      check.yes(columns <= width - 1, ("%d columns of %d: %s"):format(columns, width, text))
    end
  end
end

function T.a_narrow_line_keeps_the_most_important()
  local function at(width)
    local bar, out, pass = terminal(width, {label = "train"})
    bar:update(1000)
    pass(10)
    bar:update(1020, {loss = 2.5})
    return last_drawing(out)
  end
  check.equal(at(1), "")
  check.equal(at(3), "17")
  check.equal(at(5), "17 %")
  local lines = {"17 %", "17 %  1020/6000", "17 %  1020/6000  ETA 41 min 30 s",
    "17 %  1020/6000  ETA 41 min 30 s  2/s", "17 %  1020/6000  ETA 41 min 30 s  2/s  loss 2.5",
    "train  17 %  1020/6000  ETA 41 min 30 s  2/s  loss 2.5"}
  for i, line in ipairs(lines) do
    check.equal(at(#line + 1), line)
    if i > 1 then check.equal(at(#line), lines[i - 1]) end
  end
  check.equal(at(#lines[6] + 10), "train  17 % [#>....]  1020/6000  ETA 41 min 30 s  2/s  loss 2.5")
  check.equal(at(#lines[6] + 9), lines[6])
end

function T.the_width_is_asked_for_at_every_drawing_and_80_where_unknown()
  local width
  local bar, out, pass = terminal(function() return width end)
  local function drawn(columns)
    width = columns
    pass(1)
    bar:update(100)
    return #last_drawing(out)
  end
  check.equal(drawn(nil), #"1 %  100/6000" + 1 + 40)
  check.equal(drawn(0), #"1 %  100/6000" + 1 + 40)
  check.equal(drawn(10), #"1 %")
  check.equal(drawn(40), 39)
end

function T.what_an_earlier_run_did_counts_in_no_rate()
  local bar, out, pass = terminal(80)
  pass(5)
  bar:update(5000)
  check.yes(not last_drawing(out):find("/s", 1, true), last_drawing(out))
  pass(2)
  bar:update(5001)
  check.yes(last_drawing(out):find("ETA 33 min 18 s  0.5/s", 1, true), last_drawing(out))
end

function T.time_left_follows_the_recent_rate_not_the_mean()
  local bar, out, pass = terminal(80)
  local done = 0
  local function steps(count, seconds)
    for _ = 1, count do
      bar:update(done)
      pass(seconds)
      done = done + 1
    end
  end
  steps(1000, 0.1)
  check.yes(last_drawing(out):find(" 10/s", 1, true), last_drawing(out))
  steps(100, 1)
  check.yes(last_drawing(out):find(" 1/s", 1, true), last_drawing(out))
  check.yes(last_drawing(out):find("ETA 1 h 21 min", 1, true), last_drawing(out))
end

function T.steps_slower_than_the_window_have_a_rate()
  local bar, out, pass = terminal(80, {total = 100})
  for i = 0, 3 do
    bar:update(i)
    pass(50)
  end
  check.yes(last_drawing(out):find("ETA 1 h 20 min  0.02/s", 1, true), last_drawing(out))
end

function T.going_back_forgets_the_rate()
  local bar, out, pass = terminal(80)
  bar:update(10)
  pass(10)
  bar:update(110)
  check.yes(last_drawing(out):find("10/s", 1, true), last_drawing(out))
  pass(1)
  bar:update(0)
  check.yes(not last_drawing(out):find("/s", 1, true), last_drawing(out))
end

function T.a_rate_waits_for_a_second_and_for_a_step()
  local bar, out, pass = terminal(80)
  bar:update(0)
  pass(0.9)
  bar:update(50)
  check.yes(not last_drawing(out):find("/s", 1, true), last_drawing(out))
  local idle, shown, wait = terminal(80)
  idle:update(7)
  wait(60)
  idle:update(7)
  check.yes(not last_drawing(shown):find("ETA", 1, true), last_drawing(shown))
end

function T.without_a_total_steps_and_rate_are_shown()
  local bar, out, pass = start {terminal = true, width = function() return 80 end}
  bar:update(0)
  pass(10)
  bar:update(1500)
  check.equal(last_drawing(out), "1500  150/s")
end

function T.a_note_stands_above_the_line()
  local bar, out = terminal(24, {total = 8})
  bar:note("before")
  bar:update(4)
  bar:note("saved")
  check.equal(out.text, "before\n\r50 % [#####>.....]  4/8\27[K\r\27[Ksaved\n\r50 % [#####>.....]  4/8\27[K")
end

function T.finishing_leaves_the_line_or_a_text_in_its_place_once()
  local bar, out = terminal(24, {total = 8})
  bar:update(8)
  out.text = ""
  bar:finish()
  bar:finish("again")
  bar:update(3)
  check.equal(out.text, "\r100 % [##########]  8/8\27[K\n")
  local other, shown = terminal(24, {total = 8})
  other:update(8)
  shown.text = ""
  other:finish("done in 3 s")
  check.equal(shown.text, "\r\27[Kdone in 3 s\n")
  local unused, nothing = terminal(24)
  unused:finish()
  check.equal(nothing.text, "")
end

function T.an_error_ends_the_line()
  local out
  pcall(function()
    local bar <close>, shown = terminal(24, {total = 8})
    out = shown
    bar:update(1)
    error("stop")
  end)
  check.yes(out.text:find("\27%[K\n$"), out.text)
end

function T.plain_lines_come_every_ten_seconds_and_at_the_end()
  local bar, out, pass = start {total = 40, label = "epoch 1"}
  for i = 1, 40 do
    bar:update(i, {loss = 1 / i})
    pass(1)
  end
  check.equal(out.text, "epoch 1  27 %  11/40  ETA 29 s  1/s  loss 0.09091\n"
    .. "epoch 1  52 %  21/40  ETA 19 s  1/s  loss 0.04762\n"
    .. "epoch 1  77 %  31/40  ETA 9 s  1/s  loss 0.03226\n"
    .. "epoch 1  100 %  40/40  1/s  loss 0.025\n")
  bar:finish()
  check.yes(out.text:find("loss 0.025\n$"), "the last line came twice")
end

function T.plain_lines_come_at_given_points_instead()
  local bar, out, pass = start {total = 1000, points = 100}
  for i = 250, 420, 10 do
    bar:update(i)
    pass(60)
  end
  bar:note("a note")
  bar:finish("stopped")
  check.equal(out.text, "30 %  300/1000  ETA 1 h 10 min  0.167/s\n40 %  400/1000  ETA 1 h 00 min  0.167/s\n"
    .. "a note\nstopped\n")
end

function T.a_plain_run_that_ends_early_says_where()
  local bar, out = start {total = 1000}
  bar:update(250)
  bar:finish()
  check.equal(out.text, "25 %  250/1000\n")
end

function T.durations_read_as_a_person_says_them()
  local said = {[0] = "0 s", [59.4] = "59 s", [59.6] = "1 min 00 s", [200] = "3 min 20 s", [7500] = "2 h 05 min",
                [86399.4] = "23 h 59 min", [356400] = "4 d 03 h", [1 / 0] = "ages", [1e10] = "ages"}
  for seconds, text in pairs(said) do check.equal(progress.duration(seconds), text) end
  check.equal(progress.duration(0 / 0), "ages")
end

function T.the_terminal_says_how_wide_it_is()
  if not os.execute("command -v script >/dev/null") then check.skip("the program script is not installed") end
  check.equal(require("cli.native").columns(99), nil)
  files.with_folder(function(folder)
    local path = files.write(folder .. "/width.lua", "print('columns', require('cli.native').columns(0))")
    local pipe = assert(io.popen(("timeout 60 script -qfc 'stty cols 37; %s run --trust %s' %s/log </dev/null")
      :format(check.settings.lacuna, path, folder)))
    local text = pipe:read("a")
    pipe:close()
    check.yes(text:find("columns\t37", 1, true), text)
  end)
end

function T.unknown_options_are_refused()
  check.fails('progress: unknown key "totl"; did you mean "total"', progress.new, {totl = 3})
end

return T
