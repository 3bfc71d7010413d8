--- Methods that are settings of prune.score. A new method is one file with one call:
--
--     -- lua/prune/drift.lua: weights that moved least since the beginning go, gradually
--     return require "prune.preset" ("prune.drift", {
--       score = "fabs(w - w0)",
--       scope = "layer",
--       first = "1 epoch", last = "50 %", every = "1000 steps", least = 10,
--     })
--
-- after which every recipe takes prune.method=drift, and every key of prune.score. In a recipe the same is
--
--     prune = { method = "score", score = "fabs(w - w0)", scope = "layer", target = 0.9,
--               first = "1 epoch", last = "50 %", every = "20 steps" }
-- @module prune.preset
local config = require "core.config"
local score = require "prune.score"

-- A setting with another default that takes values of the same types.
local function replaced(spec, value)
  if type(spec) ~= "table" or not spec.types then return value end
  local others = {}
  for _, name in ipairs(spec.types) do
    if name ~= type(value) then others[#others + 1] = name end
  end
  return config.either(value, table.unpack(others))
end

--- @tparam string name as in messages
-- @tparam table changes to score.defaults
-- @tparam[opt] table kind needs: overrides of the run that it starts from, where the recipe does not say otherwise;
-- adapt = function(cfg), which may change settings; measure = function(pruner, run), see prune.score
-- @treturn table a module of the folder: defaults, new, needs
return function(name, changes, kind)
  kind = kind or {}
  local defaults = {}
  for key, spec in pairs(score.defaults) do defaults[key] = spec end
  for key, value in pairs(changes) do defaults[key] = replaced(defaults[key], value) end
  return {
    defaults = defaults, needs = kind.needs,
    new = function(cfg)
      cfg = config.merge(defaults, cfg, name)
      if kind.adapt then kind.adapt(cfg) end
      return score.new(cfg, {name = name, measure = kind.measure})
    end,
  }
end
