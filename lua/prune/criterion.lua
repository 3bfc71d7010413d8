--- Scores of weights: what an expression or a function of a recipe makes of a tensor and what belongs to it.
--
-- Names: w weight, g gradient, m mask, w0 initial weight, v Adam's second moment, s accumulated score, mean and std of
-- the tensor (population), u uniform noise in (0, 1), total the sum of s over all tensors. An expression is compiled
-- for the device (lac.map); a function gets a table of these and returns a tensor:
--
--     score = "fabs(w * g)"
--     score = function(x) return (x.w * x.g):abs() end
-- @module prune.criterion
local lac = require "lac"
local blame = require "core.blame"
local class = require "core.class"
local suggest = require "core.suggest"

local Criterion = class("Criterion")

local NAMES = {"g", "m", "mean", "s", "std", "total", "u", "v", "w", "w0"}

local function known(name)
  for _, n in ipairs(NAMES) do
    if n == name then return true end
  end
  return false
end

--- @tparam string|function rule
-- @tparam string place for messages, as in "prune.score.regrow"
function Criterion:init(rule, place)
  self.rule, self.place = rule, place
  if type(rule) == "function" then return end
  local good, names = pcall(lac.map_names, rule)
  if not good then blame(("%s: %s"):format(place, names)) end
  for name in pairs(names) do
    if not known(name) then
      blame(('%s: in the expression "%s" there is no name %s%s; there are %s'):format(place, rule, name,
        suggest.hint(name, NAMES), table.concat(NAMES, ", ")))
    end
  end
  self.names = names
end

--- Whether it may look at something; a function may look at anything.
-- @tparam string name
function Criterion:uses(name)
  return self.names == nil or self.names[name] ~= nil
end

--- Compute it.
-- @tparam function value of a name -> tensor or number
-- @tparam tensor like of the result's shape
-- @tparam[opt] tensor out takes an expression's result
-- @treturn tensor
function Criterion:of(value, like, out)
  local result
  if self.names then
    local values = {}
    for name in pairs(self.names) do values[name] = value(name) end
    result = lac.map(self.rule, values, out)
    if result:numel() == 1 and like:numel() > 1 then result = lac.zeros(like:shape()) + result end -- one for all
  else
    result = self.rule(setmetatable({}, {__index = function(_, name)
      if not known(name) then
        error(("%s: there is no %s%s; there are %s"):format(self.place, tostring(name),
          suggest.hint(tostring(name), NAMES), table.concat(NAMES, ", ")), 0)
      end
      local found = value(name)
      if found == nil then
        error(("%s: there is no %s here: s needs accumulate, v an optimiser with second moments"):format(self.place,
          name), 0)
      end
      return found
    end}))
  end
  local shape = type(result) == "userdata" and result.shape and table.concat(result:shape(), ", ")
  local want = table.concat(like:shape(), ", ")
  if shape ~= want then
    error(("%s: the score of a weight of shape [%s] must be a tensor of that shape, got %s"):format(self.place, want,
      shape and "[" .. shape .. "]" or "a " .. type(result)), 0)
  end
  return result
end

return Criterion
