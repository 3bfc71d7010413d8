local lac = require "lac"
local check = require "check"
local files = require "files"
local journal = require "train.journal"

local T = {}

local function with_path(fn)
  files.with_folder(function(folder) return fn(folder .. "/log.jsonl") end)
end

function T.entries_are_lines_with_sorted_keys_at_once_in_the_file()
  with_path(function(path)
    local log <close> = journal.create(path)
    log:write {step = 1, event = "train", loss = 0.5, list = {3, 1}}
    local first = '{"event": "train", "list": [3, 1], "loss": 0.5, "step": 1}\n'
    check.equal(files.read(path), first)
    check.equal(log:size(), #first)
    log:write {text = "two\nlines é"}
    check.equal(files.read(path), first .. '{"text": "two\\nlines é"}\n')
    log:sync()
    check.equal(log:size(), #files.read(path))
  end)
end

function T.what_json_cannot_hold_is_written_as_a_word()
  with_path(function(path)
    local log <close> = journal.create(path)
    local empty = lac.json.array {}
    log:write {a = 0 / 0, b = {1 / 0, -1 / 0}, c = empty, d = lac.json.null}
    check.equal(files.read(path), '{"a": "NaN", "b": ["Infinity", "-Infinity"], "c": [], "d": null}\n')
    check.fails("journal: an entry is a table, got a nil", log.write, log)
    check.fails("json", log.write, log, {f = print})
    local loop = {}
    loop.loop = loop
    check.fails("nested deeper than 200", log.write, log, loop)
    check.equal(log:size(), #files.read(path))
  end)
end

function T.a_resumed_log_has_no_repeats()
  with_path(function(path)
    local at, whole
    do
      local log <close> = journal.create(path)
      for step = 1, 10 do
        log:write {step = step}
        if step == 6 then at = log:size() end
      end
      whole = files.read(path)
    end
    do
      local log <close> = journal.open(path, at)
      check.equal(log:size(), at)
      for step = 7, 10 do log:write {step = step} end
    end
    check.equal(files.read(path), whole)
  end)
end

function T.half_a_last_line_is_cut_off()
  with_path(function(path)
    local line = '{"step": 1}\n'
    for extra = 0, #line - 1 do
      files.write(path, line:rep(3) .. line:sub(1, extra))
      journal.open(path):close()
      check.equal(files.read(path), line:rep(3))
      files.write(path, line:rep(3) .. line:sub(1, extra))
      journal.open(path, 2 * #line):close()
      check.equal(files.read(path), line:rep(2))
    end
    for _, text in ipairs {"", '{"step', ("x"):rep(10000)} do
      files.write(path, text)
      journal.open(path):close()
      check.equal(files.read(path), "")
      files.write(path, text)
      journal.open(path, 0):close()
      check.equal(files.read(path), "")
    end
    local long = '{"text": "' .. ("x"):rep(9000) .. '"}\n'
    for _, size in ipairs {1, 4095, 4096, 4097, 9000} do
      files.write(path, long .. ("x"):rep(size))
      journal.open(path):close()
      check.yes(files.read(path) == long, "cut at the wrong place with " .. size)
    end
  end)
end

function T.a_log_that_does_not_fit_is_refused_and_left()
  with_path(function(path)
    local text = '{"step": 1}\n{"step": 2}\n'
    files.write(path, text)
    for _, bytes in ipairs {1, 11, 13, 23} do
      check.fails(("log.jsonl: was to go on after %d bytes, but the last whole line .* ends after %d;")
        :format(bytes, bytes < 12 and 0 or 12), journal.open, path, bytes)
    end
    check.fails("was to go on after 99 bytes, but the last whole line .* ends after 24", journal.open, path, 99)
    check.equal(files.read(path), text)
    check.fails("No such file", journal.open, path .. "x")
    check.fails("log.jsonl/x: cannot open: Not a directory", journal.create, path .. "/x")
    check.fails("cannot read: Is a directory", journal.open, path:match("^(.*)/"))
  end)
end

return T
