--- What an optimiser keeps for each parameter: its number of steps, and tensors of its shape.
--
-- The shared part of the rules in this folder; a rule adds its formula.
-- @module optim.slots
local lac = require "lac"
local class = require "core.class"

local Slots = class("Slots")

local function check_params(params)
  if type(params) ~= "table" or #params == 0 then
    error("optimiser: needs a list of at least one parameter", 4)
  end
  for i, w in ipairs(params) do
    if not w:requires_grad() then
      error(("optimiser: parameter %d (%s) does not require a gradient"):format(i, tostring(w)), 4)
    end
  end
end

--- @tparam {tensor,...} params all require a gradient; they are changed in place by steps
-- @tparam {string,...} names one tensor of zeros per parameter and name
-- @tparam table masks position of a parameter -> its mask
function Slots:init(params, names, masks)
  check_params(params)
  self.params, self.names, self.masks = params, names, masks
  self.counts, self.tensors = {}, {}
  for i in ipairs(params) do self.counts[i] = 0 end
  for _, name in ipairs(names) do
    local list = {}
    for i, w in ipairs(params) do list[i] = lac.zeros(w:shape()) end
    self.tensors[name] = list
  end
end

--- Call `step` for every parameter that has a gradient; the others are left alone, and so is their count.
-- @tparam table shared fields for all steps
-- @tparam function step takes {w =, mask =, count =, one tensor per name, and the shared fields}
function Slots:each(shared, step)
  local args = setmetatable({}, {__index = shared})
  for i, w in ipairs(self.params) do
    local grad <close> = w:grad()
    if grad then
      self.counts[i] = self.counts[i] + 1
      args.w, args.mask, args.count = w, self.masks[i], self.counts[i]
      for _, name in ipairs(self.names) do args[name] = self.tensors[name][i] end
      step(args)
    end
  end
end

--- @treturn table {counts = {...}, <name> = {tensors}, ...}; the tensors are the live ones
function Slots:state()
  local state = {counts = table.move(self.counts, 1, #self.counts, 1, {})}
  for name, list in pairs(self.tensors) do state[name] = list end
  return state
end

local function check_state(self, state)
  for _, name in ipairs {"counts", table.unpack(self.names)} do
    local list = state[name]
    if type(list) ~= "table" or #list ~= #self.params then
      error(("optimiser: the state's '%s' must hold one item for each of %d parameters"):format(name,
        #self.params), 3)
    end
  end
  for _, name in ipairs(self.names) do
    for i, w in ipairs(self.params) do
      local want, got = table.concat(w:shape(), ", "), table.concat(state[name][i]:shape(), ", ")
      if want ~= got then
        error(("optimiser: the state's %s[%d] is [%s], the parameter [%s]"):format(name, i, got, want), 3)
      end
    end
  end
end

--- Take a state of the same parameters over; tensors are copied. Nothing changes when it does not fit.
-- @tparam table state as from `state`
function Slots:load(state)
  check_state(self, state)
  self.counts = table.move(state.counts, 1, #state.counts, 1, {})
  for _, name in ipairs(self.names) do
    for i, x in ipairs(self.tensors[name]) do x:copy(state[name][i]) end
  end
end

return Slots
