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

function T.models_are_scored_side_by_side_as_lacuna_score_does()
  with_run(function(run, data, folder)
    local command = ("eval %s/last.h5 --data %s --split val --beam 1"):format(run, data)
    local status, text = check.run(command .. " --majority --samples 1 -o " .. folder .. "/captions.json")
    check.equal(status, 0)
    check.yes(text:find("majority caption"), text)
    check.yes(text:find("a reference%s+a %a+ %a+"), text)
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

return T
