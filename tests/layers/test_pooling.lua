local lac = require "lac"
local check = require "check"

local T = {}

-- Values that are all different and far enough apart for finite differences.
local function steps(shape)
  local n, values = 1, {}
  for _, d in ipairs(shape) do n = n * d end
  for i = 1, n do values[i] = 0.07 * ((i * 37) % 101) - 3 end
  local flat <close> = lac.tensor(values)
  local x <close> = flat:reshape(shape)
  return x:totable()
end

local function pair(v) return type(v) == "table" and v or {v, v} end

local function sides(p)
  p = p or 0
  if type(p) == "number" then return {p, p, p, p} end
  return #p == 2 and {p[1], p[1], p[2], p[2]} or p
end

local function extent(size, before, after, window, step, stride, ceil)
  local room = size + before + after - step * (window - 1) - 1
  local n = room // stride + 1
  if ceil and room % stride ~= 0 and n * stride < size + before then n = n + 1 end
  return n
end

-- The result, and what a gradient gy of it gives to x.
local function reference(x, o, mean, gy)
  local k, d, p = pair(o.size), pair(o.dilation or 1), sides(o.padding)
  local s, y = pair(o.stride or o.size), {}
  local h, w, gx = #x[1], #x[1][1], {}
  for n, map in ipairs(gy and x or {}) do
    gx[n] = {}
    for i = 1, h do
      gx[n][i] = {}
      for j = 1, w do
        gx[n][i][j] = {}
        for c = 1, #map[1][1] do gx[n][i][j][c] = 0 end
      end
    end
  end
  for n, map in ipairs(x) do
    y[n] = {}
    for i = 1, extent(h, p[1], p[2], k[1], d[1], s[1], o.ceil) do
      y[n][i] = {}
      for j = 1, extent(w, p[3], p[4], k[2], d[2], s[2], o.ceil) do
        y[n][i][j] = {}
        for c = 1, #map[1][1] do
          local most, sum, padded, seen, best = -math.huge, 0, 0, {}, nil
          for a = 0, k[1] - 1 do
            for b = 0, k[2] - 1 do
              local r, q = (i - 1) * s[1] + a * d[1] - p[1], (j - 1) * s[2] + b * d[2] - p[3]
              if r < h + p[2] and q < w + p[4] then padded = padded + 1 end
              if r >= 0 and r < h and q >= 0 and q < w then
                local v = map[r + 1][q + 1][c]
                seen[#seen + 1] = {r + 1, q + 1}
                if v > most then most, best = v, seen[#seen] end
                sum = sum + v
              end
            end
          end
          local count = o.count_padding == false and #seen or padded
          y[n][i][j][c] = not mean and most or count > 0 and sum / count or 0
          for _, at in ipairs(gy and (mean and seen or {best}) or {}) do
            local g = gx[n][at[1]][at[2]]
            g[c] = g[c] + gy[n][i][j][c] / (mean and count or 1)
          end
        end
      end
    end
  end
  return y, gx
end

local cases = {
  {{2, 4, 6, 3}, {size = 2}},
  {{1, 7, 7, 2}, {size = 3, stride = 2, ceil = true}},
  {{1, 6, 6, 2}, {size = 3, stride = 2, ceil = true}},
  {{1, 5, 4, 17}, {size = 3, stride = 1, padding = 1}},
  {{2, 6, 5, 2}, {size = {2, 3}, stride = {3, 1}, padding = {1, 2}}},
  {{1, 7, 6, 2}, {size = 3, stride = 2, padding = {0, 1, 1, 2}}},
  {{1, 7, 8, 2}, {size = 2, stride = 2, dilation = 3, padding = 1}},
  {{1, 5, 5, 2}, {size = 2, stride = 3, padding = 1, ceil = true}},
  {{1, 5, 5, 33}, {size = 3, stride = 2, padding = 1, ceil = true}},
  {{2, 3, 3, 70}, {size = 3}},
}

function T.largest_and_mean_by_hand()
  local scope <close> = lac.scope()
  local x = lac.tensor {{{{1}, {2}, {5}}, {{3}, {-4}, {6}}, {{7}, {8}, {9}}}}
  check.equal(lac.max_pool(x, {size = 2, stride = 1}), {{{{3}, {6}}, {{8}, {9}}}})
  check.equal(lac.average_pool(x, {size = 2, stride = 1}), {{{{0.5}, {2.25}}, {{3.5}, {4.75}}}})
  check.equal(lac.max_pool(x, {size = 2, ceil = true}), {{{{3}, {6}}, {{8}, {9}}}})
  check.equal(lac.average_pool(x, {size = 2, ceil = true}), {{{{0.5}, {5.5}}, {{7.5}, {9}}}})
  check.equal(lac.average_pool(x, {size = 2, padding = 1}), {{{{0.25}, {1.75}}, {{2.5}, {4.75}}}})
  check.equal(lac.average_pool(x, {size = 2, padding = 1, count_padding = false}), {{{{1}, {3.5}}, {{5}, {4.75}}}})
end

function T.padding_never_wins()
  local scope <close> = lac.scope()
  local x = lac.tensor {{{{-1}, {-2}}, {{-3}, {-4}}}}
  check.equal(lac.max_pool(x, {size = 2, padding = 1}), {{{{-1}, {-2}}, {{-3}, {-4}}}})
end

function T.results_agree_with_plain_loops()
  for i, case in ipairs(cases) do
    local x = steps(case[1])
    local scope <close> = lac.scope()
    local good, message = pcall(function()
      check.close(lac.max_pool(lac.tensor(x), case[2]), reference(x, case[2]), 0)
      check.close(lac.average_pool(lac.tensor(x), case[2]), reference(x, case[2], true), 1e-5)
      case[2].count_padding = false
      check.close(lac.average_pool(lac.tensor(x), case[2]), reference(x, case[2], true), 1e-5)
      case[2].count_padding = nil
    end)
    check.yes(good, "case " .. i .. ": " .. tostring(message))
  end
end

local function gradient(pool, x, o, gy)
  local scope <close> = lac.scope()
  local t = lac.tensor(x)
  t:requires_grad(true)
  local tape <close> = lac.tape()
  local y = pool(t, o)
  tape:backward((y * lac.tensor(gy)):sum())
  return t:grad():totable()
end

function T.gradients_agree_with_plain_loops()
  for i, case in ipairs(cases) do
    local x = steps(case[1])
    local gy = steps((function()
      local scope <close> = lac.scope()
      return lac.max_pool(lac.tensor(x), case[2]):shape()
    end)())
    local good, message = pcall(function()
      local _, largest = reference(x, case[2], false, gy)
      check.close(gradient(lac.max_pool, x, case[2], gy), largest, 1e-5)
      for _, count_padding in ipairs {true, false} do
        case[2].count_padding = count_padding
        local _, mean = reference(x, case[2], true, gy)
        check.close(gradient(lac.average_pool, x, case[2], gy), mean, 1e-5)
      end
    end)
    case[2].count_padding = nil
    check.yes(good, "case " .. i .. ": " .. tostring(message))
  end
end

function T.gradients_match_finite_differences()
  for _, i in ipairs {1, 5, 8} do
    local x, o = steps(cases[i][1]), cases[i][2]
    check.grad(function(t) return lac.max_pool(t, o) + lac.max_pool(t, o):scale(2) end, {x}, {step = 0.03})
    check.grad(function(t) return lac.average_pool(t, o) + lac.average_pool(t, o) end, {x}, {step = 1}) -- linear
  end
end

function T.gradient_goes_to_the_first_of_equals_alone()
  local x <close> = lac.tensor {{{{0, 3}, {0, 1}}, {{0, 3}, {0, 3}}}}
  x:requires_grad(true)
  do
    local tape <close> = lac.tape()
    tape:backward(lac.max_pool(x, {size = 2}):sum())
  end
  check.equal(x:grad(), {{{{1, 1}, {0, 0}}, {{0, 0}, {0, 0}}}})
end

function T.nan_wins()
  local scope <close> = lac.scope()
  local x = lac.tensor {{{{1, 1}, {0 / 0, 2}}, {{3, 3}, {4, 4}}}}
  check.close(lac.max_pool(x, {size = 2}), {{{{0 / 0, 4}}}})
  x:requires_grad(true)
  local tape <close> = lac.tape()
  tape:backward(lac.max_pool(x, {size = 2}):sum())
  check.equal(x:grad(), {{{{0, 0}, {1, 0}}, {{0, 0}, {0, 1}}}})
end

-- Both taps of a dilated window fall beside the one column, to the left and to the right.
function T.windows_that_see_nothing_but_padding_give_0()
  for _, channels in ipairs {1, 8, 19} do
    local scope <close> = lac.scope()
    local x = lac.zeros({1, 1, 1, channels}):fill(-5)
    local far = {size = 2, dilation = 2, padding = 1}
    check.equal(lac.max_pool(x, far):totable(), lac.zeros({1, 1, 1, channels}):totable())
    local mixed = {size = {1, 2}, dilation = {1, 2}, stride = 1, padding = {0, 0, 1, 2}} -- taps -1 and 1, 0 and 2
    x:requires_grad(true)
    local tape <close> = lac.tape()
    local y = lac.max_pool(x, mixed)
    check.equal(y:select(3, 1):totable(), lac.zeros({1, 1, channels}):totable())
    check.equal(y:select(3, 2):totable(), lac.zeros({1, 1, channels}):fill(-5):totable())
    tape:backward(y:sum())
    check.equal(x:grad():totable(), lac.zeros({1, 1, 1, channels}):fill(1):totable())
    far.count_padding = false
    check.equal(lac.average_pool(x, far):totable(), lac.zeros({1, 1, 1, channels}):totable())
  end
end

function T.no_maps_are_fine()
  local scope <close> = lac.scope()
  check.equal(lac.max_pool(lac.zeros {0, 4, 4, 3}, {size = 2}):shape(), {0, 2, 2, 3})
  check.equal(lac.average_pool(lac.zeros {2, 4, 4, 0}, {size = 2}):shape(), {2, 2, 2, 0})
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x = lac.zeros {1, 4, 5, 6}
  for _, pool in ipairs {"max_pool", "average_pool"} do
    check.fails(pool .. ": wants size", lac[pool], x)
    check.fails(pool .. ": size must be from 1", lac[pool], x, {size = 0})
    check.fails(pool .. ": stride must be from 1", lac[pool], x, {size = 2, stride = 0})
    check.fails("padding must be less than the window's 2 rows, or .* got 2 and 2", lac[pool], x,
                {size = 2, padding = 2})
    check.fails("padding must be less than the window's 3 columns, or .* got 0 and 3", lac[pool], x,
                {size = {2, 3}, padding = {0, 0, 0, 3}})
    check.fails(pool .. ": a window of 5 rows does not fit into 4", lac[pool], x, {size = 5})
    check.fails(pool .. ": x must be %[n, height, width, channels%]", lac[pool], lac.zeros {4}, {size = 1})
    check.fails(pool .. ": unknown option 'kernel'", lac[pool], x, {kernel = 2})
  end
end

return T
