--- lacuna plan: what it prints.
local check = require "check"
local files = require "files"
local toy = require "toy"

local T = {}

function T.a_plan_shows_schedules_sizes_and_time_in_80_columns()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    local status, text = check.run(("plan --points 2 --measure 1 %s \"prune.freeze={'core.att*'}\""):format(path))
    check.equal(status, 0)
    text = text:gsub(folder, "")
    check.yes(text:find("^/pruned.lua: 36 steps, 6 per epoch\n%d+ parameters, %d+ of them in weights"), text)
    check.yes(text:find('\nprune.freeze "core.att%*" matches core.att_lstm'), text)
    check.yes(text:find("\nabout %d+ s on this device without evaluations %(%d+ ms a step%), %d+ MB of"), text)
    check.yes(text:find("\nstage  step  epoch +lr  loss weight  target\n    1     1      0 .*\n    1    36      5 "), text)
    for line in text:match("\n\n(.*)"):gmatch("[^\n]+") do check.yes(#line <= 80, line) end
    check.equal(files.exists(folder .. "/runs"), false)
  end)
end

function T.two_recipes_are_compared_key_by_key()
  files.with_folder(function(folder)
    local path = toy.pruning(folder)
    local status, text = check.run(("plan --diff %s/toy.lua %s"):format(folder, path))
    check.equal(status, 0)
    check.yes(text:find('prune.method +%- %-> "supermask"\n'), text)
    status, text = check.run(("plan --diff %s %s"):format(path, path))
    check.equal({status, text}, {0, "no difference\n"})
    status, text = check.run("plan --diff " .. path)
    check.equal({status, text}, {2, "lacuna: --diff needs two recipes; see lacuna plan --help\n"})
  end)
end

return T
