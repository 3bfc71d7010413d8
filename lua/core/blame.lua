--- Raise an error where the caller's own code is, however deep in the library it is noticed.
-- The position put before the message is that of the first function on the stack that is not part of
-- the library's Lua modules; without one (a command met the mistake) there is none.
-- @module core.blame

local root = debug.getinfo(1, "S").source:match("^(.*)core/blame%.lua$")

-- The command line's first file is loaded by its path, not as a module.
local function is_own(info)
  return info.what == "C" or info.source:sub(1, #root) == root or info.source:find("/cli/main.lua", 1, true)
end

--- @tparam string message
-- @raise always
local function blame(message)
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and is_own(info) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(message, info and level or 0)
end

return blame
