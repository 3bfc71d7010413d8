local check = require "check"
local files = require "files"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"

local T = {}

local SMALL = 'return {data = {path = "x.h5"}, optim = {lr = 0.1}, stages = {{epochs = 2}}, %s}'

local function how(overrides)
  return recipes.how {trusted = true, overrides = overrides}
end

-- The configuration of a recipe's text, with texts of other files beside it.
local function resolve(text, overrides, others)
  return files.with_folder(function(folder)
    for name, other in pairs(others or {}) do files.write(folder .. "/" .. name, other) end
    local with = how(overrides)
    return recipe.resolve(recipe.sources(files.write(folder .. "/r.lua", text), with), with)
  end)
end

function T.what_a_recipe_leaves_out_has_its_default()
  local cfg = resolve(SMALL:format(""))
  check.equal({cfg.seed, cfg.model.name, cfg.optim.name, cfg.data.batch}, {8888, "updown", "adam", 15})
  check.equal(cfg.stages[1].loss.name, "xent")
  check.equal(cfg.prune, nil)
end

function T.a_recipe_says_only_what_differs_from_its_base()
  local cfg = resolve('return {base = "b", model = {hidden = 5}, prune = {method = "supermask", target = 0.5}}', nil,
    {["b.lua"] = SMALL:format('model = {embed = 3, hidden = 4}')})
  check.equal({cfg.model.embed, cfg.model.hidden, cfg.prune.target, cfg.prune.init}, {3, 5, 0.5, 5})
end

function T.a_base_may_have_a_base_and_a_circle_is_refused()
  local cfg = resolve('return {base = "b"}', nil, {["b.lua"] = 'return {base = "c", seed = 1}',
                                                  ["c.lua"] = SMALL:format("seed = 2, log = {every = 7}")})
  check.equal({cfg.seed, cfg.log.every}, {1, 7})
  check.fails("bases go in a circle", resolve, 'return {base = "b"}', nil, {["b.lua"] = 'return {base = "r"}'})
  check.fails('there is no base recipe "nowhere"; looked for', resolve, 'return {base = "nowhere"}')
  check.fails("base must be the name of a recipe, got a number", resolve, 'return {base = 1}')
end

function T.a_base_is_also_found_in_the_folder_above()
  files.with_folder(function(folder)
    os.execute("mkdir " .. folder .. "/a " .. folder .. "/b")
    files.write(folder .. "/a/one.lua", SMALL:format("seed = 4"))
    local path = files.write(folder .. "/b/two.lua", 'return {base = "a/one"}')
    check.equal(recipe.resolve(recipe.sources(path, how()), how()).seed, 4)
  end)
end

function T.another_optimiser_or_method_drops_the_settings_of_the_one_before()
  local cfg = resolve('return {base = "b", optim = {name = "sgd", lr = 1}}', nil,
    {["b.lua"] = SMALL:gsub("lr = 0.1", "lr = 0.1, eps = 0.01"):format("")})
  check.equal(cfg.optim.eps, nil)
  check.equal(resolve(SMALL:format(""), {"optim.name=sgd", "optim.lr=1"}).optim.name, "sgd")
end

function T.overrides_are_numbers_words_lists_and_expressions()
  local cfg = resolve(SMALL:format(""), {"seed=5", "model.dropout=0.25", "data.path=some/where.h5",
    "stages.1.steps=9", "eval.metrics={'cider'}", "optim.lr=schedule.linear {from = 2}", "prune.method=supermask",
    "prune.target=0.9"})
  check.equal({cfg.seed, cfg.model.dropout, cfg.data.path}, {5, 0.25, "some/where.h5"})
  check.equal({cfg.stages[1].steps, cfg.stages[1].epochs, #cfg.eval.metrics}, {9, nil, 1})
  check.close(cfg.optim.lr(0.5), 1)
  check.equal(cfg.prune.method, "supermask")
  local scored = resolve(SMALL:format(""), {"prune.method=score", "prune.target=0.5", "prune.score=(w + 1) * g",
                                            "prune.power=(1 + 1)"}).prune
  check.equal({scored.score, scored.power}, {"(w + 1) * g", 2})
  check.equal(resolve(SMALL:format('prune = {method = "supermask", target = 0.5}'), {"prune=false"}).prune, nil)
end

function T.a_method_has_the_settings_that_the_recipe_keeps_for_it()
  local text = SMALL:format('methods = {supermask = {weight = 7, draw = "forward"}, snip = {batches = 3}}')
  local cfg = resolve(text, {"prune.method=supermask", "prune.target=0.9", "prune.draw=step"})
  check.equal({cfg.prune.weight, cfg.prune.draw, cfg.prune.batches}, {7, "step", nil})
  check.equal(resolve(text, {"prune.method=snip", "prune.target=0.9"}).prune.batches, 3)
  check.equal(resolve(text).prune, nil)
  check.fails('there is no "snap"', resolve, SMALL:format("methods = {snap = {}}"), {"prune.method=snip"})
  check.fails('unknown key "wieght"; did you mean "weight"', resolve,
    SMALL:format("methods = {supermask = {wieght = 1}}"), {"prune.method=supermask", "prune.target=0.9"})
end

function T.a_wrong_override_is_quoted()
  local text = SMALL:format("")
  check.fails("r.lua: seed: an override is written key=value", resolve, text, {"seed"})
  check.fails("stages.2.epochs=1: the recipe has no part stages.2", resolve, text, {"stages.2.epochs=1"})
  check.fails("optim.lr=schedule.: the value is no Lua expression", resolve, text, {"optim.lr=schedule."})
  check.fails("there is no schedule", resolve, text, {"optim.lr=schedule.cosinus {}"})
end

function T.unknown_keys_are_refused_with_the_nearest_name()
  check.fails('r.lua: unknown key "modle"; did you mean "model"', resolve, SMALL:format("modle = {}"))
  check.fails('r.lua: model: unknown key "hiden"; did you mean "hidden"', resolve, SMALL:format("model = {hiden = 1}"))
  check.fails('r.lua: stages.1.loss: unknown key "smothing"', resolve, SMALL:format(""), {"stages.1.loss.smothing=1"})
  check.fails('r.lua: prune: there is no "supermaks"; did you mean "supermask"', resolve,
    SMALL:format('prune = {method = "supermaks"}'))
  check.fails('r.lua: optim: there is no "adma"', resolve, SMALL:format(""), {"optim.name=adma"})
  check.fails('r.lua: prune: unknown key "tagret"; did you mean "target"', resolve,
    SMALL:format('prune = {method = "supermask", tagret = 0.5}'))
end

function T.wrong_values_are_refused_in_one_sentence()
  check.fails("r.lua: stages is missing", resolve, 'return {optim = {lr = 1}}')
  check.fails("r.lua: optim.lr is missing", resolve, 'return {stages = {{epochs = 1}}}')
  check.fails("r.lua: stages.1: needs epochs or steps, one of them", resolve, 'return {stages = {{}}}')
  check.fails("stages.1: epochs must be above 0, got 0", resolve, SMALL:format(""), {"stages.1.epochs=0"})
  check.fails("target must be in %[0, 1%), got 1", resolve, SMALL:format('prune = {method = "supermask", target = 1}'))
  check.fails("target must be in %[0, 1%), got %-0.1", resolve,
    SMALL:format('prune = {method = "supermask", target = -0.1}'))
  check.fails("prune.method is missing", resolve, SMALL:format("prune = {target = 0.5}"))
  check.fails('eval.every: there is no unit "stpes"; did you mean "steps', resolve, SMALL:format(""),
    {"eval.every=3 stpes"})
  check.fails("model must be a table, got a string", resolve, SMALL:format('model = "updown"'))
  check.fails("data.batch must be a number, got the string", resolve, SMALL:format('data = {batch = "x"}'))
  check.fails("seed must be a whole number", resolve, SMALL:format("seed = 1.5"))
  check.fails("loss.smoothing must be in %[0, 1%)", resolve, SMALL:format(""), {"stages.1.loss.smoothing=1"})
  check.fails("eval.beam must be a whole number from 1 to 64, got 0", resolve, SMALL:format(""), {"eval.beam=0"})
  check.fails('eval.keep: there is no metric "meteor"', resolve, SMALL:format(""), {"eval.keep=meteor"})
end

function T.limits_of_decoding_are_checked_before_anything_is_trained()
  check.fails("eval.length must be a whole number from 1 to 1000, got 0", resolve, SMALL:format(""), {"eval.length=0"})
  check.fails("eval.length must be .* got 2.5", resolve, SMALL:format(""), {"eval.length=2.5"})
  check.fails("eval.test_beam must be .* from 1 to 64, got 100", resolve, SMALL:format(""), {"eval.test_beam=100"})
  check.fails("stages.1.sampling must be in %[0, 1%], got %-1", resolve, SMALL:format(""), {"stages.1.sampling=-1"})
end

function T.the_base_and_options_are_no_overrides()
  check.fails("base=x: the base is the recipe's own", resolve, SMALL:format(""), {"base=x"})
  check.fails("%-%-out: an override is written .*; options come before the recipe", resolve, SMALL:format(""),
    {"--out"})
end

function T.a_table_within_itself_is_refused()
  check.fails("nested too deeply, or in a circle", resolve, "local t = {} t.t = t return t")
end

function T.a_file_that_is_no_recipe_is_named()
  check.fails("r.lua: a recipe returns a table, this file returns nothing", resolve, "local x = 1")
  check.fails("r.lua:1:", resolve, "return {")
  check.fails("cannot open the recipe .*/none.lua", recipe.sources, "/tmp/none.lua", how())
end

function T.a_function_of_a_recipe_runs_under_the_guard()
  files.with_folder(function(folder)
    local with, calls = how(), 0
    with.guard = function(fn)
      return function(...)
        calls = calls + 1
        return fn(...)
      end
    end
    local path = files.write(folder .. "/r.lua", SMALL:gsub("lr = 0.1", "lr = function(t) return t end"):format(""))
    check.equal(recipe.resolve(recipe.sources(path, with), with).optim.lr(0.5), 0.5)
    check.equal(calls, 1)
  end)
end

return T
