local lac = require "lac"
local check = require "check"
local golden = require "golden"
local class = require "core.class"
local mask = require "nn.mask"

local T = {}

-- A trained mask that takes recorded noise instead of a generator's, call by call.
local Replay = class("Replay", getmetatable(mask.trained()))

function Replay:apply(value, rng)
  if not rng then return lac.mask {w = value, logit = self.logits} end
  self.calls = (self.calls or 0) + 1
  return lac.mask {w = value, logit = self.logits, noise = self.noise:select(1, self.calls)}
end

-- Give every masked parameter of a golden file its logits.
local function attach(model, logits)
  local masks = {}
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then
      masks[p.name] = Replay(logits[p.name]:requires_grad(true))
      p.param:set_mask(masks[p.name])
    end
  end
  return masks
end

local function compare(got, want, name, ...)
  local good, message = pcall(check.close, got, want, ...)
  check.yes(good, name .. ": " .. tostring(message))
end

-- Each gradient or value of a golden group, for tensors by name.
local function compare_all(file, group, got, ...)
  local wanted = golden.group(file, group)
  check.yes(next(wanted), "the file holds no " .. group)
  for name, want in pairs(wanted) do
    compare(got[name], want, group .. "/" .. name, ...)
    want:close()
  end
end

local function gradients(model, masks)
  local weights, logits = {}, {}
  for _, p in ipairs(model:parameters()) do weights[p.name] = p.param.value:grad() or lac.zeros(p.param.shape) end
  for name, m in pairs(masks) do logits[name] = m.logits:grad() end
  return weights, logits
end

local function caption_loss(file, model, batch)
  local logits = model(batch)
  local targets, weights = golden.targets(file, batch)
  return lac.xent(logits, targets, weights), logits
end

local function updown_agrees(mode)
  local file <close> = golden.open "supermask_updown.h5"
  local model = golden.updown(file)
  local masks = attach(model, golden.group(file, "mask_logits"))
  if mode == "train" then model:train(lac.rng(1)) end
  do
    local tape <close> = lac.tape()
    local noise = golden.group(file, "train/noise")
    for name, m in pairs(masks) do m.noise = noise[name] end
    local batch = golden.batch(file)
    local loss, logits = caption_loss(file, model, batch)
    local logp = logits:log_softmax():reshape(batch.steps, #batch.seqs, logits:shape(2)):transpose(1, 2)
    check.close(logp, file:read(mode .. "/logprobs"):slice(2, 1, batch.steps), 1e-4)
    check.close(loss:item(), file:read(mode .. "/loss"):totable()[1], 0, 1e-5)
    tape:backward(loss)
    local weights, logit_grads = gradients(model, masks)
    compare_all(file, mode .. "/grads_weights", weights, 1e-5, 1e-3)
    compare_all(file, mode .. "/grads_masks", logit_grads, 1e-5, 1e-3)
    if mode == "train" then
      for name, m in pairs(masks) do check.equal(m.calls, noise[name]:shape(1)) end
    end
  end
  model:close()
end

function T.rounded_masks_agree_with_the_golden_file()
  updown_agrees "eval"
end

function T.masks_drawn_at_every_step_agree_with_the_golden_file()
  updown_agrees "train"
end

return T
