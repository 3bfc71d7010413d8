-- Foreign tensor files through lac.pth, lac.safetensors, lac.npy, lac.npz and lac.zip.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local function temporary(bytes)
  local path = os.tmpname()
  if bytes then
    local file = io.open(path, "wb")
    file:write(bytes)
    file:close()
  end
  return path
end

local function shared(name)
  local path = check.settings.shared .. "/" .. name
  local file = io.open(path, "rb")
  if not file then check.skip("no " .. name) end
  file:close()
  return path
end

local function close_all(tensors)
  for _, x in pairs(tensors) do x:close() end
end

function T.a_published_checkpoint_is_read_from_its_zip()
  local path = shared "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"
  local zip <close> = lac.zip.open(path)
  local bytes
  for _, name in ipairs(zip:names()) do
    if name:find("%.pth$") then bytes = zip:read(name) end
  end
  local tensors, names = lac.pth.parse(bytes, "tiny3")
  check.equal(#names, 21)
  check.equal(names[1], "embed.0.weight")
  check.equal(tensors["embed.0.weight"]:shape(), {3000, 96})
  check.close(tensors["fc_embed.0.bias"]:totable()[1], 0.0038899, 1e-7)
  close_all(tensors)
end

function T.region_features_are_read()
  local x <close> = lac.npy.read(shared "data/coco5/bu/cocobu_fc/391895.npy")
  check.equal(x:shape(), {2048})
end

function T.safetensors_come_back()
  local path = temporary()
  local w <close> = lac.tensor{{1, 2}, {3, 4}}
  local ids <close> = lac.tensor({5, 6, 7}, "i32")
  lac.safetensors.write(path, {w = w, ["a.ids"] = ids})
  local tensors, names = lac.safetensors.read(path)
  check.equal(names, {"a.ids", "w"})
  check.equal(tensors.w:totable(), {{1, 2}, {3, 4}})
  check.equal(tensors["a.ids"]:totable(), {5, 6, 7})
  check.equal(tensors["a.ids"]:dtype(), "i32")
  close_all(tensors)
  os.remove(path)
end

function T.an_npy_file_is_read()
  local header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
  header = header .. (" "):rep(117 - #header) .. "\n"
  local path = temporary("\x93NUMPY\1\0" .. string.pack("<I2", #header) .. header ..
    string.pack("<ffff", 1, 2, 3, 4))
  local x <close> = lac.npy.read(path)
  check.equal(x:totable(), {{1, 2}, {3, 4}})
  os.remove(path)
end

function T.failures_name_the_file()
  local path = temporary("nonsense")
  for _, read in ipairs{lac.pth.read, lac.safetensors.read, lac.npy.read, lac.npz.read, lac.zip.open} do
    check.fails(path, function() read(path) end)
    check.fails("/no/such/file: .*No such file", function() read("/no/such/file") end)
  end
  check.fails("x.pth: pickle: global os.system is not allowed", lac.pth.parse, "\x80\x02cos\nsystem\n.",
    "x.pth")
  os.remove(path)
end

function T.a_closed_zip_says_so()
  local path = shared "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"
  local zip = lac.zip.open(path)
  check.fails(".zip: has no entry 'nothing'", function() zip:read("nothing") end)
  zip:close()
  zip:close()
  check.fails("closed ZIP archive", function() zip:names() end)
end

function T.only_regular_files_are_replaced()
  files.with_folder(function(folder)
    local pipe = folder .. "/pipe"
    check.yes(os.execute("mkfifo " .. pipe))
    local x <close> = lac.tensor {1}
    check.fails("pipe: is a device or pipe, not a regular file", lac.safetensors.write, pipe, {x = x})
    check.fails("pipe: is a device or pipe, not a regular file", lac.hdf5.create, pipe)
    check.fails("is a directory, not a regular file", lac.hdf5.create, folder)
    check.yes(os.execute("test -p " .. pipe), "the pipe was replaced")
  end)
end

return T
