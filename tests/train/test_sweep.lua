--- Sweeps of a toy recipe: in this process with a host that stops when told, and through the command line.
local lac = require "lac"
local Sweep = require "train.sweep"
local check = require "check"
local files = require "files"
local grid = require "train.grid"
local native = require "cli.native"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"
local supermask = require "prune.supermask"
local toy = require "toy"

local T = {}

-- A method that starts from a dense run.
local late = {defaults = {start = require("core.config").optional("string")}, needs = {"prune=false"}}
for key, value in pairs(supermask.defaults) do late.defaults[key] = value end
function late.new(cfg)
  local own = {}
  for key, value in pairs(cfg) do if key ~= "start" then own[key] = value end end
  return supermask.new(own)
end

local function how()
  local with = recipes.how {trusted = true}
  local find = with.find
  with.find = function(part, name) return part == "prune" and name == "late" and late or find(part, name) end
  return with
end

local function quiet_host(stop)
  local host, nothing = recipes.host(), function() end
  host.progress = {start = nothing, update = nothing, note = nothing, finish = nothing}
  host.print, host.stop = nothing, stop
  return host
end

-- A sweep in this process; `options.stop` says when to end, `said` collects what it tells.
local function new_sweep(folder, path, words, options)
  options = options or {}
  local with, said = how(), {}
  local sources, stop = recipe.sources(path, with), options.stop or function() return false end
  local points = grid.points(sources, grid.parse(words), folder .. "/out", with)
  local sweep = Sweep {points = points, sources = sources, how = with, stop = stop,
                       host = function() return quiet_host(stop) end,
                       sleep = options.sleep or function() error("nothing to wait for") end,
                       say = function(text) said[#said + 1] = text end, finished = options.finished or function() end}
  return sweep, said, points
end

local function with_late(test)
  package.loaded["prune.late"] = late
  local results = table.pack(pcall(files.with_folder, test))
  package.loaded["prune.late"] = nil
  if not results[1] then error(results[2], 0) end
end

local function result_of(point)
  return lac.json.decode(files.read(point.path .. "/result.json"))
end

local function log_of(point)
  return (files.read(point.path .. "/log.jsonl"):gsub('"time": %d+', ""))
end

function T.every_point_is_a_run_of_its_own_and_done_only_once()
  files.with_folder(function(folder)
    local path, finished = toy.pruning(folder), {}
    local words = {"stages.1.epochs=1", "prune.target=0.5,0.7", "seed=1,2"}
    local sweep, said, points = new_sweep(folder, path, words,
      {finished = function(point) finished[#finished + 1] = point.name end})
    check.equal(sweep:go(), true)
    check.equal(#said, 4)
    check.yes(said[2]:find("^run 2 of 4: .*,prune.target=0.5,stages.1.epochs=1,seed=2$"), said[2])
    for i, point in ipairs(points) do
      check.equal(finished[i], point.name)
      check.equal({Sweep.look(point)}, {"done"})
      check.equal(lac.json.decode(files.read(point.path .. "/config.json")).overrides, point.overrides)
    end
    check.yes(log_of(points[1]) ~= log_of(points[2]))
    sweep, said = new_sweep(folder, path, words)
    check.equal({sweep:go(), #said}, {true, 0})
  end)
end

function T.a_sweep_stopped_at_any_step_goes_on_to_the_same_bits()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    local words = {"prune.target=0.5,0.99", "prune.weight=500", "prune.lr=3000", "stages.1.epochs=2",
                   "save.every=100000"}
    local whole, _, want = new_sweep(folder .. "/whole", path, words)
    check.equal(whole:go(), true)
    local seen = {}
    for _, after in ipairs {1, 9, 14, 30, 38} do -- how often it is asked whether to stop: at steps and evaluations
      local asked, part = 0, folder .. "/part" .. after
      local sweep, _, points = new_sweep(part, path, words, {stop = function()
        asked = asked + 1
        return asked >= after
      end})
      check.equal(sweep:go(), false)
      check.equal(files.exists(points[2].path .. "/result.json"), false)
      local states = Sweep.look(points[1]) .. ", " .. Sweep.look(points[2])
      if states == "done, begun" then
        local warned = log_of(points[2]):find("collapsed", 1, true) and "warned"
        seen[warned or "not warned"] = true
      end
      seen[states] = true
      local again, said = new_sweep(part, path, words)
      check.equal(again:go(), true)
      check.equal(said[1]:find(", goes on$") ~= nil, states:find("begun") ~= nil)
      for i, point in ipairs(points) do
        check.equal(files.read(point.path .. "/result.json"), files.read(want[i].path .. "/result.json"))
        check.equal(log_of(point), log_of(want[i]))
      end
    end
    for _, moment in ipairs {"new, new", "begun, new", "done, begun", "not warned", "warned"} do
      check.yes(seen[moment], "no moment was " .. moment)
    end
  end)
end

function T.a_run_that_fails_is_noted_and_the_others_go_on()
  files.with_folder(function(folder)
    local path, words = toy.recipe(folder), {"model.vocab=5,40", "stages.1.epochs=1"}
    local sweep, said, points = new_sweep(folder, path, words)
    check.equal(sweep:go(), true)
    local sentence = "model.vocab is 5, but the data file has 16 words"
    check.equal({#sweep.failures, sweep.failures[1].point.name, sweep.failures[1].message},
      {1, points[1].name, sentence})
    check.equal(files.read(points[1].path .. "/failed.txt"), sentence .. "\n")
    check.equal({Sweep.look(points[1])}, {"failed", sentence})
    check.equal(Sweep.look(points[2]), "done")
    check.equal(said[2], points[1].name .. " failed: " .. sentence)
    sweep, said = new_sweep(folder, path, words) -- it is tried again, the other is not
    check.equal({sweep:go(), #sweep.failures, #said}, {true, 1, 2})
  end)
end

function T.a_run_that_diverges_fails_with_its_memory_given_back()
  files.with_folder(function(folder)
    local sweep, _, points = new_sweep(folder, toy.recipe(folder), {"optim.name=sgd", "optim.lr=1e30,0.01",
                                                                   "stages.1.epochs=1", "log.every=1"})
    local before = lac.device.memory().used_bytes
    check.equal(sweep:go(), true)
    collectgarbage()
    check.equal(lac.device.memory().used_bytes, before)
    check.yes(sweep.failures[1].message:find("no longer a finite number"), sweep.failures[1].message)
    check.equal({Sweep.look(points[1]), Sweep.look(points[2])}, {"failed", "done"})
  end)
end

function T.what_another_process_holds_is_looked_at_again_at_the_end()
  files.with_folder(function(folder)
    local path, words = toy.recipe(folder), {"seed=1,2", "stages.1.epochs=1"}
    local waited, held = 0, nil
    local sweep, said, points = new_sweep(folder, path, words, {sleep = function()
      waited = waited + 1
      if waited == 2 then held:close() end -- it ended, and left its run half done
    end})
    lac.files.make_folder(points[1].path)
    held = lac.files.lock(points[1].path .. "/lock")
    check.equal(Sweep.look(points[1]), "running")
    check.equal(sweep:go(), true)
    check.equal({waited, #said}, {2, 3})
    check.yes(said[1]:find("^run 2 of 2: "), said[1])
    check.yes(said[2]:find("^waiting for other processes, which hold .*,seed=1$"), said[2])
    check.yes(said[3]:find("^run 1 of 2: "), said[3])
    check.equal({Sweep.look(points[1]), Sweep.look(points[2])}, {"done", "done"})
  end)
end

function T.the_run_that_a_method_starts_from_is_made_first()
  with_late(function(folder)
    local words = {"prune.method=late", "prune.target=0.5,0.7", "prune.lr=300", "stages.1.epochs=1"}
    local sweep, said, points = new_sweep(folder, toy.recipe(folder), words)
    check.equal({sweep:go(), #said, #points}, {true, 3, 3})
    check.equal(result_of(points[1]).model:find("sparse"), nil)
    local config = lac.json.decode(files.read(points[3].path .. "/config.json"))
    check.equal(config.recipe.prune.start, points[1].path)
  end)
end

function T.what_starts_from_a_run_that_failed_fails_too()
  with_late(function(folder)
    local sweep, _, points = new_sweep(folder, toy.recipe(folder), {"prune.method=late", "prune.target=0.5",
                                                                   "model.vocab=5"})
    check.equal({sweep:go(), #sweep.failures}, {true, 2})
    check.equal(sweep.failures[2].message, points[1].name .. ", the run that it starts from, failed")
  end)
end

function T.a_folder_with_runs_of_other_settings_is_refused()
  files.with_folder(function(folder)
    local path, words = toy.recipe(folder), {"seed=1", "stages.1.epochs=1"}
    local sweep, _, points = new_sweep(folder, path, words)
    check.equal(sweep:go(), true)
    local text = files.read(path)
    files.write(path, "-- the same in other words\n" .. text)
    new_sweep(folder, path, words):check_same(points[1])
    files.write(path, (text:gsub("hidden = 12", "hidden = 13")))
    sweep, _, points = new_sweep(folder, path, words)
    check.fails("seed=1 was run with model.hidden = 12, and the recipe now says 13; choose another %-%-out",
      sweep.check_same, sweep, points[1])
  end)
end

-- Going back to a step --------------------------------------------------------------------------------

local function lottery(rewind)
  return {"prune.method=lottery", "prune.target=0.8", "stages.1.epochs=1", "prune.rewind=" .. rewind}
end

local function check_keeps(sweep, points)
  for _, point in ipairs(points) do
    sweep:check_same(point)
    sweep:check_keeps(point)
  end
end

function T.a_dense_run_keeps_the_steps_that_tickets_go_back_to()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    local sweep, _, points = new_sweep(folder, path, lottery "2,4")
    check_keeps(sweep, points)
    check.equal({sweep:go(), #sweep.failures, #points}, {true, 0, 3})
    for _, step in ipairs {2, 4} do check.yes(files.exists(("%s/step_%d.h5"):format(points[1].path, step))) end
    for _, rewind in ipairs {"init", "4"} do -- a sweep that asks for less or nothing finds the same dense run
      sweep, _, points = new_sweep(folder, path, lottery(rewind))
      check_keeps(sweep, points)
      check.equal({sweep:go(), #sweep.failures, Sweep.look(points[2])}, {true, 0, "done"})
    end
    sweep, _, points = new_sweep(folder, path, lottery "4,5")
    check.fails("prune.rewind: %S*toy,prune.method=lottery,prune.rewind=5,%S* goes back to step 5, and %S*/out/%S*"
      .. ",prune=false,%S* has passed that step without keeping its weights; remove that folder", check_keeps, sweep,
      points)
  end)
end

function T.a_begun_dense_run_keeps_steps_that_are_still_to_come()
  files.with_folder(function(folder)
    local path, asked = toy.recipe(folder), 0
    local sweep, _, points = new_sweep(folder, path, lottery "init", {stop = function()
      asked = asked + 1
      return asked > 3 -- before the sweep's first run, and after its steps
    end})
    check.equal({sweep:go(), Sweep.look(points[1])}, {false, "begun"}) -- after step 2
    sweep, _, points = new_sweep(folder, path, lottery "1")
    check.fails("goes back to step 1, and .* has passed that step", check_keeps, sweep, points)
    sweep, _, points = new_sweep(folder, path, lottery "5")
    check_keeps(sweep, points)
    check.equal({sweep:go(), #sweep.failures, Sweep.look(points[2])}, {true, 0, "done"})
    check_keeps(sweep, points)
  end)
end

function T.a_step_beyond_the_end_of_the_dense_run_is_refused_first()
  files.with_folder(function(folder)
    local words = "sweep %s prune.method=lottery prune.target=0.8 stages.1.epochs=1 prune.rewind=7 --out %s/out"
    local status, text = check.run(words:format(toy.recipe(folder), folder))
    check.equal(status, 1)
    check.yes(text:find("^lacuna: prune.rewind: %S*rewind=7%S* goes back to step 7, but %S*,prune=false,%S*, which it "
      .. "starts from, ends after 6\n$"), text)
    check.equal(native.list(folder .. "/out"), nil)
  end)
end

-- The command ----------------------------------------------------------------------------------------

function T.names_of_any_length_are_listed()
  files.with_folder(function(folder)
    local status, text = check.run(("sweep %s data.path=%s,%s --out %s/out --list"):format(toy.recipe(folder),
      ("x"):rep(120), folder, folder))
    check.equal({status, select(2, text:gsub("[^\n]  to do\n", ""))}, {0, 2})
  end)
end

function T.the_command_prints_the_table_and_leaves_it_with_a_chart()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    local command = ("sweep %s prune.target=0.5,0.7 stages.1.epochs=1 --out %s/out/"):format(path, folder)
    local status, text = check.run(command .. " --list")
    check.equal(status, 0)
    check.equal(select(2, text:gsub("  to do\n", "")), 2)
    check.equal(native.list(folder .. "/out"), nil)
    status, text = check.run(command)
    check.equal(status, 0)
    check.yes(text:find("lacuna: run 2 of 2: ", 1, true), text)
    check.yes(text:find("\n| supermask | ", 1, true) and text:find("| method    | 50 %  ", 1, true), text)
    for _, name in ipairs {"table.md", "table.csv", "chart.svg"} do
      check.yes(files.exists(folder .. "/out/" .. name), name .. " is missing")
    end
    check.equal(check.run(("sweep %s stages.1.epochs=1 prune=false --out %s/out"):format(path, folder)), 0)
    check.yes(files.read(folder .. "/out/table.md"):find("\n| dense +| "), "the second sweep adds no row")
    status, text = check.run(command .. " --list")
    check.equal({status, select(2, text:gsub("  finished\n", ""))}, {0, 2})
  end)
end

function T.mistakes_are_one_sentence_before_anything_runs()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    for words, sentence in pairs {
      ["prune.target=0.5,2"] = "target must be in %[0, 1%), got 2.*%(in the run with prune.target=2%)",
      ["seed=1 seed=2"] = "seed=2: seed is given twice", ["seed="] = "seed=: there is no value behind =",
      ["sede=1,2"] = 'unknown key "sede"; did you mean "seed"', ["seed"] = "seed: an override is written key=value",
    } do
      local status, text = check.run(("sweep %s %s --out %s/out"):format(path, words, folder))
      check.equal({status, select(2, text:gsub("\n", ""))}, {1, 1})
      check.yes(text:find(sentence), text)
      check.equal(native.list(folder .. "/out"), nil)
    end
  end)
end

function T.the_command_ends_with_1_and_a_list_where_runs_failed()
  files.with_folder(function(folder)
    local status, text = check.run(("sweep %s model.vocab=5,40 stages.1.epochs=1 --out %s/out"):format(
      toy.recipe(folder), folder))
    check.equal(status, 1)
    check.yes(text:find("\n| dense", 1, true), text)
    check.yes(text:find("lacuna: one run failed:\n  [^\n]*model.vocab=5[^\n]*: model.vocab is 5, but the data file "
      .. "has 16 words\n$"), text)
  end)
end

-- Start a sweep, send it a signal once a shell command says so, and wait for its end.
local function interrupted(folder, arguments, moment)
  local script = ([[
    %s sweep %s --out %s/out >%s/text 2>&1 &
    while ! { %s; } 2>/dev/null && kill -0 $! 2>/dev/null; do sleep 0.05; done
    kill -INT $!
    wait $!
    echo $?]]):format(check.settings.lacuna, arguments, folder, folder, moment)
  local pipe = assert(io.popen(script))
  local status = tonumber(pipe:read("a"))
  pipe:close()
  return status, files.read(folder .. "/text")
end

function T.ctrl_c_saves_and_the_same_command_goes_on()
  files.with_folder(function(folder)
    local words = toy.recipe(folder) .. " seed=1,2 stages.1.epochs=40 save.every=100000 eval.every=100000"
    local status, text = interrupted(folder, words, ("cat %s/out/*/log.jsonl | grep -q ."):format(folder))
    check.equal(status, 130)
    check.yes(text:find("stopped and saved; the same command goes on\n$"), text)
    status, text = check.run(("sweep %s --out %s/out"):format(words, folder))
    check.equal(status, 0)
    check.yes(text:find("run 1 of 2: [^\n]*, goes on\n"), text)
    check.yes(text:find("| dense  | ", 1, true), text)
  end)
end

function T.ctrl_c_ends_waiting_for_another_process()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    lac.files.make_folder(folder .. "/out/" .. recipe.name_of(path) .. ",prune=false,seed=1")
    local held <close> = lac.files.lock(("%s/out/%s,prune=false,seed=1/lock"):format(folder, recipe.name_of(path)))
    local status, text = interrupted(folder, path .. " seed=1", ("grep -q waiting %s/text"):format(folder))
    check.equal(status, 130)
    check.yes(text:find("waiting for other processes, which hold [^\n]*,seed=1\n.*the same command goes on\n$"), text)
    text = select(2, check.run(("sweep %s seed=1 --out %s/out --list"):format(path, folder)))
    check.yes(text:find(",seed=1  held by another process\n$"), text)
  end)
end

function T.two_processes_share_the_work()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    local script = ([[
      for i in 1 2; do %s sweep %s seed=1,2,3,4,5,6 --out %s/out >%s/text$i 2>&1 & done
      wait]]):format(check.settings.lacuna, path, folder, folder)
    assert(os.execute(script))
    local begun = {}
    for i = 1, 2 do
      local text = files.read(folder .. "/text" .. i)
      check.yes(text:find("\n| dense  | ", 1, true) and not text:find("failed"), text)
      check.yes(text:find("%)  |\n") or not text:find("of 6 seeds", 1, true), text)
      for name in text:gmatch("lacuna: run %d of 6: (%S+)") do begun[name] = (begun[name] or 0) + 1 end
    end
    local count = 0
    for _ in pairs(begun) do count = count + 1 end
    check.equal(count, 6)
  end)
end

return T
