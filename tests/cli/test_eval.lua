--- lacuna eval: the table, the captions and what is refused.
local lac = require "lac"
local check = require "check"
local files = require "files"
local toy = require "toy"

local T = {}

-- Give a function the folder of a dense and a pruned run of the toy recipe, trained once.
local function with_runs(fn)
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    check.equal(check.run(("run --out %s/dense %s prune=false stages.1.epochs=2"):format(folder, path)), 0)
    check.equal(check.run(("run --out %s/pruned %s stages.1.epochs=2 eval.every=99999"):format(folder, path)), 0)
    fn(folder)
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

function T.captions_and_numbers_come_as_json()
  with_runs(function(folder)
    local status, text = check.run(("eval %s/dense/last.h5 --data %s/toy.h5 --json -o %s/c.json"):format(folder,
      folder, folder))
    check.equal(status, 0)
    local rows, columns = lac.json.decode(files.read(folder .. "/c.json")), lac.json.decode(text)
    check.equal({#rows, #columns, columns[1].sparsity}, {5, 1, 0.0})
    check.equal(columns[1].rows, rows)
    check.yes(columns[1].scores.CIDEr >= 0 and columns[1].images_per_second > 0)
  end)
end

function T.what_is_missing_is_named()
  files.with_folder(function(folder)
    local status, text = check.run("eval none.h5")
    check.equal({status, text}, {2, "lacuna: --data FILE is missing; see lacuna eval --help\n"})
    status, text = check.run("eval none.h5 --data no_data.h5")
    check.equal({status, text}, {1,
      "lacuna: no_data.h5: cannot open: No such file or directory; lacuna data build makes a data file\n"})
    status, text = check.run(("eval none.h5 --data %s"):format(toy.data(folder)))
    check.equal({status, text}, {1, "lacuna: none.h5: cannot open: No such file or directory\n"})
  end)
end

return T
