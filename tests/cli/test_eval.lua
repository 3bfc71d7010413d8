local lac = require "lac"
local check = require "check"
local files = require "files"
local toy = require "toy"

local T = {}

-- A short run; its folder and data file.
local function with_run(fn)
  files.with_folder(function(folder)
    check.equal(check.run(("run --out %s/run %s stages.1.epochs=2"):format(folder, toy.recipe(folder))), 0)
    fn(folder .. "/run", folder .. "/toy.h5", folder)
  end)
end

-- Give a function the folder of a dense and a pruned run of the toy recipe, trained once.
local function with_runs(fn)
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    check.equal(check.run(("run --out %s/dense %s prune=false stages.1.epochs=2"):format(folder, path)), 0)
    check.equal(check.run(("run --out %s/pruned %s stages.1.epochs=2 eval.every=99999"):format(folder, path)), 0)
    fn(folder)
  end)
end

function T.models_are_scored_side_by_side_as_lacuna_score_does()
  with_run(function(run, data, folder)
    local command = ("eval %s/last.h5 --data %s --split val --beam 1"):format(run, data)
    local status, text = check.run(command .. " --majority --samples 1 -o " .. folder .. "/captions.json")
    check.equal(status, 0)
    check.yes(text:find(" majority\n"), text)
    check.yes(text:find("  reference%s+a %a+ %a+"), text)
    local references = {}
    for _, image in ipairs(toy.source().images) do
      if image.split == "val" then references[tostring(image.id)] = image.captions end
    end
    files.write(folder .. "/refs.json", lac.json.encode(references))
    local _, scores = check.run(("score --json --refs %s/refs.json --hyps %s/captions.json"):format(folder, folder))
    local want = lac.json.decode(scores).CIDEr
    status, text = check.run(command .. " --json")
    check.equal(status, 0)
    check.close(lac.json.decode(text)[1].scores.CIDEr, want, 1e-9)
    local last = files.read(run .. "/val_beam_1/scores.csv"):match("([%d.]+)\n$")
    check.close(tonumber(last), want, 6e-4) -- what training wrote, with three decimals
  end)
end

function T.what_does_not_fit_is_said()
  with_run(function(run, data, folder)
    local status, text = check.run(("eval %s/last.h5 --split val"):format(run))
    check.equal(status, 2)
    check.yes(text:find("--data FILE is missing", 1, true), text)
    status, text = check.run(("eval %s --data %s"):format(data, data))
    check.equal(status, 1)
    check.yes(text:find("no model file", 1, true), text)
    status, text = check.run(("eval %s/last.h5 --data %s/last.h5"):format(run, run))
    check.equal(status, 1)
    check.yes(text:find("is no data file", 1, true), text)
    local wide = toy.source()
    wide.width, wide.read = 3, function() return {att = lac.zeros {1, 3}} end
    require("data.build").write(folder .. "/wide.h5", wide, {coverage = 1})
    status, text = check.run(("eval %s/last.h5 --data %s/wide.h5"):format(run, folder))
    check.equal(status, 1)
    check.yes(text:find("regions of 8 features, those of .*wide.h5 have 3"), text)
  end)
end

function T.models_stand_side_by_side_under_the_names_of_their_runs()
  with_runs(function(folder)
    local status, text = check.run(("eval %s/dense/last.h5 %s/pruned/last_sparse.h5 --data %s/toy.h5 --majority "
      .. "--samples 2"):format(folder, folder, folder))
    check.equal(status, 0)
    check.yes(text:find("^test, 5 images +dense +pruned +majority\nsparsity +0.00 %% +%d+.%d%d %% +%-\n"), text)
    for _, row in ipairs {"non%-zeros", "BLEU%-1", "BLEU%-4", "ROUGE%-L", "CIDEr", "file size", "images/s"} do
      check.yes(text:find("\n" .. row .. " +%S+"), row .. " is missing:\n" .. text)
    end
    check.equal(select(2, text:gsub("\nimage %d+\n  reference  %l[^\n]+\n +dense  [^\n]*\n +pruned  [^\n]*\n", "")), 2)
    for line in text:gmatch("[^\n]+") do check.yes(#line <= 80, line) end
  end)
end

function T.names_that_would_be_alike_are_paths()
  with_runs(function(folder)
    files.write(folder .. "/dense/best.h5", files.read(folder .. "/dense/last.h5"))
    local status, text = check.run(("eval %s/dense/last.h5 %s/dense/best.h5 --data %s/toy.h5"):format(folder, folder,
      folder))
    check.equal(status, 0)
    check.yes(text:find("/dense/last.h5 .*/dense/best.h5\n"), text)
  end)
end

function T.what_is_missing_is_named()
  files.with_folder(function(folder)
    local status, text = check.run("eval none.h5 --data no_data.h5")
    check.equal({status, text}, {1,
      "lacuna: no_data.h5: cannot open: No such file or directory; lacuna data build makes a data file\n"})
    status, text = check.run(("eval none.h5 --data %s"):format(toy.data(folder)))
    check.equal({status, text}, {1, "lacuna: none.h5: cannot open: No such file or directory\n"})
  end)
end

return T
