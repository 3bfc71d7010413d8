local check = require "check"
local files = require "files"
local grid = require "train.grid"
local recipe = require "train.recipe"
local recipes = require "cli.recipes"

local T = {}

local RECIPE = 'return {data = {path = "x.h5"}, optim = {lr = 0.1}, stages = {{epochs = 2}}, %s}'
local PRUNING = RECIPE:format('prune = {method = "supermask", target = 0.5}')

-- Methods as a library may have them: one that starts dense, one that starts from that, one from itself.
local METHODS = {
  late = {defaults = {target = 0.5, scope = "global", start = "", extra = 1}, needs = {"prune=false"}},
  later = {defaults = {target = 0.5, scope = "global", start = "", more = 1}, needs = {"prune.method=late"}},
  circle = {defaults = {start = ""}, needs = {"prune.method=circle"}},
}
for _, method in pairs(METHODS) do
  method.defaults.start = require("core.config").optional("string")
  method.new = function(cfg) check.yes(cfg.target == nil or cfg.target < 1, "the target must be below 1") end
end

local function how()
  local with = recipes.how {trusted = true}
  local find = with.find
  with.find = function(part, name) return part == "prune" and METHODS[name] or find(part, name) end
  return with
end

local function points_of(text, words)
  return files.with_folder(function(folder)
    os.execute("mkdir " .. folder .. "/r")
    local sources = recipe.sources(files.write(folder .. "/r/a.lua", text), how())
    return grid.points(sources, grid.parse(words), "out", how())
  end)
end

local function names_of(points)
  local names = {}
  for i, point in ipairs(points) do names[i] = point.name end
  return names
end

function T.words_are_split_at_commas_outside_of_brackets_and_quotes()
  local axes = grid.parse {"prune.target=0.8, 0.9", "eval.metrics={'cider'},{'bleu', 'rouge'}",
                           "data.path=\"a,b\",'c\\',d',e.h5", "optim.lr=schedule.linear {from = 1, to = f(1, 2)}"}
  check.equal(axes[1], {key = "prune.target", values = {"0.8", "0.9"}})
  check.equal(axes[2].values, {"{'cider'}", "{'bleu', 'rouge'}"})
  check.equal(axes[3].values, {'"a,b"', "'c\\',d'", "e.h5"})
  check.equal(axes[4].values, {"schedule.linear {from = 1, to = f(1, 2)}"})
end

function T.a_number_has_one_spelling()
  check.equal(grid.parse({"a=0.90,1e-3,3.0,8888,x1"})[1].values, {"0.9", "0.001", "3", "8888", "x1"})
  check.equal(grid.parse({"a=0.12345678901234567"})[1].values, {"0.12345678901234567"}) -- none is lost
end

function T.words_that_are_no_axis_are_quoted()
  check.fails("^seed: an override is written key=value", grid.parse, {"seed"})
  check.fails("^seed=: there is no value behind =", grid.parse, {"seed="})
  check.fails("^seed=1,,2: value number 2 is empty", grid.parse, {"seed=1,,2"})
  check.fails("^seed=1,: value number 2 is empty", grid.parse, {"seed=1,"})
  check.fails("^seed=2: seed is given twice", grid.parse, {"seed=1", "seed=2"})
  check.fails("^t=0.9,0.90: the value 0.9 is given twice", grid.parse, {"t=0.9,0.90"})
  check.fails("^a={1,2: a } is missing at the end", grid.parse, {"a={1,2"})
  check.fails("^a={1%): the %) closes nothing", grid.parse, {"a={1)"})
  check.fails("^a='1,2: the quote ' does not end", grid.parse, {"a='1,2"})
  check.fails("base is the recipe's own", grid.parse, {"base=x,y"})
end

function T.every_combination_is_a_point_and_the_last_key_changes_fastest()
  local points = points_of(PRUNING, {"seed=1,2", "prune.target=0.8,0.9"})
  check.equal(names_of(points), {"r-a,prune.target=0.8,seed=1", "r-a,prune.target=0.9,seed=1",
                                 "r-a,prune.target=0.8,seed=2", "r-a,prune.target=0.9,seed=2"})
  check.equal(points[1].path, "out/r-a,prune.target=0.8,seed=1")
  check.equal(points[4].overrides, {"prune.target=0.9", "seed=2"})
  check.equal(names_of(points_of(PRUNING, {})), {"r-a"})
end

function T.a_method_comes_before_the_settings_that_it_would_clear()
  local points = points_of(PRUNING, {"prune.extra=3", "prune.start=here", "prune.method=late"})
  check.equal(points[1].overrides, {"prune.method=late", "prune.extra=3", "prune.start=here"})
end

function T.a_name_that_folders_do_without_is_cut_and_hashed()
  check.equal(grid.name("r", {"a.b=x_1", "seed=1e-05"}), "r,a.b=x_1,seed=1e-05")
  local one, two = grid.name("r", {"eval.metrics={'a'}"}), grid.name("r", {'eval.metrics={"a"}'})
  check.yes(one:find("^r,eval.metrics=_a_%-%x%x%x%x%x%x%x%x%x%x$"), one)
  check.yes(one ~= two)
  local long = grid.name("r", {"a=" .. ("x"):rep(500)})
  check.equal({#long, #grid.name("r", {"a=" .. ("x"):rep(501)})}, {131, 131})
  check.yes(long ~= grid.name("r", {"a=" .. ("x"):rep(501)}))
  check.yes(not grid.name("..", {"a=../../etc/passwd"}):find("/"))
end

function T.a_dense_point_is_one_whatever_it_was_to_be_pruned_with()
  check.equal(names_of(points_of(PRUNING, {"prune=false", "prune.target=0.8,0.9", "seed=1"})),
    {"r-a,prune=false,seed=1"})
  check.equal(names_of(points_of(RECIPE:format(""), {"seed=1"})), {"r-a,prune=false,seed=1"})
end

function T.the_run_that_a_method_starts_from_comes_first_and_once()
  local points = points_of(RECIPE:format(""), {"prune.method=supermask,late", "prune.target=0.8,0.9", "seed=1,2"})
  check.equal(names_of(points), {
    "r-a,prune.method=supermask,prune.target=0.8,seed=1", "r-a,prune.method=supermask,prune.target=0.8,seed=2",
    "r-a,prune.method=supermask,prune.target=0.9,seed=1", "r-a,prune.method=supermask,prune.target=0.9,seed=2",
    "r-a,prune=false,seed=1", "r-a,prune.method=late,prune.target=0.8,seed=1",
    "r-a,prune=false,seed=2", "r-a,prune.method=late,prune.target=0.8,seed=2",
    "r-a,prune.method=late,prune.target=0.9,seed=1", "r-a,prune.method=late,prune.target=0.9,seed=2"})
  check.equal(points[5].overrides, {"prune=false", "seed=1"})
  check.equal(points[6].overrides, {"prune.method=late", "prune.target=0.8", "seed=1",
                                    "prune.start=out/r-a,prune=false,seed=1"})
  check.equal({points[5].needs, points[6].needs, points[10].needs},
    {nil, "r-a,prune=false,seed=1", "r-a,prune=false,seed=2"})
end

function T.a_start_that_is_given_needs_no_run()
  check.equal(#points_of(RECIPE:format(""), {"prune.method=late", "prune.start=x"}), 1)
  check.equal(#points_of(RECIPE:format('prune = {method = "late", start = "x"}'), {"prune.target=0.3"}), 1)
end

function T.a_run_may_start_from_one_that_starts_from_another()
  local points = points_of(RECIPE:format(""), {"prune.method=later", "prune.target=0.8", "prune.more=7", "seed=1"})
  check.equal(names_of(points), {"r-a,prune=false,seed=1", "r-a,prune.method=late,prune.target=0.8,seed=1",
                                 "r-a,prune.method=later,prune.more=7,prune.target=0.8,seed=1"})
  check.equal(points[3].overrides[5], "prune.start=out/r-a,prune.method=late,prune.target=0.8,seed=1")
  check.fails("the run r%-a,prune.method=circle,seed=1 would have to start from itself %(in the run with", points_of,
    RECIPE:format(""), {"prune.method=circle", "seed=1"})
end

function T.a_needed_run_has_the_target_and_the_scope_of_the_recipe()
  local points = points_of(RECIPE:format('prune = {method = "later", target = 0.3, scope = "layer", more = 2}'), {})
  check.equal(points[2].words, {"prune.method=late", "prune.scope=layer", "prune.target=0.3"})
end

local LOTTERY = {"prune.method=lottery", "prune.target=0.8,0.9", "seed=1"}

function T.a_needed_run_keeps_the_weights_of_the_steps_that_others_go_back_to()
  local points = points_of(RECIPE:format("save = {keep = {5, 30}}"),
    {"prune.rewind=10,init,4", table.unpack(LOTTERY)})
  check.equal(#points, 7)
  check.equal(points[1].name, "r-a,prune=false,seed=1") -- as without them
  check.equal(points[1].overrides, {"prune=false", "seed=1", "save.keep={4, 5, 10, 30}"})
  check.equal(points[1].rewinds, {[4] = points[6].name, [10] = points[2].name})
  check.equal(points[2].overrides, {"prune.method=lottery", "prune.rewind=10", "prune.target=0.8", "seed=1",
                                    "prune.start=out/r-a,prune=false,seed=1"})
  points = points_of(RECIPE:format('methods = {lottery = {rewind = 7}}'), {"save.keep={3}", table.unpack(LOTTERY)})
  check.equal(points[1].overrides, {"prune=false", "seed=1", "save.keep={3, 7}"}) -- the word makes the name still
  check.yes(points[1].name:find("^r%-a,prune=false,save.keep=_3_,seed=1"), points[1].name)
  points = points_of(RECIPE:format(""), LOTTERY)
  check.equal({points[1].overrides, points[1].rewinds}, {{"prune=false", "seed=1"}})
end

function T.a_wrong_value_is_an_error_that_names_the_point()
  check.fails("a.lua: prune.supermask: target must be in %[0, 1%), got 2; .* %(in the run with seed=1 prune.target=2%)",
    points_of, PRUNING, {"seed=1", "prune.target=0.5,2"})
  check.fails('a.lua: prune: unknown key "tagret"; did you mean "target"%? %(in the run with prune.tagret=0.5%)',
    points_of, PRUNING, {"prune.tagret=0.5"})
  check.fails('a.lua: prune: there is no "lat"; there are .*supermask', points_of, PRUNING, {"prune.method=lat"})
end

function T.a_grid_that_nobody_can_mean_is_refused()
  local values = {}
  for i = 1, 101 do values[i] = i end
  local list = table.concat(values, ",")
  check.fails("these are 10201 runs, more than the 10000", points_of, PRUNING, {"seed=" .. list, "log.every=" .. list})
end

return T
