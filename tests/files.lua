--- Scratch files for tests that need some on disk.
-- @module files
local files = {}

--- Run a function with the path of a fresh folder, which is removed afterwards, whatever happens.
function files.with_folder(fn)
  local pipe = assert(io.popen("mktemp -d"))
  local folder = pipe:read("l")
  pipe:close()
  local results = table.pack(pcall(fn, folder))
  os.execute("rm -rf '" .. folder .. "'")
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Write bytes to a file and return its path.
function files.write(path, bytes)
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  file:close()
  return path
end

--- The bytes of a file.
function files.read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

--- Whether a file exists.
function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- The bytes of a .npy file of float32.
-- @tparam table shape
-- @tparam table values row-major
function files.npy(shape, values)
  local dims = table.concat(shape, ", ") .. (#shape == 1 and "," or "")
  local header = ("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"):format(dims)
  header = header .. (" "):rep(63 - (#header + 10) % 64) .. "\n"
  local parts = {"\x93NUMPY\1\0", string.pack("<I2", #header), header}
  for _, v in ipairs(values) do parts[#parts + 1] = string.pack("<f", v) end
  return table.concat(parts)
end

--- Write a .npz file.
-- @tparam string path
-- @tparam table arrays name -> the bytes of a .npy file
function files.npz(path, arrays)
  local words, number = {path}, 0
  for name, bytes in pairs(arrays) do
    number = number + 1
    words[#words + 1], words[#words + 2] = name .. ".npy", files.write(("%s.%d"):format(path, number), bytes)
  end
  local python = "import sys, zipfile, os; w = sys.argv; z = zipfile.ZipFile(w[1], 'w'); "
    .. "[(z.write(w[i + 1], w[i]), os.remove(w[i + 1])) for i in range(2, len(w), 2)]"
  assert(os.execute(('python3 -c "%s" %s'):format(python, table.concat(words, " "))))
end

return files
