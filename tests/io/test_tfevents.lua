-- Event files for TensorBoard, through lac.tfevents.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local function with_path(fn)
  files.with_folder(function(folder) return fn(folder .. "/events.out.tfevents.1.run") end)
end

local function hex(digits)
  return (digits:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- Put together by hand from the descriptions of both formats; the checks by a CRC that takes bit after bit.
local VERSION = hex [[18 00 00 00 00 00 00 00  a3 7f 4b 22
  09 00 00 00 00 00 00 f8 3f
  1a 0d 62 72 61 69 6e 2e 45 76 65 6e 74 3a 32
  2a 28 64 6c]] -- wall_time 1.5, file_version "brain.Event:2"
local LOSS = hex [[1b 00 00 00 00 00 00 00  1a 0d 9e 13
  09 00 00 00 00 00 00 00 40  10 ac 02
  2a 0d 0a 0b 0a 04 6c 6f 73 73 15 00 00 20 40
  de 65 81 4e]] -- wall_time 2, step 300, summary {value {tag "loss", simple_value 2.5}}

local function write_sample(path)
  local events <close> = lac.tfevents.create(path, 1.5)
  events:scalar("loss", 2.5, 300, 2)
  return events:size()
end

function T.the_bytes_are_those_put_together_by_hand()
  with_path(function(path)
    check.equal(write_sample(path), #VERSION + #LOSS)
    check.yes(files.read(path) == VERSION .. LOSS, "the file holds something else")
  end)
end

function T.what_was_written_is_seen_after_a_flush()
  with_path(function(path)
    local events <close> = lac.tfevents.create(path, 1.5)
    check.equal(files.read(path), "")
    events:flush()
    check.yes(files.read(path) == VERSION, "the first record is not there")
    events:scalar("loss", 2.5, 300, 2)
    events:sync()
    check.yes(files.read(path) == VERSION .. LOSS, "the second record is not there")
  end)
end

-- The data of every record in a file.
local function records(text)
  local list, at = {}, 1
  while at <= #text do
    local size = string.unpack("<I8", text, at)
    list[#list + 1] = text:sub(at + 12, at + 11 + size)
    at = at + size + 16
  end
  check.equal(at, #text + 1)
  return list
end

function T.large_steps_long_tags_and_odd_values_are_written()
  with_path(function(path)
    do
      local events <close> = lac.tfevents.create(path)
      events:scalar(("x"):rep(1024), 0 / 0, math.maxinteger)
      events:scalar("a b~!", -1 / 0, 0)
      events:scalar("t", 1e300, 127)
    end
    local list = records(files.read(path))
    check.equal(#list, 4)
    check.equal(list[2]:sub(10, 19), "\x10" .. ("\xff"):rep(8) .. "\x7f")
    check.equal(list[2]:sub(20, 29), hex "2a 8b 08 0a 88 08 0a 80 08 78")
    local nan = string.unpack("<f", list[2], #list[2] - 3)
    check.yes(nan ~= nan, "NaN was not kept")
    check.equal(list[3]:sub(10), hex "10 00 2a 0e 0a 0c 0a 05 61 20 62 7e 21 15 00 00 80 ff")
    check.equal(list[4]:sub(10), hex "10 7f 2a 0a 0a 08 0a 01 74 15 00 00 80 7f")
    local wall = string.unpack("<d", list[3], 2)
    check.yes(math.abs(wall - os.time()) < 100, "the time is not now")
  end)
end

function T.a_file_goes_on_after_a_given_length()
  with_path(function(path)
    local size = write_sample(path)
    do
      local events <close> = lac.tfevents.open(path, size)
      events:scalar("loss", 1, 301, 3)
      events:scalar("loss", 1, 302, 3)
    end
    local long = files.read(path)
    check.equal(#long, #VERSION + 3 * #LOSS)
    do
      local events <close> = lac.tfevents.open(path, #VERSION)
      check.equal(events:size(), #VERSION)
      events:scalar("loss", 2.5, 300, 2)
    end
    check.yes(files.read(path) == VERSION .. LOSS, "the file was not cut")
  end)
end

function T.without_a_length_a_file_goes_on_after_its_last_whole_record()
  with_path(function(path)
    for missing = 1, #LOSS do
      files.write(path, VERSION .. LOSS:sub(1, -1 - missing))
      local events <close> = lac.tfevents.open(path)
      check.equal(events:size(), #VERSION)
      check.equal(files.read(path), VERSION)
    end
    for at = 1, #LOSS do
      files.write(path, VERSION .. LOSS:sub(1, at - 1) .. string.char(LOSS:byte(at) ~ 1) .. LOSS:sub(at + 1))
      lac.tfevents.open(path):close()
      check.equal(files.read(path), VERSION)
    end
    files.write(path, VERSION .. LOSS)
    lac.tfevents.open(path):close()
    check.equal(files.read(path), VERSION .. LOSS)
  end)
end

function T.a_length_inside_or_behind_the_records_is_refused_and_the_file_left()
  with_path(function(path)
    write_sample(path)
    for _, bytes in ipairs {#VERSION + 1, #VERSION + #LOSS - 1} do
      check.fails(("was to go on after %d bytes, but the last whole record before that ends after %d")
        :format(bytes, #VERSION), lac.tfevents.open, path, bytes)
    end
    check.fails("was to go on after 999 bytes, but .* ends after 83", lac.tfevents.open, path, 999)
    check.fails("does not begin with a whole record", lac.tfevents.open, path, 0)
    check.equal(files.read(path), VERSION .. LOSS)
    files.write(path, "no event file, but long enough to hold a length and its check")
    check.fails("run: does not begin with a whole record of a TensorBoard file", lac.tfevents.open, path)
    files.write(path, "")
    check.fails("run: does not begin", lac.tfevents.open, path)
    check.fails("run.x: cannot open: No such file", lac.tfevents.open, path .. ".x")
    check.fails("cannot read: Is a directory", lac.tfevents.open, path:match("^(.*)/"))
    os.remove(path)
    check.yes(os.execute("mkfifo " .. path))
    check.fails("run: does not begin", lac.tfevents.open, path)
  end)
end

function T.bad_tags_and_steps_are_refused()
  with_path(function(path)
    local events <close> = lac.tfevents.create(path, 1.5)
    check.fails("a tag has 1 to 1024 characters, got 0", events.scalar, events, "", 1, 1)
    check.fails("a tag has 1 to 1024 characters, got 1025", events.scalar, events, ("x"):rep(1025), 1, 1)
    check.fails("a tag is printable ASCII, got byte 0xc3 at place 2", events.scalar, events, "né", 1, 1)
    check.fails("printable ASCII, got a zero byte", events.scalar, events, "a\0b", 1, 1)
    check.fails("step must be >= 0, got %-1", events.scalar, events, "a", 1, -1)
    check.equal(events:size(), #VERSION)
  end)
end

function T.a_closed_file_says_so()
  with_path(function(path)
    local events = lac.tfevents.create(path)
    events:close()
    events:close()
    check.fails("closed file", events.scalar, events, "a", 1, 1)
    check.fails("closed file", events.size, events)
  end)
end

return T
