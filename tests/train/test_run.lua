--- Runs of a toy recipe through the command line: what is in the folder, stopping, being killed, resuming.
local lac = require "lac"
local check = require "check"
local files = require "files"
local runs = require "runs"
local toy = require "toy"

local T = {}

local function lacuna(arguments, before)
  return check.run(arguments, before)
end

function T.a_run_leaves_a_folder_that_explains_itself()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s stages.1.epochs=40 eval.every=40 prune.lr=100"):format(folder,
      toy.pruning(folder)))
    check.equal(status, 0)
    check.yes(text:find("test split: BLEU%-1 "), text)
    check.yes(text:find("\n100 %% [^\n]* loss [%d.]+  sparsity %d+%.%d%d %%\n"), text)
    check.yes(text:find("\nstep 40: BLEU%-4 [%d.]+, ROUGE%-L [%d.]+, CIDEr [%d.]+, sparsity %d+%.%d%d %%"), text)
    for _, name in ipairs {"recipe.lua", "base.lua", "config.json", "device.json", "log.jsonl", "result.json",
                           "sparsity.csv", "layers.csv", "last.h5", "events.out.tfevents.lacuna",
                           "val_beam_1/scores.csv",
                           "best.h5", "best_sparse.h5", "val_beam_1/caption_00000040.json", "test_beam_1/scores.csv"} do
      check.yes(files.exists(folder .. "/run/" .. name), name .. " is missing")
    end
    local config = lac.json.decode(files.read(folder .. "/run/config.json"))
    check.equal(config.recipe.prune.target, 0.5)
    local result = lac.json.decode(files.read(folder .. "/run/result.json"))
    check.yes(math.abs(result.sparsity - 0.5) <= 0.05, "sparsity " .. result.sparsity)
    check.yes(result.test.CIDEr > 0.5, "CIDEr " .. result.test.CIDEr)
    local steps = 0
    for line in files.read(folder .. "/run/log.jsonl"):gmatch("[^\n]+") do
      local record = lac.json.decode(line)
      if record.loss then
        steps = steps + 1
        check.equal(record.step % 3 == 0, true)
      end
    end
    check.equal(steps, 80)
  end)
end

function T.the_same_recipe_twice_gives_the_same_models()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    for _, name in ipairs {"one", "two"} do
      check.equal(lacuna(("run --out %s/%s %s"):format(folder, name, path)), 0)
    end
    runs.check_same(folder .. "/one", folder .. "/two")
    check.equal(lacuna(("run --out %s/three %s seed=4"):format(folder, path)), 0)
    check.yes(runs.lines_without_times(folder .. "/one/log.jsonl") ~=
      runs.lines_without_times(folder .. "/three/log.jsonl"))
  end)
end

-- Let a run be killed at the n-th point, resume it until it ends, and compare with one that was not.
local function kill_and_resume(folder, path, whole, before, n)
  local run = ("%s/killed%d"):format(folder, n)
  local status = lacuna(("run --out %s %s"):format(run, path), before)
  if status == 0 then return false end
  check.equal(status, 137) -- SIGKILL
  for _, name in ipairs {"last.h5", "best.h5", "best_sparse.h5"} do
    if files.exists(run .. "/" .. name) then
      lac.hdf5.open(run .. "/" .. name):close() -- verifies the checksum
    end
  end
  local again = files.exists(run .. "/config.json") and "resume " .. run or ("run --out %s %s"):format(run, path)
  local text
  status, text = lacuna(again)
  check.yes(status == 0, text)
  runs.check_same(whole, run)
  os.execute("rm -rf " .. run)
  return true
end

function T.a_run_killed_at_any_moment_resumes_to_the_same_bits()
  if not lac.fault then check.skip("a build without LAC_FAULTS") end
  files.with_folder(function(folder)
    toy.pruning(folder)
    local path, killed, n = files.write(folder .. "/self-critical.lua", [[return {base = "pruned", stages = {
      {epochs = 4}, {epochs = 2, lr = 1e-3, masks = "frozen", loss = {name = "scst", samples = 3}}}}]]), 0, 1
    local whole = folder .. "/whole"
    check.equal(lacuna(("run --out %s %s"):format(whole, path)), 0)
    while kill_and_resume(folder, path, whole, "LACUNA_KILL=" .. n, n) do
      killed = killed + 1
      n = n + 3 + n // 7 -- close together around the first saves, further apart later
    end
    check.yes(killed >= 20, "only " .. killed .. " moments")
  end)
end

-- Start a run, send it a signal once it has logged something, and wait for its end.
local function interrupted(signal, run, arguments)
  local script = ([[
    %s run --out %s %s >%s.txt 2>&1 &
    while [ ! -s %s/log.jsonl ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
    kill -%s $!
    wait $!
    echo $?]]):format(check.settings.lacuna, run, arguments, run, run, signal)
  local pipe = assert(io.popen(script))
  local status = tonumber(pipe:read("a"))
  pipe:close()
  return status, files.read(run .. ".txt")
end

function T.ctrl_c_saves_and_resume_goes_on()
  files.with_folder(function(folder)
    local slow = toy.pruning(folder) .. " stages.1.epochs=40 save.every=100000 eval.every=100000"
    check.equal(lacuna(("run --out %s/whole %s"):format(folder, slow)), 0)
    local status, text = interrupted("INT", folder .. "/run", slow)
    check.equal(status, 130)
    check.yes(text:find("stopped and saved; lacuna resume .*/run goes on"), text)
    check.equal(files.exists(folder .. "/run/result.json"), false)
    check.equal(lacuna("resume " .. folder .. "/run"), 0)
    runs.check_same(folder .. "/whole", folder .. "/run")
  end)
end

function T.a_request_to_terminate_saves_too()
  files.with_folder(function(folder)
    local slow = toy.recipe(folder) .. " stages.1.epochs=4000 save.every=100000 eval.every=100000"
    local status = interrupted("TERM", folder .. "/run", slow)
    check.equal(status, 130)
    local scope <close> = lac.scope()
    check.yes(require("train.state").read(folder .. "/run/last.h5").loop.step > 0, "the first checkpoint is the last")
  end)
end

function T.a_finished_run_is_not_run_again()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, path)), 0)
    local status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 0)
    check.yes(text:find("is finished:"), text)
    status, text = lacuna(("run --out %s/run %s"):format(folder, path))
    check.equal(status, 1)
    check.yes(text:find("is a run already; lacuna resume"), text)
  end)
end

function T.a_run_is_not_resumed_with_other_data()
  files.with_folder(function(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, toy.recipe(folder))), 0)
    os.remove(folder .. "/run/result.json")
    toy.data(folder, 48)
    local status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("toy.h5 is not the data file that this run began with"), text)
  end)
end

function T.a_run_finds_its_data_where_they_were_moved_to()
  files.with_folder(function(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, toy.recipe(folder))), 0)
    os.remove(folder .. "/run/result.json")
    os.rename(folder .. "/toy.h5", folder .. "/moved.h5")
    local status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("toy.h5"), text)
    check.equal(lacuna(("resume %s/run data.path=%s/moved.h5"):format(folder, folder)), 0)
    check.equal(lacuna(("resume %s/run optim.lr=1"):format(folder)), 2)
  end)
end

function T.what_is_no_run_cannot_be_resumed()
  files.with_folder(function(folder)
    local status, text = lacuna("resume " .. folder)
    check.equal(status, 1)
    check.equal(text, ("lacuna: %s is no folder of a run: there is no config.json in it\n"):format(folder))
  end)
end

function T.a_checkpoint_that_was_damaged_is_refused()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    local status = lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, path))
    check.equal(status, 0)
    os.remove(folder .. "/run/result.json")
    local bytes = files.read(folder .. "/run/last.h5")
    files.write(folder .. "/run/last.h5", bytes:sub(1, #bytes // 2))
    local text
    status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("last.h5: .*truncated") or text:find("truncated"), text)
  end)
end

function T.a_full_disk_ends_the_run_in_one_sentence_and_loses_nothing()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    if os.execute(("mkdir %s/small && mount -t tmpfs -o size=400k tmpfs %s/small 2>/dev/null"):format(folder, folder))
      ~= true then check.skip("no right to mount a small tmpfs here") end
    local good, message = pcall(function()
      local status, text = lacuna(("run --out %s/small/run %s"):format(folder, path))
      check.equal(status, 1)
      check.yes(text:find("No space left on device"), text)
      check.equal(select(2, text:gsub("lacuna: [^\n]*No space", "")), 1)
      if files.exists(folder .. "/small/run/last.h5") then
        lac.hdf5.open(folder .. "/small/run/last.h5"):close()
      end
      os.execute(("cp -r %s/small/run %s/run"):format(folder, folder))
    end)
    os.execute(("umount %s/small"):format(folder))
    if not good then error(message, 0) end
    check.equal(lacuna("resume " .. folder .. "/run"), 0) -- with room it goes on
  end)
end

function T.two_processes_cannot_have_one_run()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, path)), 0)
    os.remove(folder .. "/run/result.json")
    local lock <close> = lac.files.lock(folder .. "/run/lock")
    local status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("is held by another process"), text)
  end)
end

function T.a_model_that_prunes_nothing_is_said_to()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s stages.1.epochs=1 prune.weight=0 prune.target=0.9"):format(folder,
      toy.pruning(folder)))
    check.equal(status, 0)
    check.yes(text:find("no evaluation found the sparsity within 5 %%"), text)
    check.yes(files.exists(folder .. "/run/last_sparse.h5"))
  end)
end

function T.a_layer_that_collapses_is_named_once()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s stages.1.epochs=4 prune.target=0.99 prune.weight=500 "
      .. "prune.lr=3000"):format(folder, toy.pruning(folder)))
    check.equal(status, 0)
    local warning = "warning: the layer ctx2att%.weight has collapsed, 0 of its 72 weights are left\n"
    check.equal(select(2, text:gsub("step 10: " .. warning, "")), 1)
    check.equal(select(2, text:gsub(warning, "")), 1)
    check.yes(text:find("\nstep 20: BLEU"), "it was not evaluated again")
    local named = {}
    for line in files.read(folder .. "/run/log.jsonl"):gmatch("[^\n]+") do
      local record = lac.json.decode(line)
      if record.collapsed then
        check.equal(named[record.collapsed], nil)
        named[record.collapsed] = record
      end
    end
    check.equal({named["ctx2att.weight"].step, named["ctx2att.weight"].kept, named["ctx2att.weight"].size}, {10, 0, 72})
  end)
end

function T.a_pattern_that_matches_nothing_is_an_error()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s \"prune.freeze={'core.nothing'}\""):format(folder,
      toy.pruning(folder)))
    check.equal(status, 1)
    check.yes(text:find('freeze: "core.nothing" matches nothing', 1, true), text)
    check.equal(files.exists(folder .. "/run/config.json"), false)
  end)
end

function T.a_data_file_that_is_missing_or_damaged_is_named()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s"):format(folder, toy.recipe(folder, folder .. "/none.h5")))
    check.equal(status, 1)
    check.yes(text:find("none.h5", 1, true), text)
    local data = toy.data(folder)
    files.write(data, files.read(data):sub(1, 2000))
    status, text = lacuna(("run --out %s/run %s"):format(folder, toy.recipe(folder, data)))
    check.equal(status, 1)
    check.yes(text:find("toy.h5", 1, true) and text:find("truncated"), text)
  end)
end

function T.a_recipe_itself_cannot_run_for_ever()
  files.with_folder(function(folder)
    local path = files.write(folder .. "/endless.lua", "while true do end")
    local base = files.write(folder .. "/r.lua", 'return {base = "endless"}')
    for _, command in ipairs {"plan " .. path, "plan " .. base, "run " .. base} do
      local status, text = lacuna(command)
      check.equal(status, 1)
      check.yes(text:find("instructions"), text)
    end
  end)
end

function T.a_recipe_shorter_than_its_checkpoint_is_not_resumed()
  files.with_folder(function(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=2"):format(folder, toy.recipe(folder))), 0)
    os.remove(folder .. "/run/result.json")
    local config = files.read(folder .. "/run/config.json")
    files.write(folder .. "/run/config.json", (config:gsub("stages.1.epochs=2", "stages.1.epochs=1")))
    local status, text = lacuna("resume " .. folder .. "/run")
    check.equal(status, 1)
    check.yes(text:find("written after 12 steps, but the recipe has only 6"), text)
  end)
end

function T.logs_that_were_deleted_begin_anew()
  files.with_folder(function(folder)
    check.equal(lacuna(("run --out %s/run %s stages.1.epochs=1"):format(folder, toy.recipe(folder))), 0)
    for _, name in ipairs {"result.json", "log.jsonl", "events.out.tfevents.lacuna"} do
      os.remove(folder .. "/run/" .. name)
    end
    check.equal(lacuna("resume " .. folder .. "/run"), 0)
  end)
end

function T.data_without_a_validation_split_train_to_the_end()
  files.with_folder(function(folder)
    local source = toy.source()
    for _, image in ipairs(source.images) do if image.split == "val" then image.split = "train" end end
    require("data.build").write(folder .. "/toy.h5", source, {coverage = 1})
    local status, text = lacuna(("run --out %s/run %s stages.1.epochs=2"):format(folder,
      toy.recipe(folder, folder .. "/toy.h5")))
    check.equal(status, 0)
    check.yes(text:find("run/last.h5: "), text)
  end)
end

function T.a_vocabulary_smaller_than_the_datas_is_refused()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s model.vocab=5"):format(folder, toy.recipe(folder)))
    check.equal(status, 1)
    check.yes(text:find("model.vocab is 5, but the data file has %d+ words"), text)
  end)
end

function T.a_recipes_function_cannot_run_for_ever()
  files.with_folder(function(folder)
    toy.recipe(folder)
    local path = files.write(folder .. "/endless.lua",
      'return {base = "toy", optim = {lr = function() while true do end end}}')
    local status, text = lacuna(("run --out %s/run %s"):format(folder, path))
    check.equal(status, 1)
    check.yes(text:find("instructions"), text)
  end)
end

function T.a_loss_that_is_not_finite_ends_the_run_with_advice()
  files.with_folder(function(folder)
    local status, text = lacuna(("run --out %s/run %s optim.name=sgd optim.lr=1e30 log.every=1"):format(folder,
      toy.recipe(folder)))
    check.equal(status, 1)
    check.yes(text:find("no longer a finite number at step %d+ .*; a smaller optim.lr"), text)
    status, text = lacuna(("run --out %s/two %s optim.name=sgd optim.lr=1e30 eval.every=1 log.every=100"):format(folder,
      toy.recipe(folder)))
    check.equal(status, 1)
    check.yes(text:find("no longer a finite number"), text)
  end)
end

return T
