--- Settings that must be whole numbers.
-- @module core.whole

--- @tparam table cfg
-- @tparam table keys of cfg
-- @tparam string label of the module, for messages
-- @tparam[opt=1] integer least
-- @raise names the first key whose value is no whole number, or less
return function(cfg, keys, label, least)
  least = least or 1
  for _, key in ipairs(keys) do
    local n = cfg[key]
    if math.tointeger(n) == nil or n < least then
      error(("%s: %s must be a whole number >= %d, got %s"):format(label, key, least, tostring(n)), 0)
    end
  end
end
