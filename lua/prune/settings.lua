--- What prune.score may be told, and what does not go together.
-- @module prune.settings
local blame = require "core.blame"
local config = require "core.config"
local scope = require "prune.scope"
local whole = require "core.whole"

local settings = {}

settings.defaults = {
  target = config.optional("number", "function"), -- share of zeros
  of = "all", -- whose share: of "all" weights that pruning may touch, or of the "active" ones, those not frozen
  score = config.either("fabs(w)", "function"),
  scope = config.either("global", "table"),
  layout = "weights", -- or "N:M" or "RxC", see prune.layout
  threshold = "exact", -- or "histogram", see prune.histogram: the published TensorFlow program's
  first = config.optional("number", "string"), -- update: steps, "1 epoch", "10 %"; after `every`, or 0, unless given
  last = config.optional("number", "string"), -- the end unless given
  every = config.optional("number", "string"), -- the first update is the only one unless given
  least = 0, -- updates after the first, for which a longer `every` is shortened
  initial = 0, power = 3, -- of the way to a target that is a number
  batches = 0, -- of training data whose gradients are summed before an update that comes before training
  iterations = 1, -- such updates, each dropping the same share of what is left
  accumulate = config.optional("string"), -- s, 0 at first, becomes this at every step, or with each of those batches
  regrow = config.optional("string", "function"), -- the worth of a dropped weight; the largest come back
  fraction = 0.3, -- share of the weights left that an update with regrow moves at first; falls along a cosine
  rewind = config.optional("string", "number"), -- "init" or a number of steps
  rounds = 0,
  start = config.optional("string"), -- folder of a run
  masks = "score", -- or "start": those of that run
  gate = config.optional("table"),
  freeze = {}, -- patterns of names (core.select) that keep all of their weights
}

local function check_choice(name, key, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return end
  end
  blame(('%s: %s must be "%s", got "%s"'):format(name, key, table.concat(choices, '" or "'), tostring(value)))
end

local function check_numbers(cfg, name)
  whole(cfg, {"batches", "rounds", "least"}, name, 0)
  whole(cfg, {"iterations"}, name)
  if not (cfg.fraction > 0 and cfg.fraction < 1) then
    blame(("%s: fraction must be between 0 and 1, got %g"):format(name, cfg.fraction))
  end
  if not (cfg.initial >= 0 and cfg.initial < 1) then
    blame(("%s: initial must be in [0, 1), got %g; it is the share of zeros at the first update"):format(name,
      cfg.initial))
  end
  if not (cfg.power > 0 and cfg.power < math.huge) then
    blame(("%s: power must be above 0, got %g"):format(name, cfg.power))
  end
  if cfg.rewind and cfg.rewind ~= "init" and not (math.tointeger(cfg.rewind) and cfg.rewind >= 1) then
    blame(('%s: rewind must be "init" or a number of steps, got %s'):format(name, tostring(cfg.rewind)))
  end
end

-- Settings that do not go together.
local function check_together(cfg, name, how)
  local ready = type(cfg.scope) == "table" or cfg.masks == "start" or how.kind == "groups"
  if cfg.target == nil and not ready then blame(name .. ": target must be given, the share of zeros") end
  if cfg.masks == "start" and not cfg.start then
    blame(name .. ": start must be given, the folder of the run whose masks are kept")
  end
  if how.kind == "groups" then
    if cfg.gate or type(cfg.scope) == "table" or cfg.scope == "er" or cfg.scope == "erk" then
      blame(('%s: layout "%s" prunes every row alike; it takes no gate, and the scope "layer" or "global"'):format(name,
        cfg.layout))
    end
    local share = 1 - how.keep / how.of
    if cfg.target and cfg.target ~= share then
      blame(('%s: layout "%s" makes a share of %g zeros; leave target out'):format(name, cfg.layout, share))
    end
    cfg.target = share
  end
  if type(cfg.scope) == "table" and cfg.target then
    blame(name .. ": a scope with shares of its own takes no target; first, last and every lead up to its shares")
  end
  if cfg.rounds > 0 and type(cfg.target) == "function" then
    blame(name .. ": rounds need a target that is a number")
  end
  if cfg.rounds > 1 and (cfg.every or (cfg.first or 0) ~= 0) then
    blame(name .. ": several rounds prune where one ends; leave first and every out")
  end
  if cfg.regrow and (cfg.rounds > 0 or cfg.gate or how.kind ~= "weights") then
    blame(name .. ": regrow goes with single weights, and neither with rounds nor with a gate")
  end
  if cfg.gate and (cfg.rounds > 0 or cfg.every) then
    blame(name .. ": a gate decides when and how far to prune; leave rounds and every out")
  end
  if cfg.threshold == "histogram" and (cfg.regrow or how.kind ~= "weights") then
    blame(name .. ': threshold = "histogram" goes with single weights, and not with regrow')
  end
  if cfg.regrow and not cfg.every then blame(name .. ": regrow needs every, as in every = \"100 steps\"") end
  if cfg.rewind and cfg.rounds == 0 and not cfg.start then
    blame(name .. ": rewind needs rounds, or start, the folder of a run to begin with")
  end
end

--- Check settings that no model is needed for.
-- @tparam table cfg complete; target is filled in where the layout decides it
-- @tparam string name of the method, for messages
-- @tparam table how from prune.layout
function settings.check(cfg, name, how)
  check_choice(name, "of", cfg.of, {"all", "active"})
  check_choice(name, "masks", cfg.masks, {"score", "start"})
  check_choice(name, "threshold", cfg.threshold, {"exact", "histogram"})
  check_numbers(cfg, name)
  scope.check(cfg.scope, name)
  check_together(cfg, name, how)
end

return settings
