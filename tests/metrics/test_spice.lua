-- SPICE's program is not here: a script called java stands in for it.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

-- What the stand-in knows of its arguments: $IN, $OUT.
local HEAD = [[#!/bin/sh
echo "$@" > words
IN=$4
while [ $# -gt 0 ]; do [ "$1" = -out ] && OUT=$2; shift; done
]]

local REFS = '{"7": ["A man\'s dog.", "A dog"], "9": ["Two cats, asleep"], "a": ["a bus"]}'
local HYPS = [[[{"image_id": 9, "caption": "two cats"}, {"image_id": "7", "caption": "a man 's dog"},
  {"image_id": "a", "caption": ""}]] .. "]"
local GOOD = [[cat > "$OUT" <<'END'
[{"image_id": 2, "scores": {"All": {"f": 0.5, "pr": 1.0}}}, {"image_id": 1, "scores": {"All": {"f": 0.25}}},
 {"image_id": 3, "scores": {"All": {"f": 0.0}, "Color": {"f": null}}}]
END
]]

-- Score with a stand-in that runs `script`; fn(status, output, folder).
local function with_java(script, options, fn, before)
  return files.with_folder(function(folder)
    files.write(folder .. "/spice-1.0.jar", "")
    if script then
      files.write(folder .. "/java", HEAD .. script)
      assert(os.execute(("chmod +x '%s/java'"):format(folder)))
    end
    local refs, hyps = files.write(folder .. "/r.json", REFS), files.write(folder .. "/h.json", HYPS)
    local words = ("score --refs '%s' --hyps '%s' --spice '%s' %s"):format(refs, hyps, folder, options)
    local path = script and os.getenv("PATH") or ""
    local status, text = check.run(words, ('%s PATH="%s:%s"'):format(before or "", folder, path))
    return fn(status, text, folder)
  end)
end

local function has(text, ...)
  for _, part in ipairs {...} do check.yes(text:find(part, 1, true), ("wanted %s, got: %s"):format(part, text)) end
end

function T.scores_are_those_of_the_program_by_image()
  with_java(GOOD .. 'cp "$IN" input', "--per-image --json", function(status, text, folder)
    check.yes(status == 0, text)
    local got = lac.json.decode(text)
    check.close(got.SPICE, 0.25, 1e-12)
    for i, row in ipairs {{7, 0.25}, {9, 0.5}, {"a", 0.0}} do
      check.equal({got.per_image[i].image_id, got.per_image[i].SPICE}, row)
    end
    check.equal(lac.json.decode(files.read(folder .. "/input")), {
      {image_id = 1, test = "a man 's dog", refs = {"a man 's dog", "a dog"}},
      {image_id = 2, test = "two cats", refs = {"two cats asleep"}},
      {image_id = 3, test = "", refs = {"a bus"}}})
    local words = files.read(folder .. "/words")
    check.yes(words:find("^%-jar %-Xmx8G spice%-1%.0%.jar /[^ ]+ %-out /[^ ]+ %-subset %-silent\n$"), words)
    for path in words:gmatch("/[^ ]+") do check.yes(not files.exists(path), path .. " is still there") end
  end)
end

function T.the_table_has_a_column_and_a_line_for_it()
  with_java(GOOD, "--per-image", function(status, text)
    check.yes(status == 0, text)
    has(text, "\tCIDEr\tSPICE\n", "SPICE      0.2500\nimages     3\n")
    check.yes(not text:find("SPICE (--spice)", 1, true), text)
  end)
end

function T.a_cache_folder_is_used_where_there_is_one()
  with_java('mkdir cache', "", function(_, _, folder)
    check.yes(not files.read(folder .. "/words"):find("-cache", 1, true))
    check.run(("score --refs '%s/r.json' --hyps '%s/h.json' --spice '%s'"):format(folder, folder, folder),
      ('PATH="%s:%s"'):format(folder, os.getenv("PATH")))
    has(files.read(folder .. "/words"), " -silent -cache cache\n")
  end)
end

-- As in coco-caption: what is no number makes the mean none.
function T.a_score_that_is_no_number_makes_the_mean_none()
  for _, value in ipairs {"null", "NaN", '"NaN"'} do
    local script = GOOD:gsub("0%.5", value, 1)
    with_java(script, "--per-image", function(status, text)
      check.yes(status == 0, text)
      check.yes(text:find("\nSPICE%s+%-?nan\n"), text)
      check.yes(text:find("\n7\t[^\n]*\t0%.2500\n"), text)
    end)
    with_java(script, "--json", function(_, text) check.yes(lac.json.decode(text).SPICE == lac.json.null) end)
  end
end

local function fails(script, options, ...)
  local wanted = {...}
  with_java(script, options, function(status, text)
    check.yes(status == 1, text)
    has(text, table.unpack(wanted))
    check.yes(not text:find("Bleu", 1, true), text)
  end)
end

function T.what_the_program_says_is_shown_when_it_fails()
  fails("echo one; echo 'no models here' >&2; exit 3", "",
    "SPICE: java ended with status 3; it said:\none\nno models here\n")
  fails("exit 1", "", "SPICE: java ended with status 1, and said nothing")
  fails("kill -SEGV $$", "", "SPICE: java ended with signal 11")
  fails("seq 5000; exit 1", "", "it said:\n4989\n4990\n4991\n")
end

-- Whether a process runs; one that nobody has waited for yet does not.
local function lives(pid)
  return os.execute(("sleep 0.2; kill -0 %s 2>/dev/null && ! grep -q '^State:.*Z' /proc/%s/status"):format(pid, pid))
end

function T.one_that_does_not_end_is_stopped_with_what_it_started()
  local before = os.time()
  with_java("echo begun; sleep 300 & echo $! > pid; wait", "--spice-timeout 1", function(status, text, folder)
    check.equal(status, 1)
    has(text, "SPICE: java has not ended within 1 seconds (--spice-timeout) and was stopped; it said:\nbegun\n")
    check.yes(os.time() - before < 60)
    local pid = files.read(folder .. "/pid"):match("%d+")
    check.yes(not lives(pid), "its child lives on")
  end)
end

function T.one_that_has_closed_its_output_is_waited_for()
  with_java("exec >&- 2>&-; sleep 1; " .. GOOD, "--json", function(status, text)
    check.yes(status == 0, text)
    check.close(lac.json.decode(text).SPICE, 0.25, 1e-12)
  end)
end

function T.ctrl_c_stops_it_too()
  with_java("echo $$ > pid; exec sleep 300", "", function(status, text, folder)
    check.equal({status, text}, {130, "lacuna: interrupted\n"})
    check.yes(not lives(files.read(folder .. "/pid"):match("%d+")))
  end, "timeout --foreground --preserve-status -s INT 3 env")
end

function T.answers_that_make_no_sense_are_refused()
  fails("true", "", "SPICE: java ended well, but its answer is no JSON")
  fails("echo chatter; echo '[{' > $OUT", "", "its answer is no JSON", "it said:\nchatter\n")
  fails("echo 3 > $OUT", "", "its answer is no list")
  fails("echo '[]' > $OUT", "", "its answer has no score of caption 1 of 3")
  fails("echo '[{\"image_id\": 4, \"scores\": {\"All\": {\"f\": 1}}}]' > $OUT", "", "a row without an image or a score")
  fails("echo '[{\"image_id\": 1, \"scores\": 5}]' > $OUT", "", "a row without an image or a score")
  fails("echo '[3]' > $OUT", "", "a row without an image or a score")
  fails("head -c 100000 /dev/zero > $OUT", "", "its answer is no JSON")
end

function T.what_is_missing_is_said_before_the_work_begins()
  with_java(nil, "", function(status, text)
    check.equal(status, 1)
    has(text, "cannot start java: No such file or directory")
  end)
  files.with_folder(function(folder)
    local status, text = check.run(("score --refs r --hyps h --spice '%s'"):format(folder))
    check.equal(status, 1)
    has(text, folder .. ": there is no spice-1.0.jar in this folder")
  end)
  local status, text = check.run("score --refs r --hyps h --spice x --spice-timeout 0")
  check.equal(status, 2)
  has(text, "--spice-timeout must be at least 1, got 0")
end

return T
