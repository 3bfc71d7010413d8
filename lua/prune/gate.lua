--- Pruning that an evaluation decides: on while the score holds, else a step back.
--
-- At each evaluation the score is compared with the best one so far. If at most `tolerance` of it is lost, the share
-- of weights that stay is cut by `cut`, down to 1 - target; else the last share that held comes back (masks are made
-- anew, so weights return) and the cut is halved, until it is below `least`.
-- @module prune.gate
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"

local Gate = class("PruneGate")

Gate.defaults = {
  tolerance = 0.02, -- relative loss that is accepted
  cut = 0.5, -- share of the weights left that goes at first
  least = 0.02, -- smallest cut that is tried
}

--- @tparam table cfg see Gate.defaults
-- @tparam number target sparsity at most
-- @tparam string name of the method, for messages
function Gate:init(cfg, target, name)
  self.cfg = config.merge(Gate.defaults, cfg, name .. ".gate")
  if type(target) ~= "number" then blame(name .. ": a gate needs a target that is a number, its end") end
  for _, key in ipairs {"tolerance", "cut", "least"} do
    if not (self.cfg[key] > 0 and self.cfg[key] < 1) then
      blame(("%s.gate.%s must be between 0 and 1, got %g"):format(name, key, self.cfg[key]))
    end
  end
  self.target, self.cut = target, self.cfg.cut
  self.level, self.held, self.best = 0, 0, nil
  self.pending = false
end

-- The next level from the last one that held.
function Gate:aim()
  local keep = math.max(1 - self.target, (1 - self.held) * (1 - self.cut))
  self.next = math.min(self.target, 1 - keep)
  self.pending = true
end

--- An evaluation at the current level.
-- @tparam number value larger is better
-- @treturn boolean whether the level held, and is higher than all that held before, or as high with a better score
function Gate:judge(value)
  local good = not self.best or value >= (1 - self.cfg.tolerance) * self.best
  self.best = math.max(self.best or value, value)
  if not good then
    self.cut = self.cut / 2
    if self.cut >= self.cfg.least then self:aim() else self.next, self.pending = self.held, true end
    return false
  end
  local better = self.level > self.held or not self.held_score or value > self.held_score
  if better then self.held_score = value end
  self.held = self.level
  if self.level < self.target and self.cut >= self.cfg.least then self:aim() end
  return better
end

--- The level to go to now.
-- @treturn number sparsity
function Gate:take()
  self.level, self.pending = self.next, false
  return self.level
end

--- For a checkpoint.
function Gate:state()
  return {level = self.level, held = self.held, best = self.best, cut = self.cut, next = self.next,
          pending = self.pending, held_score = self.held_score}
end

function Gate:load(state)
  for _, key in ipairs {"level", "held", "best", "cut", "next", "pending", "held_score"} do self[key] = state[key] end
end

return Gate
