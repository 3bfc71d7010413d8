--- What a test may claim. A failed claim raises; the runner counts.
-- @module check
local lac = require "lac"

local check = {}

local SKIP = {} -- marks a skip among raised values

--- End this test as skipped.
-- @tparam string reason shown to the reader
function check.skip(reason)
  error({skip = SKIP, reason = reason}, 0)
end

--- The reason, if a raised value is a skip.
function check.skip_reason(raised)
  return type(raised) == "table" and raised.skip == SKIP and raised.reason or nil
end

local function show(v)
  if type(v) == "string" then return string.format("%q", v) end
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  for i, x in ipairs(v) do
    if i > 8 then parts[#parts + 1] = "..." break end
    parts[#parts + 1] = show(x)
  end
  if #parts == 0 then
    for k, x in pairs(v) do parts[#parts + 1] = tostring(k) .. "=" .. show(x) end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function host(v)
  return type(v) == "userdata" and v:totable() or v
end

--- The claim holds.
function check.yes(value, text)
  if not value then error(text or "expected a true value, got " .. show(value), 2) end
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b) or a == b
  end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

--- Equal in value, tables and tensors element by element.
function check.equal(got, want)
  got, want = host(got), host(want)
  if not same(got, want) then
    error("expected " .. show(want) .. ", got " .. show(got), 2)
  end
end

local function walk_close(got, want, tolerance, relative, path)
  if type(want) == "table" then
    if type(got) ~= "table" or #got ~= #want then
      return string.format("at %s: expected %s, got %s", path, show(want), show(got))
    end
    for i = 1, #want do
      local problem = walk_close(got[i], want[i], tolerance, relative, path .. "[" .. i .. "]")
      if problem then return problem end
    end
    return nil
  end
  if type(got) ~= "number" then return path .. ": not a number: " .. show(got) end
  if got ~= got and want ~= want then return nil end -- NaN where NaN is expected
  if got == want then return nil end -- infinities
  if not (math.abs(got - want) <= tolerance + relative * math.abs(want)) then -- luacheck: ignore 581 (NaN)
    return string.format("at %s: expected %.9g, got %.9g (off by %.3g)", path, want, got,
                         math.abs(got - want))
  end
end

--- Numbers, nested tables or tensors equal within tolerance + relative * |want|.
function check.close(got, want, tolerance, relative)
  local problem = walk_close(host(got), host(want), tolerance or 1e-5, relative or 0, "value")
  if problem then error(problem, 2) end
end

--- The call raises a message that matches a Lua pattern.
-- @treturn string the message
function check.fails(pattern, fn, ...)
  local good, message = pcall(fn, ...)
  if good then error("expected a failure matching '" .. pattern .. "', but the call succeeded", 2) end
  message = tostring(message)
  if not message:find(pattern) then
    error("expected a failure matching '" .. pattern .. "', got: " .. message, 2)
  end
  return message
end

local function flat(t, out)
  out = out or {}
  for _, v in ipairs(t) do
    if type(v) == "table" then flat(v, out) else out[#out + 1] = v end
  end
  return out
end

--- Gradients of a scalar function agree with central differences, for every element of every input.
-- @tparam function fn takes as many tensors as there are inputs, returns one with any number of elements
-- @tparam table inputs nested tables of numbers, one per argument; a list of numbers is one input
-- @tparam[opt] table options step (1e-2), tolerance (2e-3 absolute and relative: float32 differences)
function check.grad(fn, inputs, options)
  options = options or {}
  local step, tolerance = options.step or 1e-2, options.tolerance or 2e-3
  if type(inputs[1]) == "number" then inputs = {inputs} end
  -- A fixed weighting makes one number of the result without hiding errors that cancel in a plain sum.
  local function weigh(y)
    local n = y:numel()
    local weights = {}
    for i = 1, n do weights[i] = 1 + 0.37 * math.sin(1.7 * i) end
    local w = lac.tensor(weights)
    return (y:contiguous():reshape(n) * w):sum()
  end
  local function evaluate(tables)
    local scope <close> = lac.scope()
    local args = {}
    for i, t in ipairs(tables) do args[i] = lac.tensor(t) end
    return weigh(fn(table.unpack(args))):item()
  end
  local grads = {}
  do
    local args = {}
    for i, t in ipairs(inputs) do args[i] = lac.tensor(t):requires_grad(true) end
    local tape <close> = lac.tape()
    tape:backward(weigh(fn(table.unpack(args))))
    for i, x in ipairs(args) do
      grads[i] = x:grad() and flat({x:grad():totable()}) or nil
      x:close()
    end
  end
  for i, t in ipairs(inputs) do
    if not grads[i] then error("input " .. i .. " got no gradient", 2) end
    local shape
    do local probe <close> = lac.tensor(t); shape = probe:shape() end
    local values = flat({t})
    local function rebuilt(values_now)
      local x <close> = lac.tensor(values_now)
      local y <close> = x:reshape(shape)
      return y:totable()
    end
    for j = 1, #values do
      local saved = values[j]
      local side = {}
      for k, sign in ipairs {1, -1} do
        values[j] = saved + sign * step
        local all = {table.unpack(inputs)}
        all[i] = rebuilt(values)
        side[k] = evaluate(all)
      end
      values[j] = saved
      local numeric = (side[1] - side[2]) / (2 * step)
      local got = grads[i][j]
      if not (math.abs(got - numeric) <= tolerance * (1 + math.abs(numeric))) then -- luacheck: ignore 581 (NaN)
        error(string.format("gradient of input %d, element %d: rule says %.6g, differences say %.6g",
                            i, j, got, numeric), 2)
      end
    end
  end
end

local settings = {}
check.settings = settings -- filled in by the runner: root, build, mode, lacuna, shared

--- The path of a file under the shared folder; skips the test where it is absent.
-- @tparam string path relative to the shared folder
function check.shared(path)
  local full = settings.shared .. "/" .. path
  local file = io.open(full, "rb")
  if not file then check.skip("no " .. path .. " in the shared folder " .. settings.shared) end
  file:close()
  return full
end

--- Run the executable; what does not end within two minutes is stopped with status 124.
-- @tparam string arguments shell text after the program's name
-- @tparam[opt=""] string before shell text before it: VARIABLE=value, or a program that starts it
-- @treturn number exit status
-- @treturn string what it printed, standard error included
function check.run(arguments, before)
  local command = ("timeout 120 env %s %s %s"):format(before or "", settings.lacuna, arguments)
  local pipe = assert(io.popen(command .. " 2>&1; echo \"=$?\""))
  local all = pipe:read("a")
  pipe:close()
  local text, status = all:match("^(.*)=(%d+)\n$")
  return tonumber(status), text
end

return check
