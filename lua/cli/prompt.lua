--- The interactive prompt: full Lua, one chunk at a time, results shown.
-- An incomplete chunk asks for more; an error, or Ctrl-C, ends the chunk and not the prompt.
-- @module cli.prompt
local lac = require "lac"
local native = require "cli.native"
local show = require "core.show"

local prompt = {}

local FIRST, MORE = "> ", ">> "

local function history_path()
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  if state and state:sub(1, 1) == "/" then return state .. "/lacuna/history" end
  return home and home ~= "" and home .. "/.local/state/lacuna/history"
end

-- Completion -----------------------------------------------------------------------------------------

-- Tables that hold the names one can write after `value.`, without running code of the value's.
local function name_tables(value)
  local out = {}
  for _ = 1, 10 do -- a chain of __index may be a ring
    if type(value) == "table" then out[#out + 1] = value end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index")
    if type(value) ~= "table" then break end
  end
  return out
end

local function look_up(value, name)
  for _, holder in ipairs(name_tables(value)) do
    local found = rawget(holder, name)
    if found ~= nil then return found end
  end
end

--- Names that a half-written word may become: `la` -> lac; `lac.ten` -> lac.tensor; `x:sh` -> x:shape.
-- @tparam string word
-- @treturn table array of strings, sorted
function prompt.complete(word)
  local path, last = word:match("^(.*[.:])([%w_]*)$")
  local value = _G
  for name in (path or ""):gmatch("([%w_]+)[.:]") do value = look_up(value, name) end
  local start, names, seen = path and last or word, {}, {}
  for _, holder in ipairs(value ~= nil and name_tables(value) or {}) do
    for name in next, holder do
      local fits = type(name) == "string" and name:sub(1, #start) == start and name:find("^[%a_][%w_]*$")
      if fits and not seen[name] and (start ~= "" or name:sub(1, 2) ~= "__") then
        seen[name] = true
        names[#names + 1] = (path or "") .. name
      end
    end
  end
  table.sort(names)
  return names
end

-- Chunks ---------------------------------------------------------------------------------------------

-- A function; or nil and a message; or nil, a message and true when more lines may complete it.
local function compile(text)
  local chunk = load("return " .. text, "=prompt", "t")
  if chunk then return chunk end
  local why
  chunk, why = load(text, "=prompt", "t")
  return chunk, why, why and why:find("<eof>$") ~= nil
end

local function explain(err)
  if native.interrupted() then return "\ninterrupted" end -- the terminal has printed ^C
  local text = type(err) == "string" and err or show.text(err)
  if os.getenv("LACUNA_TRACE") == "1" then text = debug.traceback(text, 2) end
  return text
end

local function print_results(...)
  for i = 1, select("#", ...) do
    print(show.text((select(i, ...)), {width = native.columns(1) or 80}))
  end
end

local function run_chunk(chunk)
  local results = table.pack(xpcall(chunk, explain))
  local ok, why = results[1], results[2]
  if ok then ok, why = xpcall(print_results, explain, table.unpack(results, 2, results.n)) end
  io.stdout:flush()
  if not ok then io.stderr:write(tostring(why), "\n") end
end

local function wants_to_leave(text)
  local word = text:match("^%s*(%a+)%s*%(?%s*%)?%s*$")
  return (word == "exit" or word == "quit") and rawget(_G, word) == nil
end

--- Read and run until Ctrl-D. The history is kept in $XDG_STATE_HOME/lacuna/history.
-- @treturn integer exit status
function prompt.run()
  rawset(_G, "lac", lac)
  rawset(_G, "clock", native.clock)
  local path = history_path()
  if path then native.history_load(path) end
  print(("lacuna %s, %s. Ctrl-D leaves."):format(native.version, _VERSION))
  local text
  while true do
    local line = native.read_line(text and MORE or FIRST, prompt.complete)
    if line == nil then break end
    if line == false then
      print("^C")
      text = nil
    else
      text = text and text .. "\n" .. line or line
      if wants_to_leave(text) then break end
      local chunk, why, incomplete = compile(text)
      if chunk then run_chunk(chunk) elseif not incomplete then io.stderr:write(why, "\n") end
      if not incomplete then text = nil end
    end
  end
  print()
  if path then
    local saved, why = native.history_save(path)
    if not saved then io.stderr:write("lacuna: ", why, "\n") end
  end
  return 0
end

return prompt
