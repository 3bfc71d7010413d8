--- Small questions about files, and whole ones, which restricted scripts may not ask for (core.sandbox).
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

--- Whether a path is that of a folder.
-- @tparam string path
-- @treturn boolean
function disk.is_folder(path)
  local handle <close> = io.open(path, "rb")
  if not handle then return false end
  local _, _, code = handle:read(0)
  return code == 21 -- EISDIR
end

--- Whether a file that is there is HDF5. The signature lies at 0 or at a doubling of 512: what is before it is the
-- user's.
-- @tparam string path
-- @treturn boolean
function disk.is_hdf5(path)
  local handle <close> = assert(io.open(path, "rb"))
  for _, at in ipairs {0, 512, 1024, 2048} do
    handle:seek("set", at)
    if handle:read(8) == "\137HDF\r\n\26\n" then return true end
  end
  return false
end

--- Bytes in a file that is there.
-- @tparam string path
-- @treturn integer
function disk.size(path)
  local handle <close> = assert(io.open(path, "rb"))
  return (handle:seek("end"))
end

--- The bytes of a file.
-- @tparam string path
-- @tparam[opt] string what it is, for messages: "the recipe"
-- @treturn string
function disk.read(path, what)
  what = what and what .. " " or ""
  local file, why = io.open(path, "rb")
  if not file then error(("cannot open %s%s"):format(what, why), 0) end
  local text, failed = file:read("a")
  file:close()
  if not text then error(("cannot read %s%s: %s"):format(what, path, failed), 0) end
  return text
end

return disk
