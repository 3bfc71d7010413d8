--- What a stage trains: its weights, and the masks that the pruning method moves.
--
-- Weights that `freeze` names keep their values: they get no gradient, so the optimiser leaves them alone. Masks that
-- do not train keep their weights in or out as they are: nothing is drawn, and what is 0 stays 0.
-- @module train.focus
local select = require "core.select"

local focus = {}

local function pick(names, patterns, where)
  local good, picked = pcall(select.pick, names, patterns)
  if not good then error(("%s: %s"):format(where, picked), 0) end
  return picked
end

-- Names of parameters that a stage trains the masks of.
local function masks_of(stage, model, pruner)
  local names, picked = {}, {}
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then names[#names + 1] = p.name end
  end
  if type(stage.cfg.masks) == "table" then
    if not pruner then error(("stages.%d.masks: nothing is pruned"):format(stage.number), 0) end
    if not pruner.focus then
      error(("stages.%d.masks: this pruning method cannot work on some of its masks only"):format(stage.number), 0)
    end
    if #stage.cfg.masks == 0 then
      error(('stages.%d.masks: an empty list; masks = "frozen" lets none train'):format(stage.number), 0)
    end
    picked = pick(names, stage.cfg.masks, ("stages.%d.masks"):format(stage.number))
    if not pruner:can_move(picked) then
      error(("stages.%d.masks: pruning leaves all of these as they are (prune.freeze, or a frozen encoder); "
        .. 'masks = "frozen" lets none train'):format(stage.number), 0)
    end
    return picked
  end
  for _, name in ipairs(stage.cfg.masks == "trained" and names or {}) do picked[name] = true end
  return picked
end

--- Check a stage against the model, without changing anything.
-- @tparam table stage of train.loop: cfg (freeze, masks), number
-- @tparam nn.Module model
-- @tparam ?table pruner
-- @treturn table names of frozen weights (name -> true)
-- @treturn table names of those whose masks train
-- @raise for a pattern that matches nothing, and when no weight or mask is left to train
function focus.check(stage, model, pruner)
  local names = {}
  for i, p in ipairs(model:parameters()) do names[i] = p.name end
  local where = ("stages.%d.freeze"):format(stage.number)
  local frozen, masks = pick(names, stage.cfg.freeze, where), masks_of(stage, model, pruner)
  local trains = false
  for _, name in ipairs(names) do trains = trains or not frozen[name] end
  if not trains then error(where .. ": everything is frozen; nothing would be trained", 0) end
  return frozen, masks
end

--- Make the model train what a stage trains.
-- @tparam table stage
-- @tparam nn.Module model
-- @tparam ?table pruner
function focus.begin(stage, model, pruner)
  local frozen, masks = focus.check(stage, model, pruner)
  for _, p in ipairs(model:parameters()) do
    p.param.value:requires_grad(not frozen[p.name])
    p.param:rest(p.param.mask ~= nil and not masks[p.name])
  end
  if pruner and pruner.focus then pruner:focus(masks, stage.cfg.prune) end
end

return focus
