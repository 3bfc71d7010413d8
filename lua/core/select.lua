--- Names picked by patterns: "re:" and a Lua pattern, a beginning and "*", or the exact name; "not:" and one of these
-- picks all others.
-- @module core.select
local suggest = require "core.suggest"

local select = {}

--- @tparam string pattern
-- @tparam string name
-- @treturn boolean
-- @raise for a malformed Lua pattern
function select.matches(pattern, name)
  local other = pattern:match("^not:(.*)$")
  if other then return not select.matches(other, name) end
  local lua_pattern = pattern:match("^re:(.*)$")
  if lua_pattern then
    local good, found = pcall(string.find, name, lua_pattern)
    if not good then
      error(('the pattern "%s" is malformed: %s'):format(pattern, tostring(found):gsub("^.-:%d+: ", "")), 0)
    end
    return found ~= nil
  end
  if pattern:sub(-1) == "*" then return name:sub(1, #pattern - 1) == pattern:sub(1, -2) end
  return name == pattern
end

local function none(pattern, names)
  local hint = suggest.hint(pattern, names)
  if hint == "" then
    local first = table.concat(names, ", ", 1, math.min(#names, 4))
    hint = #names == 0 and "; there are no names" or "; the names are " .. first .. (#names > 4 and ", ..." or "")
  end
  return ('"%s" matches nothing%s'):format(pattern, hint)
end

--- @tparam {string,...} names
-- @tparam string|{string,...} patterns
-- @treturn table name -> true for every name that a pattern matches
-- @raise for a pattern that matches nothing
function select.pick(names, patterns)
  if type(patterns) == "string" then patterns = {patterns} end
  local picked = {}
  for _, pattern in ipairs(patterns) do
    if type(pattern) ~= "string" then error("a pattern must be a string, got a " .. type(pattern), 0) end
    local any = false
    for _, name in ipairs(names) do
      if select.matches(pattern, name) then picked[name], any = true, true end
    end
    if not any then error(none(pattern, names), 0) end
  end
  return picked
end

return select
