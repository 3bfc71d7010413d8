--- A JSON file as a value.
-- @module data.json
local lac = require "lac"
local disk = require "core.disk"

--- @tparam string path
-- @return the value
-- @raise names the file and the place
return function(path)
  local good, value = pcall(lac.json.decode, disk.read(path))
  if not good then
    error(("%s: %s"):format(path, (tostring(value):gsub("^.-json: ", "not readable as JSON: "))), 0)
  end
  return value
end
