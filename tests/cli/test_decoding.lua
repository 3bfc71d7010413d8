local lac = require "lac"
local check = require "check"
local files = require "files"
local toy = require "toy"

local T = {}

local SCST = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0__SCST_random_sample_s60_e10_C1B0001.zip"

-- A function that gives the captions of two pictures by the published model, whose captions tend to end in "a": a list
-- of {id, caption}.
local function with_published(fn)
  files.with_folder(function(folder)
    local model, paths = folder .. "/model.h5", {}
    check.equal((check.run(("import %s -o %s"):format(check.shared(SCST), model))), 0)
    for i, id in ipairs {522418, 384029} do paths[i] = check.shared("data/coco5/bu/cocobu_att/" .. id .. ".npy") end
    fn(function(options)
      local status, text = check.run(("caption %s %s %s"):format(model, options, table.concat(paths, " ")))
      check.equal({status, text:match("^lacuna: [^\n]*")}, {0})
      local found = {}
      for id, caption in text:gmatch("(%d+)\t([^\n]*)\n") do found[#found + 1] = {tonumber(id), caption} end
      return found
    end)
  end)
end

local ENDINGS = " a an the in for at of with on to his her this that "

local function last_word(caption)
  return caption:match("(%S+)$")
end

function T.bad_endings_are_gone_where_they_are_forbidden()
  with_published(function(captions)
    for _, way in ipairs {"--beam 1", "--beam 3", "--beam 4 --groups 2"} do
      check.equal(last_word(captions(way)[1][2]), "a")
      for _, found in ipairs(captions(way .. " --no-bad-endings --no-repeat --no-unknown")) do
        check.yes(not ENDINGS:find(" " .. last_word(found[2]) .. " ", 1, true), found[2])
      end
    end
  end)
end

function T.drawn_captions_are_those_of_their_seed()
  with_published(function(captions)
    local one = captions "--sample 3 --temperature 1.5"
    check.equal({#one, one[1][1], one[3][1], one[4][1]}, {6, 522418, 522418, 384029})
    check.yes(one[1][2] ~= one[2][2] or one[2][2] ~= one[3][2])
    check.equal(captions "--sample 3 --temperature 1.5", one)
    check.yes(not pcall(check.equal, captions "--sample 3 --temperature 1.5 --seed 2", one))
    check.equal(captions "--sample 1 --top-k 1", captions "--beam 1")
    check.equal(captions "--sample 1 --nucleus 1e-6", captions "--beam 1")
  end)
end

function T.groups_give_a_caption_each()
  with_published(function(captions)
    local found = captions "--beam 6 --groups 3 --diversity 5"
    check.equal(#found, 6)
    check.yes(found[1][2] ~= found[2][2] and found[2][2] ~= found[3][2] and found[1][2] ~= found[3][2])
  end)
end

function T.scores_of_draws_are_means()
  files.with_folder(function(folder)
    check.equal((check.run(("run --out %s/run %s stages.1.epochs=2"):format(folder, toy.recipe(folder)))), 0)
    local command = ("eval %s/run/last.h5 --data %s/toy.h5 --split val --json "):format(folder, folder)
    local function score(options)
      local status, text = check.run(command .. options)
      check.equal(status, 0)
      return lac.json.decode(text)[1].scores.CIDEr
    end
    local greedy, drawn = score "--beam 1", score "--sample 1"
    check.close(score "--sample 4 --top-k 1", greedy, 1e-9)
    check.close(score "--sample 1", drawn, 1e-9)
    check.yes(score "--sample 4" ~= drawn)
  end)
end

function T.what_has_no_effect_or_no_meaning_is_wrong_usage()
  for words, said in pairs {
    ["--sample 2 --beam 2"] = "--sample draws captions and --beam searches them; leave one out",
    ["--seed 2"] = "--seed has no effect without --sample",
    ["--top-k 2"] = "--top-k has no effect without --sample",
    ["--nucleus 0.5 --beam 3"] = "--nucleus has no effect without --sample",
    ["--temperature 2 --beam 1"] = "--temperature has no effect without --sample or two beams",
    ["--length-penalty avg --beam 1"] = "--length-penalty has no effect without two beams",
    ["--groups 2 --sample 2"] = "--groups has no effect without two beams",
    ["--diversity 2"] = "--diversity has no effect without --groups",
    ["--groups 2 --beam 3"] = "--groups must divide --beam, got 2 and 3",
    ["--groups 2 --diversity -1"] = "--diversity must be 0 or more, got -1",
    ["--temperature 0"] = "--temperature must be above 0 and at most 1e6, got 0",
    ["--temperature nan"] = '--temperature needs a value of type number, got "nan"',
    ["--nucleus 1.5 --sample 1"] = "--nucleus must be above 0 and at most 1, got 1.5",
    ["--length-penalty wu"] = '--length-penalty must be wu:X with a number X of -20 .. 20, such as wu:0.9, or avg, '
      .. 'got "wu"',
    ["--length-penalty wu:1e300"] = '--length-penalty must be wu:X with a number X of -20 .. 20, such as wu:0.9, or '
      .. 'avg, got "wu:1e300"',
    ["--sample 0"] = "--sample must be at least 1, got 0",
  } do
    for _, command in ipairs {"caption model.h5 x.npy ", "eval model.h5 --data d.h5 "} do
      check.equal({check.run(command .. words)}, {2, "lacuna: " .. said .. "\n"})
    end
  end
end

function T.constraints_are_about_words()
  files.with_folder(function(folder)
    local checkpoint, tokenizer = require "train.checkpoint", require "data.tokenizer"
    local list, i = {"a man", "a dog"}, 0
    local words = tokenizer.build {kind = "radix", base = 4, coverage = 1, captions = function()
      i = i + 1
      return list[i]
    end}
    local config = {model = {name = "updown", vocab = words:size(), embed = 3, hidden = 4, attention = 3, features = 5,
                             fc_features = 5, logit_layers = 1, dropout = 0.5}, decode = {length = 6}}
    local model = checkpoint.build(config.model, "test")
    model:initialise(lac.rng(3))
    checkpoint.save(folder .. "/m.h5", {model = model, config = config, vocab = words})
    model:close()
    files.write(folder .. "/1.npy", files.npy({1, 5}, {1, 0, 2, 0, 1}))
    local command = ("caption %s/m.h5 %s/1.npy "):format(folder, folder)
    check.equal((check.run(command)), 0)
    local status, text = check.run(command .. "--no-repeat")
    check.equal(status, 1)
    check.yes(text:find("its ids are not whole words (they are digits); --no-repeat", 1, true), text)
  end)
end

return T
