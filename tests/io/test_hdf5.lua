-- HDF5 files through lac.hdf5: what is written comes back, and only whole files are put in place.
local lac = require "lac"
local check = require "check"

local T = {}

local function temporary()
  local path = os.tmpname()
  os.remove(path)
  return path .. ".h5"
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function write_sample(path)
  local file <close> = lac.hdf5.create(path)
  local x <close> = lac.tensor{{1, 2, 3}, {4, 5, 6}}
  local ids <close> = lac.tensor({7, -8}, "i32")
  file:write("params/a.b/w", x, {deflate = true})
  file:write("ids", ids)
  file:write_text("config", '{"a": 1}')
  file:set_attr("", "format", "test")
  file:set_attr("", "version", 3)
  file:set_attr("params/a.b/w", "scale", 0.25)
  file:commit()
end

function T.arrays_texts_and_attributes_come_back()
  local path = temporary()
  write_sample(path)
  do
    local file <close> = lac.hdf5.open(path)
    local x <close> = file:read("params/a.b/w")
    local ids <close> = file:read("/ids")
    check.equal(x:totable(), {{1, 2, 3}, {4, 5, 6}})
    check.equal(ids:totable(), {7, -8})
    check.equal(ids:dtype(), "i32")
    check.equal(file:names(), {"config", "ids", "params/a.b/w"})
    check.equal(file:text("config"), '{"a": 1}')
    check.equal(file:attr("", "format"), "test")
    check.equal(math.type(file:attr("", "version")), "integer")
    check.equal(file:attr("params/a.b/w", "scale"), 0.25)
    check.equal(file:attr("", "absent"), nil)
    check.equal(file:has("ids"), true)
    check.equal(file:has("params"), false)
  end
  os.remove(path)
end

function T.a_view_is_written_in_its_own_order()
  local path = temporary()
  do
    local file <close> = lac.hdf5.create(path)
    local x <close> = lac.tensor{{1, 2, 3}, {4, 5, 6}}
    local y <close> = x:transpose(1, 2)
    file:write("y", y)
    file:commit()
  end
  local file <close> = lac.hdf5.open(path)
  local y <close> = file:read("y")
  check.equal(y:totable(), {{1, 4}, {2, 5}, {3, 6}})
  os.remove(path)
end

function T.closing_without_commit_leaves_the_old_file()
  local path = temporary()
  write_sample(path)
  do
    local file <close> = lac.hdf5.create(path)
    file:write_text("other", "text")
  end
  do
    local file <close> = lac.hdf5.open(path)
    check.equal(file:has("other"), false)
    check.equal(file:has("ids"), true)
  end
  os.remove(path)
  do
    local file <close> = lac.hdf5.create(path)
    file:write_text("other", "text")
  end
  check.equal(exists(path), false)
end

function T.a_truncated_file_is_refused_with_both_lengths()
  local path = temporary()
  write_sample(path)
  local file = io.open(path, "rb")
  local bytes = file:read("a")
  file:close()
  file = io.open(path, "wb")
  file:write(bytes:sub(1, 1000))
  file:close()
  check.fails("truncated: 1000 of " .. #bytes .. " bytes", function() lac.hdf5.open(path) end)
  os.remove(path)
end

function T.mistakes_are_sentences()
  local path = temporary()
  write_sample(path)
  check.fails("/no/such.h5: cannot open: No such file", function() lac.hdf5.open("/no/such.h5") end)
  check.fails("/no/such.h5: cannot create", function() lac.hdf5.create("/no/such.h5") end)
  local file <close> = lac.hdf5.open(path)
  check.fails("has no dataset 'nothing'", function() file:read("nothing") end)
  check.fails("is not a text", function() file:text("params/a.b/w") end)
  file:close()
  check.fails("closed HDF5 file", function() file:names() end)
  os.remove(path)
end

return T
