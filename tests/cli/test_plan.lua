local check = require "check"
local files = require "files"
local toy = require "toy"

local T = {}

function T.a_plan_shows_steps_sizes_and_the_timeline_and_makes_no_run()
  files.with_folder(function(folder)
    local status, text = check.run(("plan --points 2 %s"):format(toy.pruning(folder)))
    check.equal(status, 0)
    check.yes(text:find("36 steps, 6 per epoch"), text)
    check.yes(text:find("%d+ parameters, %d+ of them in weights that pruning may touch"), text)
    check.yes(text:find("about .* on this device without evaluations %(%d+ ms a step%)"), text)
    check.yes(text:find("\nstage  step  epoch +lr  loss weight  target\n"), text)
    for line in text:match("\n\n(.*)"):gmatch("[^\n]+") do check.yes(#line <= 80, line) end
    check.yes(text:find("\n%s+1%s+18%s+2%s+0.01%s+%S+%s+0.5\n"), text) -- half-way of the cosine, epoch 2
    check.equal(files.exists("runs"), false)
  end)
end

function T.a_short_run_has_no_step_twice()
  files.with_folder(function(folder)
    local status, text = check.run(("plan --measure 0 %s 'stages={{steps=4}}'"):format(toy.pruning(folder)))
    check.equal(status, 0)
    local steps = {}
    for step in text:match("\n(stage .*)"):gmatch("\n%s+1%s+(%d+)") do steps[#steps + 1] = tonumber(step) end
    check.equal(steps, {1, 2, 3, 4}, text)
    status, text = check.run(("plan --measure 0 %s 'stages={{steps=1}}'"):format(toy.pruning(folder)))
    check.equal(status, 0)
    check.yes(text:find("\nstage[^\n]*\n%s+1%s+1%s"), text)
  end)
end

function T.a_plan_says_what_patterns_match()
  files.with_folder(function(folder)
    local status, text = check.run(("plan --measure 0 %s \"prune.freeze={'embed.*', 're:hh$'}\""):format(
      toy.pruning(folder)))
    check.equal(status, 0)
    check.yes(text:find('prune.freeze "embed.*" matches embed.0.weight\n', 1, true), text)
    check.yes(text:find('"re:hh$" matches core.att_lstm.weight_hh, core.att_lstm.bias_hh', 1, true), text)
  end)
end

function T.a_plan_says_what_a_run_would_be_refused_with()
  files.with_folder(function(folder)
    local path = toy.recipe(folder)
    check.equal(check.run(("run --out %s/dense %s stages.1.epochs=1 save.keep={4}"):format(folder, path)), 0)
    local start = "prune.start=" .. folder .. "/dense"
    for words, sentence in pairs {
      ["magnitude prune.start=/nowhere"] = "prune.start: there is no folder /nowhere",
      ["gradual prune.first=40"] = "first is step 40, but training ends after 36",
      ["gradual prune.first=2 prune.every=40 prune.least=0"] = "there is no room for a second update",
      ["str prune.first=40"] = "prune.str: first is step 40, but training ends after 36",
      ["lottery prune.rewind=40"] = "rewind is step 40, but training ends after 36",
      ["lottery prune.rewind=5 " .. start] = "has kept no weights of step 5",
      ["freeze " .. start] = "has no masks, so there are none to keep",
      ["score prune.score=v optim.name=sgd"] = "looks at v, Adam's second moment, which optim.sgd does not have",
    } do
      local target = words:find("^freeze") and "" or " prune.target=0.5"
      local all = ("%s prune.method=%s%s"):format(path, words, target)
      local status, text = check.run("plan --measure 0 " .. all)
      check.equal({words, status}, {words, 1})
      check.yes(text:find("^lacuna: [^\n]*\n$") and text:find(sentence, 1, true), text)
      local _, refused = check.run(("run --out %s/new %s"):format(folder, all))
      check.equal(refused:match("lacuna: [^\n]*\n$"), text)
      os.execute("rm -rf " .. folder .. "/new")
    end
    check.equal(check.run(("plan %s prune.method=lottery prune.rewind=4 prune.target=0.5 %s"):format(path, start)), 0)
  end)
end

function T.two_recipes_are_compared_key_by_key()
  files.with_folder(function(folder)
    local pruned = toy.pruning(folder)
    local status, text = check.run(("plan --diff %s/toy.lua %s"):format(folder, pruned))
    check.equal(status, 0)
    check.yes(text:find('prune.method%s+%- %-> "supermask"\n'), text)
    check.yes(not text:find("model."), text)
    local slower = files.write(folder .. "/slower.lua",
      'return {base = "toy", optim = {lr = schedule.linear {from = 1}}}')
    status, text = check.run(("plan --diff %s/toy.lua %s"):format(folder, slower))
    check.equal(status, 0)
    check.yes(text:find("optim.lr%s+schedule 0.02 .* %-> schedule 0.999 0.75 0.5 0.25 0\n"), text)
    status, text = check.run(("plan --diff %s/toy.lua %s/toy.lua"):format(folder, folder))
    check.equal({status, text}, {0, "no difference\n"})
    check.equal(check.run("plan --diff " .. pruned), 2)
  end)
end

return T
