local lac = require "lac"
local check = require "check"

local T = {}

local function wave(shape, phase)
  local n, values = 1, {}
  for _, d in ipairs(shape) do n = n * d end
  for i = 1, n do values[i] = 1.5 * math.sin(1.3 * i + phase) + 0.05 * phase end
  local flat <close> = lac.tensor(values)
  local x <close> = flat:reshape(shape)
  return x:totable()
end

local function pair(v) return type(v) == "table" and v or {v or 1, v or 1} end

local function sides(p) -- top, bottom, left, right
  p = p or 0
  if type(p) == "number" then return {p, p, p, p} end
  return #p == 2 and {p[1], p[1], p[2], p[2]} or p
end

-- Call visit(n, i, j, f, a, b, c, row, column, channel) for every product that is part of a sum, and cell(n, i, j, f)
-- for every sum before.
local function walk(x, w, o, cell, visit)
  local s, d, p, groups = pair(o.stride), pair(o.dilation), sides(o.padding), o.groups or 1
  local height, width, kh, kw, group, each = #x[1], #x[1][1], #w[1][1], #w[1][1][1], #w[1], #w // groups
  for n = 1, #x do
    for i = 1, (height + p[1] + p[2] - d[1] * (kh - 1) - 1) // s[1] + 1 do
      for j = 1, (width + p[3] + p[4] - d[2] * (kw - 1) - 1) // s[2] + 1 do
        for f = 1, #w do
          cell(n, i, j, f)
          for a = 1, kh do
            for b = 1, kw do
              local row = (i - 1) * s[1] + (a - 1) * d[1] - p[1] + 1
              local column = (j - 1) * s[2] + (b - 1) * d[2] - p[3] + 1
              local inside = row >= 1 and row <= height and column >= 1 and column <= width
              for c = 1, inside and group or 0 do
                visit(n, i, j, f, a, b, c, row, column, (f - 1) // each * group + c)
              end
            end
          end
        end
      end
    end
  end
end

-- By the definition, cell by cell.
local function reference(x, w, bias, o)
  local y = {}
  walk(x, w, o, function(n, i, j, f)
    y[n] = y[n] or {}
    y[n][i] = y[n][i] or {}
    y[n][i][j] = y[n][i][j] or {}
    y[n][i][j][f] = bias and bias[f] or 0
  end, function(n, i, j, f, a, b, c, row, column, channel)
    y[n][i][j][f] = y[n][i][j][f] + w[f][c][a][b] * x[n][row][column][channel]
  end)
  return y
end

local function zeros(t)
  if type(t) == "number" then return 0 end
  local out = {}
  for i, v in ipairs(t) do out[i] = zeros(v) end
  return out
end

-- Every product gives its part to the gradients of its factors.
local function reference_gradients(x, w, gy, o)
  local gx, gw, gbias = zeros(x), zeros(w), {}
  walk(x, w, o, function(n, i, j, f) gbias[f] = (gbias[f] or 0) + gy[n][i][j][f] end,
    function(n, i, j, f, a, b, c, row, column, channel)
      local g = gy[n][i][j][f]
      gx[n][row][column][channel] = gx[n][row][column][channel] + g * w[f][c][a][b]
      gw[f][c][a][b] = gw[f][c][a][b] + g * x[n][row][column][channel]
    end)
  return gx, gw, gbias
end

-- name, x, weight, options
local cases = {
  {"a pixel", {2, 3, 4, 5}, {6, 5, 1, 1}, {}},
  {"a pixel with a stride", {2, 5, 4, 3}, {4, 3, 1, 1}, {stride = 2}},
  {"a pixel with padding", {1, 2, 3, 2}, {3, 2, 1, 1}, {padding = 1}},
  {"pixels in groups", {2, 3, 2, 6}, {4, 3, 1, 1}, {groups = 2}},
  {"3 x 3", {2, 5, 4, 3}, {4, 3, 3, 3}, {padding = 1}},
  {"a stride", {1, 7, 6, 2}, {3, 2, 3, 3}, {stride = 2, padding = 1}},
  {"two strides, uneven window", {1, 6, 8, 2}, {3, 2, 2, 3}, {stride = {1, 3}, padding = {0, 1}}},
  {"dilation", {1, 7, 6, 2}, {2, 2, 3, 2}, {dilation = {2, 3}, padding = {2, 1}}},
  {"groups", {2, 4, 4, 4}, {6, 2, 3, 3}, {groups = 2, padding = 1}},
  {"four sides", {1, 4, 5, 2}, {3, 2, 3, 3}, {padding = {0, 1, 2, 1}, stride = 2}},
  {"all at once", {2, 9, 8, 4}, {4, 2, 3, 2}, {groups = 2, stride = {2, 1}, dilation = {1, 2}, padding = {2, 0, 1, 3}}},
  {"a stride past the window", {1, 8, 8, 2}, {2, 2, 2, 2}, {stride = 3}},
  {"seven wide", {1, 9, 9, 3}, {5, 3, 7, 7}, {stride = 2, padding = 3}},
  {"each channel alone", {2, 5, 4, 3}, {3, 1, 3, 3}, {groups = 3, padding = 1}},
  {"each channel, a stride", {1, 7, 6, 5}, {5, 1, 3, 3}, {groups = 5, stride = 2, padding = {0, 1, 0, 1}}},
  {"two of each channel", {1, 5, 6, 3}, {6, 1, 3, 2}, {groups = 3, dilation = 2, padding = 2}},
  {"more outputs than vectors hold", {1, 3, 4, 9}, {70, 9, 2, 3}, {padding = 1}},
  {"strides past maps of one cell", {8, 1, 1, 4}, {3, 4, 3, 3}, {stride = 2, padding = 1}},
  {"a stride past maps of two cells", {3, 2, 1, 6}, {3, 2, 2, 1}, {stride = 3, groups = 3}},
  {"a pixel, a stride past the map", {5, 2, 1, 4}, {3, 4, 1, 1}, {stride = {3, 1}}},
  {"each of many channels", {1, 4, 4, 37}, {37, 1, 3, 3}, {groups = 37, padding = 1}},
}

function T.sums_by_hand()
  local scope <close> = lac.scope()
  local x = lac.tensor {{{{1}, {2}, {3}}, {{4}, {5}, {6}}, {{7}, {8}, {9}}}}
  local w = lac.tensor {{{{1, 0}, {0, -1}}}}
  check.equal(lac.conv2d(x, w), {{{{-4}, {-4}}, {{-4}, {-4}}}})
  check.equal(lac.conv2d(x, w, lac.tensor {10}, {stride = 2, padding = 1}), {{{{9}, {7}}, {{3}, {6}}}})
end

function T.results_agree_with_plain_loops()
  for i, case in ipairs(cases) do
    local scope <close> = lac.scope()
    local x, w, bias = wave(case[2], i), wave(case[3], 2 * i), wave({case[3][1]}, 5)
    local y = lac.conv2d(lac.tensor(x), lac.tensor(w), i % 2 == 0 and lac.tensor(bias) or nil, case[4])
    local good, message = pcall(check.close, y, reference(x, w, i % 2 == 0 and bias, case[4]), 2e-5, 1e-6)
    check.yes(good, case[1] .. ": " .. tostring(message))
  end
end

function T.gradients_agree_with_plain_loops()
  for i, case in ipairs(cases) do
    local scope <close> = lac.scope()
    local x, w, bias = wave(case[2], i), wave(case[3], 2 * i), wave({case[3][1]}, 5)
    local tx, tw, tb = lac.tensor(x), lac.tensor(w), lac.tensor(bias)
    for _, t in ipairs {tx, tw, tb} do t:requires_grad(true) end
    local tape <close> = lac.tape()
    local y = lac.conv2d(tx, tw, tb, case[4])
    local gy = wave(y:shape(), 3)
    tape:backward((y * lac.tensor(gy)):sum())
    local gx, gw, gbias = reference_gradients(x, w, gy, case[4])
    for k, pair_of in ipairs {{tx, gx}, {tw, gw}, {tb, gbias}} do
      local good, message = pcall(check.close, pair_of[1]:grad(), pair_of[2], 1e-4)
      check.yes(good, case[1] .. ", input " .. k .. ": " .. tostring(message))
    end
  end
end

function T.gradients_match_finite_differences()
  for _, i in ipairs {5, 6, 8, 9, 14} do -- the result is linear in each input: steps may be large
    local case = cases[i]
    local good, message = pcall(check.grad, function(x, w, bias) return lac.conv2d(x, w, bias, case[4]) end,
      {wave(case[2], i), wave(case[3], 2 * i), wave({case[3][1]}, 5)}, {step = 1})
    check.yes(good, case[1] .. ": " .. tostring(message))
  end
end

function T.gradients_of_several_uses_add_up()
  check.grad(function(x, w, bias)
    local o = {padding = 1}
    local y = lac.conv2d(x, w, bias, o) + lac.conv2d(x:transpose(2, 3), w:transpose(3, 4), bias, o)
    return y + lac.conv2d(x, w, nil, o)
  end, {wave({2, 3, 3, 2}, 1), wave({3, 2, 3, 3}, 2), wave({3}, 4)}, {step = 1})
  check.grad(function(x, w)
    local o = {padding = 1, groups = 2}
    return lac.conv2d(x, w, nil, o) + lac.conv2d(x, w, nil, o):scale(2)
  end, {wave({2, 3, 3, 2}, 1), wave({2, 1, 3, 3}, 2)}, {step = 1})
end

function T.only_wanted_gradients_are_made()
  for groups = 1, 2 do
    local scope <close> = lac.scope()
    local all = {lac.zeros {1, 3, 3, 2}, lac.zeros {2, 2 // groups, 2, 2}, lac.zeros {2}}
    for _, wanted in ipairs(all) do
      wanted:requires_grad(true)
      do
        local tape <close> = lac.tape()
        tape:backward(lac.conv2d(all[1], all[2], all[3], {groups = groups}):sum())
      end
      for _, other in ipairs(all) do check.equal(other:grad() ~= nil, other == wanted) end
      wanted:zero_grad()
      wanted:requires_grad(false)
    end
  end
end

function T.many_positions_are_shared_out_and_twice_the_same()
  local scope <close> = lac.scope()
  local g = lac.rng(3)
  for _, o in ipairs {{padding = 2}, {padding = 1, stride = 2}, {padding = 1, groups = 3}} do
    local groups = o.groups or 1
    local side = check.settings.mode == "oclgrind" and 8 or 40 -- the simulator takes minutes for more
    local x, w = g:normal {3, side, side + 1, 6}, g:normal {9, 6 // groups, 5, 3}
    local grads = {}
    for run = 1, 2 do
      x:requires_grad(true)
      w:requires_grad(true)
      do
        local tape <close> = lac.tape()
        tape:backward(lac.conv2d(x, w, nil, o):square():mean())
      end
      grads[run] = {x:grad():totable(), w:grad():totable()}
      x:zero_grad()
      w:zero_grad()
    end
    check.equal(grads[1], grads[2])
    x:requires_grad(false)
    w:requires_grad(false)
    local whole = lac.conv2d(x, w, nil, o)
    for n = 1, 3 do
      check.close(lac.conv2d(x:slice(1, n, 1), w, nil, o), whole:slice(1, n, 1), 1e-4)
    end
  end
end

function T.no_maps_are_fine()
  local scope <close> = lac.scope()
  for groups = 1, 2 do
    local x, w = lac.zeros {0, 4, 5, 2}, lac.zeros {4, 2 // groups, 3, 3}
    x:requires_grad(true)
    w:requires_grad(true)
    local tape <close> = lac.tape()
    local y = lac.conv2d(x, w, nil, {groups = groups})
    check.equal(y:shape(), {0, 2, 3, 4})
    tape:backward(y:sum())
    check.equal(w:grad():sum():item(), 0)
  end
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x, w = lac.zeros {1, 4, 5, 6}, lac.zeros {8, 6, 3, 3}
  check.fails("conv2d: x must be %[n, height, width, channels%], got %[4, 5%]", lac.conv2d, lac.zeros {4, 5}, w)
  check.fails("conv2d: weight must be %[out, channels / groups, height, width%], got %[8%]", lac.conv2d, x,
              lac.zeros {8})
  check.fails("with 6 / 1 channels, got %[8, 5, 3, 3%]", lac.conv2d, x, lac.zeros {8, 5, 3, 3})
  check.fails("with 6 / 2 channels, got %[8, 6, 3, 3%]", lac.conv2d, x, w, nil, {groups = 2})
  check.fails("4 groups do not divide the 6 channels of x and the 8 outputs", lac.conv2d, x, w, nil, {groups = 4})
  check.fails("3 groups do not divide the 6 channels of x and the 8 outputs", lac.conv2d, x, w, nil, {groups = 3})
  check.fails("0 groups do not divide", lac.conv2d, x, w, nil, {groups = 0})
  check.fails("a window of 5 rows does not fit into 4, padding included", lac.conv2d, x, w, nil, {dilation = 2})
  check.fails("a window of 6 columns does not fit into 5", lac.conv2d, x, lac.zeros {8, 6, 1, 6})
  check.fails("conv2d: stride must be from 1 to 2%^31 %- 1, got 0", lac.conv2d, x, w, nil, {stride = 0})
  check.fails("conv2d: dilation must be from 1", lac.conv2d, x, w, nil, {dilation = {1, 0}})
  check.fails("conv2d: size must be from 1", lac.conv2d, x, lac.zeros {8, 6, 0, 3})
  check.fails("conv2d: padding must be a whole number >= 0, got %-1", lac.conv2d, x, w, nil,
              {padding = -1})
  check.fails("conv2d: padding must be a number or a table of 2 or 4, got 3", lac.conv2d, x, w, nil,
              {padding = {1, 2, 3}})
  check.fails("conv2d: stride must be a number or a table of 2, got 1", lac.conv2d, x, w, nil, {stride = {2}})
  check.fails("conv2d: unknown option 'strides'", lac.conv2d, x, w, nil, {strides = 2})
  check.fails("conv2d: bias must be %[8%], got %[6%]", lac.conv2d, x, w, lac.zeros {6})
  check.fails("conv2d: weight must be f32, got i32", lac.conv2d, x, lac.tensor({1}, "i32"))
  check.fails("conv2d: a result of %d+ rows is too large", lac.conv2d, x, w, nil, {padding = {2147483647, 1}})
end

return T
