--- The layers of maps agree with PyTorch, forward and gradients: see tests/golden/convolution.py.
local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local folder = check.settings.root .. "/tests/golden/"

local function values(shape, phase, scale, shift)
  local n, list = 1, {}
  for _, d in ipairs(shape) do n = n * d end
  for i = 0, n - 1 do list[i + 1] = (shift or 0) + (scale or 1) * math.sin(1.3 * i + 0.01 * i * i + phase) end
  local flat <close> = lac.tensor(list)
  return flat:reshape(shape)
end

-- Per operation: its call with inputs by name.
local calls = {
  conv2d = function(t, o) return lac.conv2d(t.x, t.weight, t.bias, o) end,
  batch_norm = function(t, o)
    local all = {gain = t.gain, offset = t.offset, mean = t.mean, variance = t.variance}
    for k, v in pairs(o) do all[k] = v end
    return lac.batch_norm(t.x, all)
  end,
}

local function run(name, case, golden)
  local scope <close> = lac.scope()
  local t = {}
  for k, rule in pairs(case.inputs) do
    t[k] = values(table.unpack(rule)):clone()
    if k ~= "mean" and k ~= "variance" then t[k]:requires_grad(true) end
  end
  local tape <close> = lac.tape()
  local call = calls[case.op] or function(all, o) return lac[case.op](all.x, o) end
  local y = call(t, case.options)
  check.close(y, golden[name .. "/y"], 2e-5)
  tape:backward((y * values(y:shape(), 2)):sum())
  for k, x in pairs(t) do
    local want = golden[name .. "/g" .. k]
    local good, message = pcall(check.close, want and x:grad() or x, want or golden[name .. "/" .. k], 1e-4, 1e-5)
    check.yes(good, k .. ": " .. tostring(message))
  end
end

function T.results_and_gradients_are_pytorchs()
  local golden = lac.safetensors.read(folder .. "convolution.safetensors")
  local count = 0
  for name, case in pairs(lac.json.decode(files.read(folder .. "convolution.json"))) do
    local good, message = pcall(run, name, case, golden)
    check.yes(good, name .. ": " .. tostring(message))
    count = count + 1
  end
  check.equal(count, 21)
  for _, x in pairs(golden) do x:close() end
end

return T
