--- Small questions about files, which restricted scripts may not ask (core.sandbox).
-- @module core.disk

local disk = {}

--- Whether a file can be opened for reading.
-- @tparam string path
-- @treturn boolean
function disk.exists(path)
  local handle = io.open(path, "rb")
  if handle then handle:close() end
  return handle ~= nil
end

--- Bytes in a file that is there.
-- @tparam string path
-- @treturn integer
function disk.size(path)
  local handle <close> = assert(io.open(path, "rb"))
  return (handle:seek("end"))
end

return disk
