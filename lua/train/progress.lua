--- What long work shows while it runs: one line redrawn in place on a terminal, plain lines elsewhere.
--
--     local bar <close> = progress.new {total = 6000, label = "epoch 1", terminal = native.terminal(2),
--       width = function() return native.columns(2) end, clock = native.clock}
--     bar:update(1234, {loss = 2.41, sparsity = "61 %"})
--
--     epoch 1  20 % [####>.................]  1234/6000  ETA 31 min 46 s  2.5/s  loss 2.41  sparsity 61 %
--
-- The rate, and the time left which follows from it, is that of the recent past: the mean since the start would
-- be wrong for long after something became slower. What was done before the first update counts in no rate.
-- @module train.progress
local class = require "core.class"
local config = require "core.config"
local keys = require "core.keys"

local progress = {}

local Progress = class("Progress")

progress.defaults = {
  total = config.optional "number", -- steps in all; without it there is no share and no time left
  label = "",
  out = config.either(io.stderr, "table"), -- an object with write and flush
  terminal = false, -- whether out is one
  width = config.either(function() return 80 end, "function"), -- columns of the terminal; may give nil
  clock = config.either(os.time, "function"), -- seconds, of any origin
  every = 10, -- seconds between plain lines at least
  points = config.optional "number", -- plain lines come when so many more steps are done, whatever the time
}

local REDRAW = 0.2 -- seconds between drawings at least
local WINDOW = 30 -- seconds that the rate looks back
local SAMPLES = 60 -- in the window
local FEWEST = 5 -- samples kept however old, for slow steps
local SHORTEST = 1 -- seconds before which no rate is told
local BAR_MIN, BAR_MAX = 8, 40 -- columns, brackets included
local CLEAR = "\27[K" -- from the cursor to the end of the line

-- Text ----------------------------------------------------------------------------------------------------

-- Without what would move the cursor, and in whole characters.
local function clean(text)
  if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "?") end
  return (text:gsub("%c", " "):gsub("\xc2[\x80-\x9f]", " "))
end

-- Columns of a character: two where it may take two.
local function columns_of(code)
  return code >= 0x1100 and 2 or 1
end

local function columns(text)
  local n = 0
  for _, code in utf8.codes(text) do n = n + columns_of(code) end
  return n
end

local function cut(text, room)
  local n = 0
  for at, code in utf8.codes(text) do
    n = n + columns_of(code)
    if n > room then return text:sub(1, at - 1) end
  end
  return text
end

local function rate_text(rate)
  return (rate >= 100 and "%.0f/s" or "%.3g/s"):format(rate)
end

--- A number of seconds as a person says it: "45 s", "3 min 20 s", "2 h 05 min", "4 d 03 h".
-- @tparam number seconds
-- @treturn string
function progress.duration(seconds)
  if not (seconds < 8.64e9) then return "ages" end -- luacheck: ignore 581 (NaN)
  local s = math.floor(seconds + 0.5)
  if s < 60 then return ("%d s"):format(s) end
  if s < 3600 then return ("%d min %02d s"):format(s // 60, s % 60) end
  if s < 86400 then return ("%d h %02d min"):format(s // 3600, s % 3600 // 60) end
  return ("%d d %02d h"):format(s // 86400, s % 86400 // 3600)
end

local function value_text(value)
  if math.type(value) == "float" then return ("%.4g"):format(value) end
  return tostring(value)
end

local function field_texts(fields)
  local texts = {}
  for i, name in ipairs(keys(fields)) do texts[i] = clean(name .. " " .. value_text(fields[name])) end
  return texts
end

-- The object ----------------------------------------------------------------------------------------------

--- @tparam table cfg see progress.defaults
function Progress:init(cfg)
  cfg = config.merge(progress.defaults, cfg, "progress")
  self.total, self.label, self.out = cfg.total, clean(cfg.label), cfg.out
  self.terminal, self.width, self.clock = cfg.terminal, cfg.width, cfg.clock
  self.every, self.points = cfg.every, cfg.points
  self.samples, self.fields = {}, {}
  self.shown = self.clock() -- when a line was last printed or drawn
end

local function take_sample(self, done, now)
  local samples = self.samples
  local last = samples[#samples]
  if last and done < last.done then -- started over: nothing known holds
    samples = {}
    self.samples, last = samples, nil
  end
  if last and now - last.time < WINDOW / SAMPLES then return end
  samples[#samples + 1] = {time = now, done = done}
  while #samples > FEWEST and now - samples[2].time >= WINDOW do table.remove(samples, 1) end
end

-- Steps per second of the recent past; nil while too little is known.
local function rate_of(self)
  local first = self.samples[1]
  local time = first and self.now - first.time or 0
  if time < SHORTEST or self.done == first.done then return nil end
  return (self.done - first.done) / time
end

-- What there is to say, the most important first.
local function pieces(self)
  local list, rate = {}, rate_of(self)
  local total = self.total
  if total then
    local done = math.max(0, math.min(total, self.done))
    list.share = total > 0 and done / total or 1
    list[#list + 1] = ("%d %%"):format(total > 0 and 100 * done // total or 100)
  end
  list[#list + 1] = total and ("%d/%d"):format(self.done, total) or ("%d"):format(self.done)
  if rate and total and self.done < total then
    list[#list + 1] = "ETA " .. progress.duration((total - self.done) / rate)
  end
  if rate then list[#list + 1] = rate_text(rate) end
  return table.move(field_texts(self.fields), 1, 1000, #list + 1, list)
end

local function bar(share, room)
  local inside = room - 2
  local full = math.floor(share * inside)
  local head = full < inside and ">" or ""
  return "[" .. ("#"):rep(full) .. head .. ("."):rep(inside - full - #head) .. "]"
end

-- As much as fits in so many columns: pieces from the first on, then the label, then a bar.
local function fit(self, room)
  local list, used = pieces(self), 0
  local chosen = {}
  for i, piece in ipairs(list) do
    local more = columns(piece) + (i > 1 and 2 or 0)
    if used + more > room then break end
    chosen[i], used = piece, used + more
  end
  if #chosen == 0 then return cut(list[1], math.max(0, room)) end
  local whole = #chosen == #list
  local label = columns(self.label) + 2
  if whole and label > 2 and used + label <= room then
    used = used + label
  else
    label = 0
  end
  local left = math.min(BAR_MAX, room - used - 1)
  if list.share and whole and left >= BAR_MIN then chosen[1] = chosen[1] .. " " .. bar(list.share, left) end
  return (label > 0 and self.label .. "  " or "") .. table.concat(chosen, "  ")
end

local function write(self, ...)
  self.out:write(...)
  self.out:flush()
end

-- The last column stays free: a character there makes some terminals wrap.
local function draw(self)
  local width = math.tointeger(self.width()) or 0
  if width < 1 then width = 80 end
  write(self, "\r", fit(self, width - 1), CLEAR)
  self.shown, self.drawn = self.now, true
end

local function print_line(self)
  local list = pieces(self)
  if self.label ~= "" then table.insert(list, 1, self.label) end
  write(self, table.concat(list, "  "), "\n")
  self.shown, self.printed = self.now, self.done
end

local function line_is_due(self)
  if self.points then return self.done // self.points > (self.printed or self.first) // self.points end
  return self.now - self.shown >= self.every
end

--- So many steps are done.
-- @tparam integer done in all, those of an earlier run included
-- @tparam[opt] table fields what else to show: name -> number or text, by name; without it the last ones stay
function Progress:update(done, fields)
  if self.finished then return end
  self.now, self.done, self.fields = self.clock(), done, fields or self.fields
  self.first = self.first or done
  take_sample(self, done, self.now)
  local last = self.total ~= nil and done >= self.total
  if not self.terminal then
    if line_is_due(self) or (last and self.printed ~= done) then print_line(self) end
  elseif not self.drawn or last or self.now - self.shown >= REDRAW then
    draw(self)
  end
end

--- Print a line of its own, above the bar.
-- @tparam string text
function Progress:note(text)
  local drawn = self.terminal and self.drawn and not self.finished
  write(self, drawn and "\r" .. CLEAR or "", text, "\n")
  if drawn then draw(self) end
end

--- End it: the bar stays as it was last, or gives way to a line of text. A second time does nothing.
-- @tparam[opt] string text
function Progress:finish(text)
  if self.finished then return end
  self.finished = true
  if self.terminal and self.drawn then
    if text then
      write(self, "\r", CLEAR)
    else
      draw(self)
      write(self, "\n")
    end
  elseif not self.terminal and not text and self.done and self.printed ~= self.done then
    print_line(self)
  end
  if text then write(self, text, "\n") end
end

-- After an error too: the message then gets a line of its own.
function Progress:__close()
  self:finish()
end

--- @tparam table cfg see progress.defaults
-- @treturn Progress with update, note, finish; may be a <close> variable
function progress.new(cfg)
  return Progress(cfg)
end

return progress
