--- A JSON file as a value.
-- @module data.json
local lac = require "lac"
local disk = require "core.disk"

--- @tparam string path
-- @return the value
-- @raise names the file and the place
return function(path)
  local text = disk.read(path):gsub("^\xef\xbb\xbf", "") -- a byte order mark, which some editors put there
  local good, value = pcall(lac.json.decode, text)
  if not good then
    error(("%s: %s"):format(path, (tostring(value):gsub("^.-json: ", "not readable as JSON: "))), 0)
  end
  return value
end
