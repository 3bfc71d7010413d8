--- The keys of a table, in order.
-- @module core.keys

--- @tparam table set its keys can be compared with each other
-- @treturn table list
return function(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end
