-- Files that grow at their end, through lac.append.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

-- A test with the path of a file in a folder of its own, not there yet.
local function with_path(fn)
  files.with_folder(function(folder) return fn(folder .. "/log") end)
end

function T.what_is_written_waits_for_a_flush_and_counts_in_the_size()
  with_path(function(path)
    local log <close> = lac.append.create(path)
    log:write("one\n")
    log:write("")
    check.equal(log:size(), 4)
    check.equal(files.read(path), "")
    log:flush()
    check.equal(files.read(path), "one\n")
    log:write("two\0")
    log:sync()
    check.equal(files.read(path), "one\ntwo\0")
  end)
end

function T.more_than_fits_in_memory_comes_in_order()
  with_path(function(path)
    local log, want = lac.append.create(path), {}
    for i, size in ipairs {10, 65526, 1, 65536, 7, 200000, 5, 65535, 2} do
      want[i] = string.char(64 + i):rep(size)
      log:write(want[i])
    end
    want = table.concat(want)
    check.equal(log:size(), #want)
    log:close()
    check.yes(files.read(path) == want, "the file holds something else")
  end)
end

function T.opening_cuts_and_goes_on()
  with_path(function(path)
    files.write(path, "0123456789")
    local log = lac.append.open(path, 4)
    check.equal(log:size(), 4)
    check.equal(files.read(path), "0123")
    log:write("ab")
    log:close()
    log:close()
    check.equal(files.read(path), "0123ab")
    lac.append.open(path, 6):close()
    check.equal(files.read(path), "0123ab")
    lac.append.create(path):close()
    check.equal(files.read(path), "")
  end)
end

function T.a_file_that_is_shorter_is_refused_and_left()
  with_path(function(path)
    files.write(path, "0123")
    check.fails("log: is 4 bytes long, but was to go on after 5", lac.append.open, path, 5)
    check.fails("log: is 4 bytes long", lac.append.open, path, math.maxinteger)
    check.equal(files.read(path), "0123")
  end)
end

function T.what_is_no_file_is_refused()
  with_path(function(path)
    check.fails("log: cannot open: No such file", lac.append.open, path, 0)
    check.yes(not files.exists(path), "a file was made")
    check.fails("log/x: cannot open: No such file", lac.append.create, path .. "/x")
    check.fails("must not be negative", lac.append.open, path, -1)
    check.yes(os.execute("mkfifo " .. path))
    check.fails("log: is a device or pipe, not a file", lac.append.create, path)
    check.fails("cannot open: Is a directory", lac.append.create, path:match("^(.*)/"))
  end)
end

function T.a_failed_write_is_told_and_leaves_the_file_as_it_was()
  with_path(function(path)
    local script = files.write(path .. ".lua", ([[
      local log = lac.append.create(%q)
      log:write(("a"):rep(3000))
      log:flush()
      log:write(("b"):rep(3000))
      print(pcall(log.flush, log))
      print(log:size())
      log:close()]]):format(path))
    local pipe = assert(io.popen(("trap '' XFSZ; ulimit -f 8; %s run --trust %s 2>&1") -- 8 blocks of 512 bytes
      :format(check.settings.lacuna, script)))
    local text = pipe:read("a")
    pipe:close()
    check.yes(text:find("false\t.*log: cannot write: File too large\n6000\n$"), text)
    check.equal(files.read(path), ("a"):rep(3000))
  end)
end

function T.a_closed_file_says_so()
  with_path(function(path)
    local log = lac.append.create(path)
    log:close()
    for _, name in ipairs {"write", "flush", "sync", "size"} do check.fails("closed file", log[name], log, "x") end
  end)
end

return T
