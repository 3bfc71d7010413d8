--- Draw digits, train a small classifier, prune it by magnitude, fine-tune, and print what it cost.
-- Everything is made here: no data is needed.  lacuna run recipes/digits/prune.lua [seed]
local Linear = require "nn.linear"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"
local adam = require "optim.adam"

local seed = math.tointeger(tonumber(... or 1)) or error("the seed must be a whole number", 0)
local SIDE, BATCH = 16, 100

-- Strokes of each digit in a unit square, y downwards: polylines of x, y, x, y, ...
local STROKES = {
  [0] = {{.5, .1, .75, .25, .75, .75, .5, .9, .25, .75, .25, .25, .5, .1}},
  {{.35, .25, .55, .1, .55, .9}},
  {{.25, .3, .4, .1, .7, .15, .72, .4, .25, .9, .75, .9}},
  {{.25, .15, .7, .15, .45, .42, .72, .6, .6, .88, .25, .85}},
  {{.65, .9, .65, .1, .22, .62, .8, .62}},
  {{.72, .1, .3, .1, .28, .45, .65, .45, .72, .7, .55, .9, .25, .85}},
  {{.65, .1, .35, .4, .27, .7, .5, .9, .72, .72, .55, .5, .3, .6}},
  {{.22, .12, .78, .12, .42, .9}},
  {{.5, .48, .3, .28, .5, .1, .7, .28, .5, .48, .27, .7, .5, .9, .73, .7, .5, .48}},
  {{.7, .4, .45, .5, .28, .28, .5, .1, .7, .28, .68, .6, .5, .9}},
}

-- Squared distance from a point to a segment.
local function distance2(px, py, ax, ay, bx, by)
  local dx, dy = bx - ax, by - ay
  local t = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)
  t = math.max(0, math.min(1, t))
  local ex, ey = px - ax - t * dx, py - ay - t * dy
  return ex * ex + ey * ey
end

-- A digit as SIDE * SIDE numbers: slanted, scaled, shifted, with strokes of some width, and noise.
local function draw(digit, numbers)
  local slant, scale, width = 0.5 * numbers() - 0.25, 0.75 + 0.35 * numbers(), 0.05 + 0.06 * numbers()
  local shift_x, shift_y, noise = 0.2 * numbers() - 0.1, 0.2 * numbers() - 0.1, 0.4
  local segments = {}
  for _, line in ipairs(STROKES[digit]) do
    for i = 1, #line - 3, 2 do
      local s = {}
      for k = 0, 2, 2 do
        local x, y = line[i + k] - 0.5, line[i + k + 1] - 0.5
        s[#s + 1] = 0.5 + shift_x + scale * (x - slant * y)
        s[#s + 1] = 0.5 + shift_y + scale * y
      end
      segments[#segments + 1] = s
    end
  end
  local pixels = {}
  for row = 1, SIDE do
    for column = 1, SIDE do
      local x, y, nearest = (column - 0.5) / SIDE, (row - 0.5) / SIDE, math.huge
      for _, s in ipairs(segments) do
        nearest = math.min(nearest, distance2(x, y, s[1], s[2], s[3], s[4]))
      end
      pixels[#pixels + 1] = math.exp(-nearest / (width * width)) + noise * (numbers() - 0.5)
    end
  end
  return pixels
end

-- Numbers in [0, 1) from the library's generator, a thousand at a time.
local function stream(rng)
  local buffer, at = {}, 0
  return function()
    at = at + 1
    if not buffer[at] then
      local x <close> = rng:uniform {1000}
      buffer, at = x:totable(), 1
    end
    return buffer[at]
  end
end

local function dataset(count, rng)
  local numbers, pixels, labels = stream(rng), {}, {}
  for i = 1, count do
    labels[i] = (i - 1) % 10
    pixels[i] = draw(labels[i], numbers)
  end
  return {x = pixels, y = labels, count = count}
end

local function batch(data, order, first)
  local x, y = {}, {}
  for i = first, math.min(first + BATCH - 1, data.count) do
    x[#x + 1], y[#y + 1] = data.x[order[i]], data.y[order[i]]
  end
  return lac.tensor(x), lac.tensor(y, "i32"), #x
end

local function identity(n)
  local order = {}
  for i = 1, n do order[i] = i end
  return order
end

local function train(model, data, epochs, lr, rng)
  local optimiser = adam.new(model:values())
  local steps = epochs * (data.count // BATCH)
  local step = 0
  for _ = 1, epochs do
    local order = identity(data.count)
    rng:shuffle(order)
    for first = 1, data.count - BATCH + 1, BATCH do
      local tape <close> = lac.tape()
      local x, y, n = batch(data, order, first)
      tape:backward(lac.xent(model(x), y, lac.zeros({n}):fill(1)))
      optimiser:step(lr * 0.5 * (1 + math.cos(math.pi * step / steps)))
      model:zero_grad()
      step = step + 1
    end
  end
end

local function accuracy(model, data)
  local right, order = 0, identity(data.count)
  for first = 1, data.count, BATCH do
    local scope <close> = lac.scope()
    local x, _, n = batch(data, order, first)
    for i, guess in ipairs(model(x):argmax(2):totable()) do
      if guess == data.y[first + i - 1] and i <= n then right = right + 1 end
    end
  end
  return right / data.count
end

-- Keep the largest weights over all layers together (Han et al. 2015); biases stay.
local function prune(model, sparsity)
  local all = {}
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then
      local size <close> = p.param.value:abs()
      for _, row in ipairs(size:totable()) do table.move(row, 1, #row, #all + 1, all) end
    end
  end
  table.sort(all)
  local threshold = all[math.max(1, math.floor(sparsity * #all))]
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then
      local size <close> = p.param.value:abs()
      p.param:set_mask(size:greater(threshold))
    end
  end
end

local function count_weights(model)
  local total, kept = 0, 0
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then
      total = total + p.param:numel()
      local scope <close> = lac.scope()
      kept = kept + (p.param.mask and p.param.mask:binary():sum():item() or p.param:numel())
    end
  end
  return total, math.tointeger(kept)
end

local function row(name, model, test, seconds)
  local total, kept = count_weights(model)
  print(("%-26s %8.1f %% %9d %9.1f %% %8.1f s"):format(name, 100 * (1 - kept / total), kept,
    100 * accuracy(model, test), seconds))
end

local rng = lac.rng(seed)
local start = clock()
local data, test = dataset(3000, rng:fork "train"), dataset(1000, rng:fork "test")
print(("drew %d digits of %d x %d in %.1f s on %s"):format(data.count + test.count, SIDE, SIDE, clock() - start,
  lac.device.info().name))

local model = Sequential {Linear {inputs = SIDE * SIDE, outputs = 128}, Relu(), Linear {inputs = 128, outputs = 64},
                          Relu(), Linear {inputs = 64, outputs = 10}}
model:initialise(rng:fork "model")
local shuffles = rng:fork "order"

print(("%-26s %10s %9s %11s %10s"):format("", "sparsity", "weights", "accuracy", "time"))
start = clock()
train(model, data, 30, 2e-3, shuffles)
row("dense", model, test, clock() - start)
for _, sparsity in ipairs {0.9, 0.95, 0.98} do
  start = clock()
  prune(model, sparsity)
  row(("pruned %g %%"):format(100 * sparsity), model, test, clock() - start)
  train(model, data, 30, 2e-3, shuffles)
  row("  and fine-tuned", model, test, clock() - start)
end
