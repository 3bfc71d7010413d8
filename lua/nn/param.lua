--- A parameter: a shape, its initial distribution, its value on the device, and maybe a mask. A buffer is one that no
-- gradient reaches and no optimiser sees, such as the statistics of a normalisation.
-- The value is made when the model is initialised or loaded, so a loaded model draws no numbers. `like` may be set to
-- another parameter of the same shape and distribution, whose initial value this one gets too.
-- @module nn.param
local lac = require "lac"
local class = require "core.class"
local mask_of = require "nn.mask"

local Param = class("Param")

--- @tparam table shape
-- @tparam function init (rng, shape) -> tensor
-- @tparam[opt] table options maskable: whether pruning may touch it (weights yes, biases no); fan: how many of its
-- elements an output sums (those of a row unless given); buffer: whether it is one
function Param:init(shape, init, options)
  self.shape = shape
  self.fill = init
  self.maskable = options and options.maskable or false
  self.buffer = options and options.buffer or false
  self.idle = false -- whether it stays as it is in this model and plays no part in training
  self.fan = options and options.fan or self:numel() // math.max(1, shape[1])
end

--- Whether pruning touches it in this model.
function Param:prunable()
  return self.maskable and not self.idle
end

--- Number of elements.
function Param:numel()
  local n = 1
  for _, d in ipairs(self.shape) do n = n * d end
  return n
end

--- Take over a tensor as the value, closing the one before.
-- @tparam tensor value of this parameter's shape; nil lets the value go
function Param:set(value)
  if value then
    if value:dtype() ~= "f32" then error(("expected numbers of the type f32, got %s"):format(value:dtype()), 2) end
    local shape = value:shape()
    local same = #shape == #self.shape
    for i, d in ipairs(self.shape) do same = same and shape[i] == d end
    if not same then
      error(("expected shape [%s], got [%s]"):format(table.concat(self.shape, ", "), table.concat(shape, ", ")), 2)
    end
    value:requires_grad(not self.buffer)
  end
  if self.value then self.value:close() end
  self.value = value
end

--- Attach a mask, or remove it with nil; an earlier one is closed.
-- @tparam ?nn.mask|tensor|table mask a tensor of zeros and ones is a mask that stays as it is; a table with `kind` is
-- the state of a mask
function Param:set_mask(mask)
  if type(mask) == "userdata" then mask = mask_of.fixed(mask) end
  if mask and mask.kind then mask = mask_of.load(mask) end
  if self.mask then self.mask:close() end
  self.held, self.hold, self.once, self.ready = nil, nil, nil, nil
  self.mask = mask
end

--- Let the mask rest: nothing is drawn from it, so weights are in or out as in evaluation.
-- @tparam boolean rests
function Param:rest(rests)
  self.rests = rests
end

-- The generator that a mask draws from.
local function source(self)
  return not self.rests and self.rng or nil
end

--- Training mode with a generator for what is drawn, or evaluation mode with nil.
function Param:set_rng(rng)
  self.rng, self.held, self.hold, self.once, self.ready = rng, nil, nil, nil, nil
end

--- Whether every use in a time loop gets a weight of its own, so that nothing made of it may leave the loop.
function Param:redraws()
  return self.mask ~= nil and self.mask:redraws(source(self))
end

--- What a layer computes with: the value, masked where there is a mask.
-- @treturn tensor made under the current tape where there is a mask
function Param:tensor()
  if not self.value then error("this parameter has no value: initialise or load the model first", 2) end
  if self.held then return self.held end
  if not self.mask then return self.value end
  local masked = self.mask:apply(self.value, source(self))
  if self.once then self.held = masked end
  return masked
end

--- The value that evaluation computes with, whatever the mode.
-- @treturn tensor the live value where there is no mask; else new, 0 (never -0) where a weight is dropped
function Param:pruned()
  if not self.value then error("this parameter has no value: initialise or load the model first", 2) end
  return self.mask and self.mask:pruned(self.value) or self.value
end

-- Column ranges of a matrix, views of it.
local function cut(w, cuts)
  local parts, start = {}, 1
  for i, width in ipairs(cuts) do
    parts[i], start = w:slice(2, start, width), start + width
  end
  return table.unpack(parts)
end

--- What products (lac.linear) take: as `tensor`, but where a time loop draws again and again, in a form that is
-- made for it. Such forms end with the model's hold (nn.module).
-- @tparam[opt] table cuts widths of column ranges that meet different inputs; then a result for each
-- @treturn tensor|weights ...
function Param:weights(cuts)
  if self.ready and not cuts then return self.ready end
  if self.hold and self:redraws() then
    local shared = self.hold:share(self, cuts)
    if shared then return self.hold:keep(shared:draw(self.rng)) end
  end
  local w = self:tensor()
  if cuts then return cut(w, cuts) end
  return w
end

--- Rows of a matrix, masked where there is a mask: lac.embedding of `tensor`.
-- @tparam tensor ids
-- @treturn tensor
function Param:rows(ids)
  if self:redraws() and not self.held then return self.mask:rows(self.value, ids, self.rng) end
  return lac.embedding(self:tensor(), ids)
end

return Param
