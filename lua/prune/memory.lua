--- What a score method remembers: accumulated scores (s), first weights (w0), the weights to go back to, its masks; and
-- the weights that another run left.
-- @module prune.memory
local lac = require "lac"

local memory = {}

--- Make room: ahead of training, where no tape or scope takes the tensors along when it ends.
-- @tparam ScorePruning pruner its active parts get s and w0 where these are needed, and it `saved`, name -> tensor
-- @tparam table what s, w0, saved: whether each is needed
-- @tparam nn.Module model
function memory.make(pruner, what, model)
  for _, part in ipairs(pruner.active) do
    part.s = what.s and lac.zeros(part.shape) or nil
    part.w0 = what.w0 and lac.zeros(part.shape) or nil
  end
  if not what.saved then return end
  pruner.saved = {}
  for _, p in ipairs(model:tensors()) do pruner.saved[p.name] = lac.zeros(p.param.shape) end
end

--- All values of a model into tensors by name.
function memory.save(model, saved)
  for _, p in ipairs(model:tensors()) do saved[p.name]:copy(p.param.value) end
end

--- The other way round.
function memory.restore(model, saved)
  for _, p in ipairs(model:tensors()) do p.param.value:copy(saved[p.name]) end
end

local function shape_text(shape)
  return shape and ("[%s]"):format(table.concat(shape, ", ")) or "missing"
end

--- A model file of the run to start from.
-- @tparam ScorePruning pruner
-- @tparam table run
-- @tparam[opt] string name of the file; the best model unless given
-- @treturn table values, masks, of the current scope
-- @raise for a model of other shapes
function memory.find(pruner, run, name)
  local start = pruner.cfg.start
  local found = run.start(start, name)
  for _, p in ipairs(pruner.model:tensors()) do
    local x = found.values[p.name]
    local there, here = shape_text(x and x:shape()), shape_text(p.param.shape)
    if there ~= here then
      error(("%s.start: the model in %s is another one: %s is %s there and %s here"):format(pruner.name, start, p.name,
        there, here), 0)
    end
  end
  return found
end

--- The model of the run to start from, which has masks where these are to be kept.
-- @tparam ScorePruning pruner
-- @tparam table run
-- @treturn table as from find
function memory.find_start(pruner, run)
  local found = memory.find(pruner, run)
  local any = pruner.cfg.masks ~= "start"
  for _, part in ipairs(pruner.active) do any = any or found.masks[part.name] ~= nil end
  if not any then
    error(('%s.start: the model of %s has no masks, so there are none to keep'):format(pruner.name,
      pruner.cfg.start), 0)
  end
  return found
end

--- The live tensors, for a checkpoint.
-- @treturn table masks, s, w0, saved: name -> tensor
function memory.state(pruner)
  local out = {masks = {}, s = {}, w0 = {}, saved = pruner.saved}
  for _, part in ipairs(pruner.active) do
    out.masks[part.name], out.s[part.name], out.w0[part.name] = part.param.mask.values, part.s, part.w0
  end
  return out
end

local WORDS = {masks = "mask", s = "score", w0 = "first weight", saved = "saved weight"}

--- Copy a state's tensors into the live ones.
-- @tparam ScorePruning pruner
-- @tparam table state
-- @raise names what does not fit, before anything has changed
function memory.load(pruner, state)
  local copies = {}
  for key, list in pairs(memory.state(pruner)) do
    for name, mine in pairs(list) do
      local theirs = state[key] and state[key][name]
      local got, want = shape_text(theirs and theirs:shape()), shape_text(mine:shape())
      if got ~= want then
        error(("%s: the state's %s of %s is %s, not %s"):format(pruner.name, WORDS[key], name, got, want), 3)
      end
      copies[#copies + 1] = {mine, theirs}
    end
  end
  for _, pair in ipairs(copies) do pair[1]:copy(pair[2]) end
end

--- Let the tensors go; the masks belong to the parameters.
function memory.close(pruner)
  for _, part in ipairs(pruner.active or {}) do
    for _, key in ipairs {"s", "w0"} do
      if part[key] then part[key]:close() end
    end
  end
  for _, x in pairs(pruner.saved or {}) do x:close() end
end

return memory
