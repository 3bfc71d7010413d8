--- A tree of named parts. A part is a module, a parameter or a buffer (nn.param); a parameter's name is its path with
-- dots.
-- @module nn.module
local lac = require "lac"
local class = require "core.class"
local Param = require "nn.param"

local Module = class("Module")

function Module:init()
  self.parts = {}    -- in the order they were added: {name =, module =} or {name =, param =}
  self.training = false
end

--- Add a module under a name and return it.
function Module:add(name, module)
  self.parts[#self.parts + 1] = {name = name, module = module}
  module.owner, module.name = self, name
  return module
end

--- Add a parameter under a name and return it.
function Module:add_param(name, param)
  self.parts[#self.parts + 1] = {name = name, param = param}
  return param
end

--- Add a buffer under a name and return it: saved and loaded with the parameters, but not among `parameters`.
-- @tparam string name
-- @tparam table shape
-- @tparam function start see nn.init
-- @treturn nn.Param
function Module:add_buffer(name, shape, start)
  return self:add_param(name, Param(shape, start, {buffer = true}))
end

local function visit(module, prefix, found, buffers)
  for _, part in ipairs(module.parts) do
    local path = prefix .. part.name
    if part.module then
      visit(part.module, path .. ".", found, buffers)
    elseif buffers or not part.param.buffer then
      found[#found + 1] = {name = path, param = part.param}
    end
  end
  return found
end

--- All parameters, depth first in the order they were added: the canonical order.
-- @treturn table list of {name = string, param = nn.Param}
function Module:parameters()
  return visit(self, "", {}, false)
end

--- All that has a value: parameters and buffers, in the same order. What a file holds of a model.
-- @treturn table list of {name = string, param = nn.Param}
function Module:tensors()
  return visit(self, "", {}, true)
end

--- The values of all parameters, in canonical order: what an optimiser takes.
-- @treturn table list of tensors
function Module:values()
  local values = {}
  for i, p in ipairs(self:parameters()) do values[i] = p.param.value end
  return values
end

--- Forget all gradients, those of masks included, which otherwise add up from step to step.
function Module:zero_grad()
  for _, p in ipairs(self:parameters()) do
    p.param.value:zero_grad()
    if p.param.mask then p.param.mask:zero_grad() end
  end
end

--- Draw every parameter's initial value; buffers get theirs.
-- @tparam rng rng each parameter draws from a stream of its own, named after it, or after the one that it is `like`
function Module:initialise(rng)
  local list, names = self:tensors(), {}
  for _, p in ipairs(list) do names[p.param] = p.name end
  for _, p in ipairs(list) do
    p.param:set(p.param.fill(rng:fork(names[p.param.like] or p.name), p.param.shape))
  end
end

--- Take values by name.
-- @tparam table tensors name -> tensor; the tensors belong to the model afterwards
-- @raise names what is missing, unexpected, or of another shape
function Module:load(tensors)
  local known = {}
  for _, p in ipairs(self:tensors()) do
    known[p.name] = true
    if not tensors[p.name] then error("the tensor " .. p.name .. " is missing", 2) end
  end
  for name in pairs(tensors) do
    if not known[name] then error("the tensor " .. name .. " has no place in this model", 2) end
  end
  for _, p in ipairs(self:tensors()) do
    local good, message = pcall(p.param.set, p.param, tensors[p.name])
    if not good then error(p.name .. ": " .. tostring(message):gsub("^.-:%d+: ", ""), 2) end
  end
end

--- Let every value and mask go.
function Module:close()
  for _, p in ipairs(self:tensors()) do
    p.param:set(nil)
    p.param:set_mask(nil)
  end
end

local function set_training(module, training, rng)
  module.training, module.rng, module.around = training, rng, nil
  for _, part in ipairs(module.parts) do
    if part.module then
      set_training(part.module, training, rng)
    else
      part.param:set_rng(rng)
    end
  end
end

--- Whether some weight changes from one time step to the next, see nn.param.
function Module:redraws()
  for _, p in ipairs(self:parameters()) do
    if p.param:redraws() then return true end
  end
  return false
end

local Hold = class("Hold")

function Hold:init()
  self.tensors = {} -- parameter -> what it gives
  self.redrawn = {} -- parameters
  self.shared = {}  -- one of them -> what its draws share, false where there is no such form
  self.drawn = {}
  self.once = {}    -- parameters that draw once
  self.ready = {}   -- parameter -> its weights in the form that many products like
end

--- What the draws of a parameter share, see nn.mask; made when first asked for.
function Hold:share(param, cuts)
  if self.shared[param] == nil then self.shared[param] = param.mask:share(param.value, cuts) or false end
  return self.shared[param]
end

--- Close these when the hold ends.
function Hold:keep(...)
  for i = 1, select("#", ...) do self.drawn[#self.drawn + 1] = (select(i, ...)) end
  return ...
end

--- Bring the matrices of a module into a form that many products like, until the hold ends: for loops in which
-- they keep their values. Those that change with every use stay as they are.
-- @tparam nn.Module module
function Hold:prepare(module)
  for _, p in ipairs(module:parameters()) do
    local param = p.param
    if param.maskable and #param.shape == 2 and not param:redraws() and not self.ready[param] then
      param.ready = lac.prepare(param:tensor())
      self.ready[param] = param.ready
    end
  end
end

--- End it; a second time does nothing.
function Hold:close()
  for param, weights in pairs(self.ready) do
    if param.ready == weights then param.ready = nil end
    weights:close()
  end
  for _, param in ipairs(self.once) do
    if param.once == self then param.held, param.once = nil, nil end
  end
  for param, tensor in pairs(self.tensors) do
    if param.held == tensor then param.held = nil end
  end
  for _, weights in ipairs(self.drawn) do weights:close() end
  for _, shared in pairs(self.shared) do
    if shared then shared:close() end
  end
  for _, param in ipairs(self.redrawn) do
    if param.hold == self then param.hold = nil end
  end
  if self.owner and self.owner.around == self then self.owner.around = nil end
  self:init()
end

Hold.__close = Hold.close

--- Make every masked weight that does not change with time once, for all uses until the guard closes, and what
-- the draws of the others share:
--
--     local held <close> = self:hold()
--
-- @tparam[opt] table cfg once: a mask draws at its first use, and no more (rows of a table draw each time); around:
-- later holds, until this one ends or the mode is set, give the same weights, drawn once for them all
-- @treturn Hold the guard; the tensors are the current tape's
function Module:hold(cfg)
  local hold, around = Hold(), self.around and self.around.tensors or {}
  if cfg and cfg.around then self.around, hold.owner, around = hold, self, {} end
  for _, p in ipairs(self:parameters()) do
    local param = p.param
    if param.once then param.held = nil end
    param.hold, param.once, param.ready = nil, nil, nil
    if param:redraws() and cfg and cfg.once then
      param.once = hold
      table.insert(hold.once, param)
    elseif param:redraws() then
      param.hold = hold
      table.insert(hold.redrawn, param)
    elseif around[param] then
      param.held = around[param]
    elseif param.mask then
      param.held = nil
      param.held = param:tensor()
      hold.tensors[param] = param.held
    end
  end
  return hold
end

--- Training mode: dropout is on and masks are drawn, from the generator.
-- @tparam rng rng
-- @treturn nn.Module self
function Module:train(rng)
  set_training(self, true, rng)
  return self
end

--- Evaluation mode: nothing is random.
function Module:eval()
  set_training(self, false, nil)
  return self
end

--- The path of this module from the root, "" for the root itself.
function Module:path()
  if not self.owner then return "" end
  local above = self.owner:path()
  return above == "" and self.name or above .. "." .. self.name
end

-- Modules whose forward is running, outermost first; what stays after an error says where it happened.
local running = {}

local function leave(...)
  running[#running] = nil
  return ...
end

--- module(...) is module:forward(...), with the module noted while it runs.
function Module:__call(...)
  running[#running + 1] = self
  return leave(self:forward(...))
end

--- The path of the innermost module that was running when an error was raised, and forget it.
-- @treturn string|nil
function Module.where()
  local last = running[#running]
  for i = #running, 1, -1 do running[i] = nil end
  return last and last:path()
end

return Module
