local lac = require "lac"
local check = require "check"
local comparison = require "train.comparison"
local files = require "files"
local standard = require "metrics.standard"

local T = {}

local function scores(cider)
  local test = {}
  for _, name in ipairs(standard.NAMES) do test[name] = cider / 10 end
  test.CIDEr = cider
  return test
end

-- A run's folder as train.run leaves it; `cider` nil: not finished.
local function put(folder, run)
  local path = folder .. "/" .. run.name
  local prune = run.method and {method = run.method, target = run.target}
  lac.files.make_folder(path)
  files.write(path .. "/config.json", lac.json.encode {overrides = run.words or {}, path = run.recipe or "a/r.lua",
                                                      recipe = {seed = run.seed or 1, prune = prune or nil}})
  if run.cider then
    files.write(path .. "/result.json", lac.json.encode {test = run.cider > 0 and scores(run.cider) or nil,
                                                        sparsity = run.sparsity or run.target or 0})
  end
  return run.name
end

-- The table of runs, each a table as `put` takes it.
local function table_of(runs)
  return files.with_folder(function(folder)
    local names = {"table.md", "nothing"}
    for i, run in ipairs(runs) do
      run.name = run.name or "run" .. i
      names[#names + 1] = put(folder, run)
    end
    return comparison.of(comparison.read(folder, names))
  end)
end

local function labels_of(runs)
  local labels = {}
  for i, row in ipairs(table_of(runs).rows) do labels[i] = row.label end
  return labels
end

-- Three methods, two targets, seeds.
local function paper()
  return {
    {method = "gradual", target = 0.8, seed = 1, cider = 2, words = {"prune.method=gradual", "prune.target=0.8"}},
    {method = "gradual", target = 0.8, seed = 2, cider = 3, words = {"prune.method=gradual", "prune.target=0.8"}},
    {method = "gradual", target = 0.8, seed = 3, cider = 4, words = {"prune.method=gradual", "prune.target=0.8"}},
    {method = "gradual", target = 0.9, seed = 1, cider = 1, words = {"prune.method=gradual", "prune.target=0.9"}},
    {method = "gradual", target = 0.9, seed = 2, cider = 2, words = {"prune.method=gradual", "prune.target=0.9"}},
    {method = "set", target = 0.9, seed = 1, cider = 1.5, sparsity = 0.88, words = {"prune.method=set"}},
    {method = "set", target = 0.8, seed = 1, words = {"prune.method=set"}},
    {seed = 1, cider = 5, words = {"prune=false", "seed=1"}},
  }
end

function T.the_spread_is_a_standard_deviation_of_three_and_half_the_range_of_two()
  check.equal({comparison.spread {7}}, {7, nil})
  check.equal({comparison.spread {1, 4}}, {2.5, 1.5})
  check.close({comparison.spread {1, 2, 6}}, {3, math.sqrt(7)}, 1e-12)
end

function T.the_table_has_a_row_per_method_and_a_column_per_target()
  check.equal(comparison.markdown(table_of(paper())), [[
| method  | 0 %                          | 80 %                  | 90 %                                   |
| ------- | ---------------------------- | --------------------- | -------------------------------------- |
| gradual | -                            | 3.000 ± 1.000 (0.300) | 1.500 ± 0.500 (0.150) [2 of 3 seeds]   |
| set     | -                            | -                     | 1.500 (0.150) at 88.0 % [1 of 3 seeds] |
| dense   | 5.000 (0.500) [1 of 3 seeds] | -                     | -                                      |

CIDEr (BLEU-4) on the test split by the share of weights pruned, means over seeds; ± is the standard deviation over ]]
    .. 'seeds (half the range where there are two). "at" gives the sparsity reached where it is not the one asked '
    .. "for.\n")
end

function T.a_sparsity_within_half_a_percent_is_not_told()
  local function text(sparsity)
    return comparison.markdown(table_of {{method = "set", target = 0.9, cider = 1, sparsity = sparsity}})
  end
  check.yes(not text(0.8951):find(" at ") and not text(0.9049):find(" at "))
  check.yes(text(0.8949):find(" at 89.5 %", 1, true) and text(0.9051):find(" at 90.5 %", 1, true))
end

function T.two_seeds_are_said_to_have_half_their_range()
  local text = comparison.markdown(table_of {{method = "set", target = 0.9, cider = 1, seed = 1},
                                             {method = "set", target = 0.9, cider = 2, seed = 2}})
  check.yes(text:find("± is half the range of two seeds", 1, true), text)
  check.yes(not comparison.markdown(table_of {{method = "set", target = 0.9, cider = 1}}):find("±"), "one has none")
end

function T.runs_without_a_test_split_are_counted_not_shown()
  local found = table_of {{method = "set", target = 0.9, cider = 0}, {method = "set", target = 0.8, cider = 1}}
  check.equal({#found.rows, #found.targets, found.without}, {1, 1, 1})
  check.yes(comparison.markdown(found):find("Left out for want of test scores: 1.", 1, true))
end

function T.a_label_is_what_the_overrides_say_where_they_differ()
  check.equal(labels_of {
    {method = "gradual", target = 0.9, cider = 1, words = {"prune.method=gradual", "prune.scope=layer", "log.every=9"}},
    {method = "gradual", target = 0.9, cider = 1, words = {"prune.method=gradual", "prune.scope=erk", "log.every=9"}},
    {cider = 1, words = {"prune=false", "log.every=9"}},
  }, {"gradual, scope=erk", "gradual, scope=layer", "dense"})
  check.equal(labels_of {{method = "supermask", target = 0.9, cider = 1, words = {"prune.target=0.9", "seed=1"}}},
    {"supermask"})
  check.equal(labels_of {{method = "set", target = 0.9, cider = 1, words = {"optim.lr=1"}},
                         {method = "set", target = 0.9, cider = 1, words = {"optim.lr=2"}},
                         {cider = 1, words = {"prune=false", "optim.lr=2"}}},
    {"optim.lr=1", "optim.lr=2", "dense, optim.lr=2"})
end

function T.runs_of_another_recipe_have_its_name()
  check.equal(labels_of {
    {method = "set", target = 0.9, cider = 1, words = {"prune.method=set"}},
    {method = "score", target = 0.9, cider = 1, recipe = "b/mine.lua", words = {"prune.target=0.9"}},
  }, {"b-mine", "set"})
  check.equal(labels_of {
    {method = "set", target = 0.9, cider = 1, words = {"prune.method=set"}},
    {method = "set", target = 0.9, cider = 1, recipe = "b/mine.lua", words = {"prune.method=set"}},
    {cider = 1}, {cider = 1, recipe = "b/mine.lua"},
  }, {"set (a-r)", "set (b-mine)", "dense (a-r)", "dense (b-mine)"})
end

function T.a_start_among_the_runs_is_no_part_of_a_label()
  check.equal(labels_of {
    {name = "d", cider = 1, words = {"prune=false"}},
    {method = "m", target = 0.9, cider = 1, words = {"prune.method=m", "prune.start=out/d"}},
    {method = "m", target = 0.8, cider = 1, words = {"prune.method=m", "prune.start=else/where"}},
  }, {"m", "m, start=else/where", "dense"})
end

function T.the_steps_that_a_run_keeps_are_no_part_of_a_label()
  check.equal(labels_of {
    {seed = 1, cider = 5, words = {"prune=false", "log.every=1", "save.keep={4}"}},
    {seed = 2, cider = 4, words = {"prune=false", "log.every=1"}},
  }, labels_of {
    {seed = 1, cider = 5, words = {"prune=false", "log.every=1"}},
    {seed = 2, cider = 4, words = {"prune=false", "log.every=1"}},
  })
end

function T.a_scheduled_target_is_what_it_came_to()
  check.equal(table_of {{method = "m", target = "a function, see recipe.lua", sparsity = 0.95012, cider = 1}}.targets,
    {0.95})
end

function T.other_programs_get_a_line_per_cell()
  local lines = {}
  local found = table_of(paper())
  found.rows[1].label = 'a "b", c'
  for line in comparison.csv(found):gmatch("[^\n]+") do lines[#lines + 1] = line end
  check.equal(#lines, 5)
  check.equal(lines[1]:sub(1, 52), "method,target,sparsity,runs,seeds,Bleu_1,Bleu_1_spre")
  check.yes(lines[2]:find('^"a ""b"", c",0.8,0.8,3,1 2 3,0.3,0.1,') and lines[2]:find(",3,1$"), lines[2])
  check.yes(lines[4]:find("^set,0.9,0.88,1,1,0.15,,"), lines[4])
end

function T.the_chart_has_a_line_per_row_and_dense_runs_level()
  local text = comparison.chart(table_of(paper()))
  check.yes(text:find("<title>gradual</title>") and text:find("<title>set</title>"))
  check.yes(text:find('<title>dense</title><path d="[^"]*" stroke="#555555"'))
  check.yes(text:find(">80 %%<") and text:find(">90 %%<") and not text:find(">0 %%<"))
end

function T.files_are_written_once_a_run_has_scores()
  files.with_folder(function(folder)
    check.equal(comparison.write(folder, {put(folder, {name = "a", method = "set", target = 0.5})}), nil)
    check.equal(files.exists(folder .. "/table.md"), false)
    local text = comparison.write(folder, {put(folder, {name = "a", method = "set", target = 0.5, cider = 1})})
    check.equal(files.read(folder .. "/table.md"), text)
    check.yes(files.exists(folder .. "/table.csv") and files.exists(folder .. "/chart.svg"))
  end)
end

function T.a_file_that_is_damaged_is_named()
  files.with_folder(function(folder)
    put(folder, {name = "a", method = "set", target = 0.5, cider = 1})
    files.write(folder .. "/a/result.json", "{")
    check.fails("a/result.json: not readable as JSON", comparison.read, folder, {"a"})
  end)
end

return T
