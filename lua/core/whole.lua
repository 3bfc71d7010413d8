--- Settings that must be whole numbers.
-- @module core.whole
local blame = require "core.blame"

--- @tparam table cfg
-- @tparam table keys of cfg
-- @tparam string label of the module, for messages
-- @tparam[opt=1] integer least
-- @tparam[opt] integer most
-- @raise names the first key whose value is no whole number, or less, or more
return function(cfg, keys, label, least, most)
  least = least or 1
  for _, key in ipairs(keys) do
    local n = cfg[key]
    if math.tointeger(n) == nil or n < least or most and n > most then
      blame(("%s: %s must be a whole number %s, got %s"):format(label, key,
        most and ("from %d to %d"):format(least, most) or (">= %d"):format(least), tostring(n)))
    end
  end
end
