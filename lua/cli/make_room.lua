--- The folder that a file is to go to, with those above it: made where it is missing, as runs do.
-- @module cli.make_room
local lac = require "lac"

--- @tparam string path of the file
return function(path)
  local folder = path:match "^(.*[^/])/+[^/]*$"
  if folder then lac.files.make_folder(folder) end
end
