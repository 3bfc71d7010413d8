-- What encoders.py --check runs: an imported encoder against what PyTorch made of the same weights.
--
--   lacuna run --trust tests/golden/compare_encoder.lua FOLDER
local lac = require "lac"
local checkpoint = require "train.checkpoint"

local folder = arg[1]
local want = lac.safetensors.read(folder .. "/expected.safetensors")
local config = checkpoint.load(folder .. "/encoder.h5", "encoder").config.model
config.norm = "training"

local total = 0
for name, x in pairs(want) do
  if name:find "^gradient/" then total = total + x:square():sum():item() end
end

-- Norm of the difference over the norm of what is wanted, or where that is nothing but rounding, over a small share of
-- the norm of all gradients, or of statistics of order 1.
local function relative(got, name)
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local x = want[name]:reshape(got:shape())
  local least = name:find "^gradient/" and 1e-8 * total or 1e-6 * x:numel()
  return ((got - x):square():sum():item() / math.max(x:square():sum():item(), least)) ^ 0.5
end

local model = checkpoint.encoder(config, "expected")
local file <close> = lac.hdf5.open(folder .. "/encoder.h5")
require("train.storage").read(file, folder .. "/encoder.h5", model)

model:eval()
local logits = model:logits(want.pictures)
local off = (logits - want.logits):abs():max():item()
print(("%s: logits differ by at most %.2g (they reach %.3g)"):format(config.name, off, want.logits:abs():max():item()))

model:train(lac.rng(1))
do
  local tape <close> = lac.tape()
  tape:backward((model:logits(want.pictures) * want.probe):sum())
end
local worst, at, sum, count = 0, nil, 0, 0
for _, p in ipairs(model:parameters()) do
  local r = relative(p.param.value:grad(), "gradient/" .. p.name)
  sum, count = sum + r, count + 1
  if r > worst then worst, at = r, p.name end
end
print(("%s: relative difference of the gradients of %d parameters from float64: mean %.2g, at most %.2g (%s)")
  :format(config.name, count, sum / count, worst, at))
local own = want.own:totable()[1]
local moved = 0
for _, p in ipairs(model:tensors()) do
  if p.param.buffer then moved = math.max(moved, relative(p.param.value, "after/" .. p.name)) end
end
print(("%s: relative difference of running statistics after the step: at most %.2g"):format(config.name, moved))
if not (off <= 1e-4 and worst <= math.max(1e-3, 2 * own) and moved <= 1e-3) then
  error(config.name .. ": too far from PyTorch", 0)
end
