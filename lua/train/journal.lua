--- A run's log: one JSON object per line, its keys sorted, each line in the file as soon as it is written.
--
--     local log <close> = journal.create(folder .. "/log.jsonl")
--     log:write {step = 300, loss = 2.41, event = "train"}
--
-- A resumed run goes on after the size that its checkpoint noted, so that nothing is in the log twice.
-- @module train.journal
local lac = require "lac"
local class = require "core.class"

local journal = {}

local Journal = class("Journal")

function Journal:init(file)
  self.file = file
end

local DEEPEST = 200 -- lac.json.encode refuses more

-- Numbers that JSON cannot hold: a diverged run should say so in its log, not end for it.
local function speakable(value, depth)
  if type(value) == "number" then
    if value ~= value then return "NaN" end
    if value == math.huge then return "Infinity" end
    if value == -math.huge then return "-Infinity" end
  elseif type(value) == "table" and depth <= DEEPEST then
    local out = setmetatable({}, getmetatable(value)) -- arrays stay arrays
    for key, inner in pairs(value) do out[key] = speakable(inner, depth + 1) end
    return out
  end
  return value
end

--- Append a line and flush it.
-- @tparam table entry what lac.json.encode takes; NaN and infinities become the words "NaN", "Infinity",
-- "-Infinity"
function Journal:write(entry)
  if type(entry) ~= "table" then error("journal: an entry is a table, got a " .. type(entry), 2) end
  self.file:write(lac.json.encode(speakable(entry, 1)) .. "\n")
  self.file:flush()
end

--- Bytes so far: what a checkpoint notes, after sync().
-- @treturn integer
function Journal:size()
  return self.file:size()
end

--- Wait until the disk has every line.
function Journal:sync()
  self.file:sync()
end

--- A second time does nothing.
function Journal:close()
  self.file:close()
end

Journal.__close = Journal.close

-- Where the last whole line at or before `bytes` ends.
local function last_line_end(path, bytes)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local at = math.min(bytes, file:seek("end"))
  while at > 0 do
    local start = math.max(0, at - 4096)
    file:seek("set", start)
    local text, problem = file:read(at - start)
    if not text then
      file:close()
      error(("%s: cannot read: %s"):format(path, problem), 0)
    end
    local newline = text:find("\n[^\n]*$")
    if newline then
      file:close()
      return start + newline
    end
    at = start
  end
  file:close()
  return 0
end

--- Begin a log; one that is there is emptied.
-- @tparam string path
-- @treturn Journal with write, size, sync, close; may be a <close> variable
function journal.create(path)
  return Journal(lac.append.create(path))
end

--- Go on with a log after its first `bytes` bytes; what follows them is cut off.
-- @tparam string path
-- @tparam[opt] integer bytes from Journal:size(); without it, after the last whole line
-- @treturn Journal
-- @raise names the file where it is shorter, or has been changed since so that no line ends there
function journal.open(path, bytes)
  local whole = last_line_end(path, bytes or math.maxinteger)
  if bytes and whole ~= bytes then
    error(("%s: was to go on after %d bytes, but the last whole line before that ends after %d; the file was "
      .. "shortened or changed since the checkpoint"):format(path, bytes, whole), 0)
  end
  return Journal(lac.append.open(path, whole))
end

return journal
