--- Masks of parameters: what a weight is multiplied by, element by element.
--
-- A fixed mask stays as it is during training; a pruning method may write new zeros and ones into `values`, and may
-- set `dense_gradient`, after which dropped weights get the gradient of the weight that would stand in their place.
--
-- A mask belongs to a parameter (nn.param), never to a second copy of a model. It has `apply(value, rng)`, which
-- gives the masked weight; `pruned(value)`, the weight that evaluation uses; `binary(value)`, the zeros and ones in it,
-- and `kept(value)`, how many are ones; `redraws(rng)`, whether each use in a time loop gets weights of its own;
-- `state()`, what mask.load makes it of again; `zero_grad()` and `close()`.
-- @module nn.mask
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"

local mask = {}

-- The value where a mask of zeros and ones keeps it; 0, never -0, elsewhere.
local function product(self, value)
  local scope <close> = lac.scope()
  return scope:keep(value * self:binary() + 0)
end

local Fixed = class("FixedMask")

function Fixed:init(values)
  self.values = values
end

-- What masking adds to a value; not recorded, so a gradient does not see the mask.
local function difference(value, values)
  local scope <close> = lac.scope()
  return scope:keep(value * values - value)
end

function Fixed:apply(value)
  if not self.dense_gradient then return value * self.values end
  return value + difference(value, self.values)
end

Fixed.pruned = product

--- @treturn tensor new, of zeros and ones
function Fixed:binary()
  return self.values:clone()
end

--- @treturn tensor new, a scalar
function Fixed:kept()
  return self.values:sum()
end

--- @treturn table kind = "fixed", tensor = the live values
function Fixed:state()
  return {kind = "fixed", tensor = self.values}
end

function Fixed.redraws()
  return false
end

function Fixed.zero_grad()
end

function Fixed:close()
  self.values:close()
end

local Trained = class("TrainedMask")

local defaults = {
  draw = "step", -- "step": each use draws, so a time loop draws at every step; "forward": one draw per forward pass;
                 -- "never": masks are rounded in training as they are in evaluation
  bypass = false, -- leave the slope of the sigmoid out of the gradient of the logits
}

function Trained:init(logits, cfg)
  self.cfg = config.merge(defaults, cfg, "nn.mask")
  if self.cfg.draw ~= "step" and self.cfg.draw ~= "forward" and self.cfg.draw ~= "never" then
    error(('nn.mask: draw must be "step", "forward" or "never", got "%s"'):format(self.cfg.draw), 4)
  end
  self.logits = logits
end

--- Where a draw comes from: {rng =}, or {noise =} of the weight's shape.
function Trained.source(_, rng)
  return {rng = rng}
end

function Trained:apply(value, rng)
  local from = rng and self.cfg.draw ~= "never" and self:source(rng) or {}
  return lac.mask {w = value, logit = self.logits, rng = from.rng, noise = from.noise, bypass = self.cfg.bypass}
end

--- Rows of a masked table.
-- @tparam tensor value the table
-- @tparam tensor ids
-- @tparam rng rng
function Trained:rows(value, ids, rng)
  local from = self:source(rng)
  return lac.mask_rows {w = value, logit = self.logits, ids = ids, rng = from.rng, noise = from.noise,
                        bypass = self.cfg.bypass}
end

--- For the draws of a pass: an object with draw(rng), which gives weights for lac.linear, one for each range of
-- columns, and close().
-- @tparam tensor value a matrix
-- @tparam[opt] table cuts the widths of ranges, one by default
-- @treturn ?table nil where the device has no such form
function Trained:share(value, cuts)
  local masked = lac.masked {w = value, logit = self.logits, bypass = self.cfg.bypass, cuts = cuts}
  return masked and {
    draw = function(_, rng) return masked:draw(self:source(rng)) end,
    close = function() masked:close() end,
  }
end

Trained.pruned = product

--- @treturn tensor new, of zeros and ones: round(sigmoid(logits)), half to even
function Trained:binary()
  local ones <close> = lac.zeros(self.logits:shape()):fill(1)
  local kept <close> = lac.mask {w = ones, logit = self.logits}
  return kept:greater(0)
end

--- @treturn tensor new, a scalar with a gradient straight through the rounding
function Trained:kept()
  return self.logits:mask_count()
end

--- @treturn table kind = "trained", tensor = the live logits, cfg = draw and bypass
function Trained:state()
  return {kind = "trained", tensor = self.logits, cfg = self.cfg}
end

function Trained:redraws(rng)
  return rng ~= nil and self.cfg.draw == "step"
end

function Trained:zero_grad()
  self.logits:zero_grad()
end

function Trained:close()
  self.logits:close()
end

local Soft = class("SoftMask")

function Soft:init(t)
  if t:numel() ~= 1 then error(("nn.mask: a soft mask has one threshold, got %d"):format(t:numel()), 4) end
  self.t = t
end

-- sign(w) relu(|w| - c) as a difference of two that are never both above 0.
function Soft:apply(value)
  local c = self.t:exp()
  return (value - c):relu() - (value:neg() - c):relu()
end

function Soft:pruned(value)
  local scope <close> = lac.scope()
  return scope:keep(self:apply(value) + 0)
end

--- @tparam tensor value what is masked
-- @treturn tensor new, of zeros and ones
function Soft:binary(value)
  local scope <close> = lac.scope()
  return scope:keep(self:apply(value):abs():greater(0))
end

--- @tparam tensor value what is masked
-- @treturn tensor new, a scalar
function Soft:kept(value)
  local scope <close> = lac.scope()
  return scope:keep(self:binary(value):sum())
end

--- @treturn table kind = "soft", tensor = the live t
function Soft:state()
  return {kind = "soft", tensor = self.t}
end

function Soft.redraws()
  return false
end

function Soft:zero_grad()
  self.t:zero_grad()
end

function Soft:close()
  self.t:close()
end

--- A mask that stays as it is.
-- @tparam tensor values zeros and ones, the mask's from now on
function mask.fixed(values)
  return Fixed(values)
end

--- A mask that is learned: a weight is kept with probability sigmoid(logit) in training, and in evaluation where
-- that exceeds 1/2. Tan, Chan and Chuah 2022, section 3.
-- @tparam tensor logits the mask's from now on; they train if they require a gradient
-- @tparam[opt] table cfg draw, bypass
function mask.trained(logits, cfg)
  return Trained(logits, cfg)
end

--- A soft threshold, which shrinks what it keeps: sign(w) relu(|w| - e^t).
-- Kusupati et al. 2020, "Soft threshold weight reparameterization for learnable sparsity", equation 3, with the
-- exponential for their g.
-- @tparam tensor t [1], the mask's from now on; it trains if it requires a gradient
function mask.soft(t)
  return Soft(t)
end

--- The mask of a state.
-- @tparam table state kind, tensor (the mask's from now on) and maybe cfg
function mask.load(state)
  if state.kind == "fixed" then return Fixed(state.tensor) end
  if state.kind == "trained" then return Trained(state.tensor, state.cfg) end
  if state.kind == "soft" then return Soft(state.tensor) end
  error(('nn.mask: there is no kind of mask "%s"; there are fixed, trained and soft'):format(tostring(state.kind)), 2)
end

--- The shape of a state's tensor.
-- @tparam string kind
-- @tparam table shape of the weight
function mask.shape_of(kind, shape)
  return kind == "soft" and {1} or shape
end

return mask
