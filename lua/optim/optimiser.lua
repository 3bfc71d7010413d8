--- What all update rules share: parameters in groups, their state and counts of steps, the limits of gradients.
--
-- A rule is {name =, defaults =, step = the function of lac, slots = function(cfg) -> names of its tensors,
-- settings = function(cfg) -> the fields of lac's call}; `shared` are the settings that every rule has.
--
-- A group is {match = pattern or patterns (core.select), lr =, and settings}: its parameters have settings of
-- their own. lr is a number, which no schedule touches, or a function of the rate that `step` is given.
-- A parameter belongs to the first group that matches it.
-- @module optim.optimiser
local lac = require "lac"
local class = require "core.class"
local blame = require "core.blame"
local config = require "core.config"
local select = require "core.select"

local Optimiser = class("Optimiser")

Optimiser.shared = {
  weight_decay = 0,
  clip_value = 0, -- limit of every element of a gradient; 0: none
  clip_norm = 0, -- limit of the norm of all gradients together, applied before clip_value; 0: none
  masks = {}, -- position of a parameter -> f32 tensor of its shape; the parameter stays 0 where it is 0
  groups = {},
}

local NOT_IN_GROUPS = {clip_norm = true, masks = true, groups = true} -- of the whole optimiser

-- An entry of the list: a tensor, or what nn.Module:parameters gives.
local function read_parameter(entry, i)
  if type(entry) == "userdata" then return {name = tostring(i), value = function() return entry end} end
  return {name = entry.name, value = function() return entry.param.value end}
end

local function read_parameters(params)
  if type(params) ~= "table" or #params == 0 then blame("optimiser: needs a list of at least one parameter") end
  local list = {}
  for i, entry in ipairs(params) do
    local p = read_parameter(entry, i)
    local w = p.value()
    if not w then blame(("optimiser: parameter %s has no value: initialise or load the model first"):format(p.name)) end
    if not w:requires_grad() then
      blame(("optimiser: parameter %s (%s) does not require a gradient"):format(p.name, tostring(w)))
    end
    list[i] = p
  end
  return list
end

-- The settings a group may have, over those of the whole optimiser.
local function group_config(rule, cfg, group, i)
  local defaults = {match = config.optional("string", "table"), lr = config.optional("number", "function")}
  for key in pairs(rule.defaults) do
    if not NOT_IN_GROUPS[key] then defaults[key] = cfg[key] end
  end
  local own = config.merge(defaults, group, ("%s.groups[%d]"):format(rule.name, i))
  if not own.match then blame(("%s.groups[%d] needs match, a pattern of names"):format(rule.name, i)) end
  return own
end

-- Put every parameter into a group; what no pattern matches forms the last one, with the common settings.
local function make_groups(rule, cfg, params)
  local names, groups, taken = {}, {}, {}
  for i, p in ipairs(params) do names[i] = p.name end
  for i, group in ipairs(cfg.groups) do
    local own = group_config(rule, cfg, group, i)
    local good, picked = pcall(select.pick, names, own.match)
    if not good then blame(("%s.groups[%d]: %s"):format(rule.name, i, picked)) end
    groups[i] = {cfg = own, at = {}}
    for k, name in ipairs(names) do
      if picked[name] and not taken[k] then
        taken[k] = true
        table.insert(groups[i].at, k)
      end
    end
    if #groups[i].at == 0 then
      blame(("%s.groups[%d]: all that it matches belongs to groups before it"):format(rule.name, i))
    end
  end
  local rest = {cfg = cfg, at = {}}
  for k in ipairs(names) do
    if not taken[k] then table.insert(rest.at, k) end
  end
  if #rest.at > 0 then groups[#groups + 1] = rest end
  return groups
end

-- A step of a single number: settings that the device's function refuses are refused before training.
local function try(rule, cfg)
  local tape <close> = lac.tape()
  local w = lac.zeros {1}:requires_grad(true)
  tape:backward(w:sum())
  local args, names = rule.settings(cfg), rule.slots(cfg)
  args.rate, args.decay, args.clip = 0, cfg.weight_decay, cfg.clip_value
  args[1] = {w = w, s = names[1] and lac.zeros {1}, t = names[2] and lac.zeros {1}, count = 1}
  local good, message = pcall(rule.step, args)
  if not good then blame(("%s: %s"):format(rule.name, (message:gsub("^[%l_]+: ", "")))) end
end

--- @tparam table rule
-- @tparam table params tensors, or what nn.Module:parameters gives, which groups can tell apart by name; they are
-- changed in place by steps
-- @tparam[opt] table cfg see the rule's defaults and `shared`
function Optimiser:init(rule, params, cfg)
  self.rule = rule
  self.cfg = config.merge(rule.defaults, cfg, rule.name)
  if rule.check then rule.check(self.cfg) end
  self.params = read_parameters(params)
  self.groups = make_groups(rule, self.cfg, self.params)
  self.counts, self.slots = {}, {}
  for _, group in ipairs(self.groups) do
    if rule.check then rule.check(group.cfg) end
    try(rule, group.cfg)
    local names = rule.slots(group.cfg)
    for _, i in ipairs(group.at) do
      self.counts[i], self.slots[i] = 0, {}
      for _, name in ipairs(names) do self.slots[i][name] = lac.zeros(self.params[i].value():shape()) end
    end
  end
end

-- The norm of all gradients, where it is limited: a tensor for the steps, which does not wait for it.
function Optimiser:grad_norm()
  local list = {}
  for _, p in ipairs(self.params) do
    local w = p.value()
    local grad <close> = w:grad()
    if grad then list[#list + 1] = w end
  end
  return #list > 0 and lac.grad_norm(list) or nil
end

local function group_rate(group, lr)
  local own = group.cfg.lr
  local rate = own == nil and lr or type(own) == "function" and own(lr) or own
  if type(rate) ~= "number" or not (rate >= 0 and rate < math.huge) then
    error(("optimiser: the learning rate must be a number >= 0, got %s"):format(tostring(rate)), 4)
  end
  return rate
end

-- What lac's step takes: settings, and the parameters that have a gradient.
function Optimiser:arguments(group, lr, norm)
  local cfg = group.cfg
  local args = self.rule.settings(cfg)
  args.rate, args.decay, args.clip = group_rate(group, lr), cfg.weight_decay, cfg.clip_value
  args.norm, args.max_norm = norm, norm and self.cfg.clip_norm
  local names = self.rule.slots(cfg)
  for _, i in ipairs(group.at) do
    local w, slots = self.params[i].value(), self.slots[i]
    local grad <close> = w:grad()
    if grad then
      args[#args + 1] = {w = w, s = slots[names[1]], t = slots[names[2]], mask = self.cfg.masks[i],
                         count = self.counts[i] + 1, at = i}
    end
  end
  return args
end

--- Step every parameter that has a gradient; the others are left alone, and so is their count.
-- @tparam number lr learning rate of the groups without one of their own
function Optimiser:step(lr)
  local norm <close> = self.cfg.clip_norm > 0 and self:grad_norm() or nil
  for _, group in ipairs(self.groups) do
    local args = self:arguments(group, lr, norm)
    if #args > 0 then
      self.rule.step(args)
      for _, part in ipairs(args) do self.counts[part.at] = part.count end
    end
  end
end

--- The state's tensors of a parameter.
-- @tparam string name
-- @treturn table name of the slot -> tensor, the live one; empty where the parameter is not known
function Optimiser:slots_of(name)
  for i, p in ipairs(self.params) do
    if p.name == name then return self.slots[i] end
  end
  return {}
end

--- Forget what the steps so far have left: as new.
function Optimiser:reset()
  for i, slots in ipairs(self.slots) do
    self.counts[i] = 0
    for _, x in pairs(slots) do x:fill(0) end
  end
end

--- What `load` takes, for a checkpoint.
-- @treturn table {counts = {number, ...}, slots = {{name = tensor, ...}, ...}}, an item for each parameter in
-- order; the tensors are the live ones
function Optimiser:state()
  return {counts = table.move(self.counts, 1, #self.counts, 1, {}), slots = self.slots}
end

local function fail(text, ...)
  error(("optimiser: the state's " .. text):format(...), 3)
end

local function check_state(self, state)
  for _, key in ipairs {"counts", "slots"} do
    local list = state[key]
    if type(list) ~= "table" or #list ~= #self.params then
      fail("'%s' must hold one item for each of %d parameters", key, #self.params)
    end
  end
  for i, slots in ipairs(self.slots) do
    if math.type(state.counts[i]) ~= "integer" or state.counts[i] < 0 then
      fail("count of %s must be a whole number >= 0, got %s", self.params[i].name, tostring(state.counts[i]))
    end
    for name, x in pairs(slots) do
      local got = state.slots[i][name]
      if not got then fail("slots of %s lack '%s'", self.params[i].name, name) end
      local want, shape = table.concat(x:shape(), ", "), table.concat(got:shape(), ", ")
      if want ~= shape then fail("%s of %s is [%s], the parameter [%s]", name, self.params[i].name, shape, want) end
    end
  end
end

--- Take a state of the same parameters over; tensors are copied. Nothing changes when it does not fit.
-- @tparam table state as from `state`
function Optimiser:load(state)
  check_state(self, state)
  self.counts = table.move(state.counts, 1, #state.counts, 1, {})
  for i, slots in ipairs(self.slots) do
    for name, x in pairs(slots) do x:copy(state.slots[i][name]) end
  end
end

--- Let the state's tensors go.
function Optimiser:close()
  for _, slots in ipairs(self.slots) do
    for _, x in pairs(slots) do x:close() end
  end
end

--- A rule's defaults and those that every rule has.
function Optimiser.with_shared(defaults)
  for key, value in pairs(Optimiser.shared) do
    if defaults[key] == nil then defaults[key] = value end
  end
  return defaults
end

return Optimiser
