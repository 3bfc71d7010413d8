local lac = require "lac"
local check = require "check"
local files = require "files"
local state = require "train.state"

local T = {}

local function saved(folder, tree)
  local path = folder .. "/x.h5"
  local file <close> = lac.hdf5.create(path)
  state.write(file, tree)
  file:commit()
  return path
end

function T.a_tree_of_numbers_texts_and_tensors_comes_back()
  files.with_folder(function(folder)
    local scope <close> = lac.scope()
    local tree = {step = 7, best = {score = 0.1 + 0.2, name = "CIDEr"}, counts = {1, 2, 3}, on = true,
                  slots = {{m = lac.tensor {1, 2}}, {m = lac.tensor {{3}}, ["core.att.weight"] = lac.tensor {4}}}}
    local back = state.read(saved(folder, tree))
    check.equal({back.step, back.best.score, back.best.name, back.on}, {7, 0.1 + 0.2, "CIDEr", true})
    check.equal(math.type(back.step), "integer")
    check.equal(back.counts, {1, 2, 3})
    check.equal(back.slots[1].m, {1, 2})
    check.equal(back.slots[2].m, {{3}})
    check.equal(back.slots[2]["core.att.weight"], {4})
  end)
end

function T.a_file_without_a_state_gives_nil()
  files.with_folder(function(folder)
    local path = folder .. "/x.h5"
    local file <close> = lac.hdf5.create(path)
    file:write_text("config", "{}")
    file:commit()
    check.equal(state.read(path), nil)
  end)
end

return T
