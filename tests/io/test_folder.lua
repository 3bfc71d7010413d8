--- lac.files: writing texts whole, making folders, holding them.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

function T.a_text_is_replaced_whole_and_no_other_file_is_left()
  files.with_folder(function(folder)
    local path = folder .. "/a.txt"
    lac.files.write(path, "one")
    lac.files.write(path, "two\0three")
    check.equal(files.read(path), "two\0three")
    local pipe = assert(io.popen("ls -A " .. folder))
    check.equal(pipe:read("a"), "a.txt\n")
    pipe:close()
    check.fails("cannot", lac.files.write, folder .. "/none/a.txt", "x")
    check.fails("is a directory", lac.files.write, folder, "x")
  end)
end

function T.folders_are_made_with_those_above_them()
  files.with_folder(function(folder)
    lac.files.make_folder(folder .. "/a/b//c/")
    lac.files.make_folder(folder .. "/a/b")
    lac.files.write(folder .. "/a/b/c/x", "")
    check.fails("a file of that name is there", lac.files.make_folder, folder .. "/a/b/c/x/y")
    check.fails("without a name", lac.files.make_folder, "")
  end)
end

function T.one_holder_at_a_time()
  files.with_folder(function(folder)
    local path = folder .. "/lock"
    local lock = lac.files.lock(path)
    check.fails("held by another process", lac.files.lock, path)
    lock:close()
    lock:close()
    lac.files.lock(path):close()
    check.fails("cannot open", lac.files.lock, folder .. "/none/lock")
  end)
end

return T
