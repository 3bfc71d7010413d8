local lac = require "lac"
local check = require "check"

local T = {}

local function ramp(h, w, c)
  local map = {}
  for i = 1, h do
    map[i] = {}
    for j = 1, w do
      map[i][j] = {}
      for k = 1, c do map[i][j][k] = math.sin(1.1 * i + 0.7 * j * k) end
    end
  end
  return {map, map}
end

local function source(i, size, out, grid)
  local at
  if grid == "corners" then
    at = out > 1 and i * (size - 1) / (out - 1) or 0
  elseif grid == "legacy" then
    at = i * size / out
  else
    at = math.max((i + 0.5) * size / out - 0.5, 0)
  end
  local cell = math.floor(at)
  return cell + 1, math.min(cell + 2, size), at - cell
end

local function reference(x, o)
  local y = {}
  for n, map in ipairs(x) do
    y[n] = {}
    for i = 1, o.height do
      local a, b, down = source(i - 1, #map, o.height, o.grid)
      y[n][i] = {}
      for j = 1, o.width do
        local c, d, right = source(j - 1, #map[1], o.width, o.grid)
        y[n][i][j] = {}
        for k = 1, #map[1][1] do
          y[n][i][j][k] = (map[a][c][k] * (1 - right) + map[a][d][k] * right) * (1 - down)
                          + (map[b][c][k] * (1 - right) + map[b][d][k] * right) * down
        end
      end
    end
  end
  return y
end

local sizes = {{3, 4, 6, 8}, {3, 4, 7, 5}, {8, 7, 3, 2}, {5, 5, 5, 5}, {1, 1, 3, 4}, {4, 6, 1, 1}, {2, 9, 13, 2}}

function T.four_cells_by_hand()
  local scope <close> = lac.scope()
  local x = lac.tensor {{{{0}, {4}}}}
  check.equal(lac.resize(x, {height = 1, width = 4}), {{{{0}, {1}, {3}, {4}}}})
  check.equal(lac.resize(x, {height = 1, width = 4, grid = "legacy"}), {{{{0}, {2}, {4}, {4}}}})
  check.close(lac.resize(x, {height = 1, width = 3, grid = "corners"}), {{{{0}, {2}, {4}}}}, 1e-6)
  check.equal(lac.resize(x, {height = 2, width = 1}), {{{{2}}, {{2}}}})
end

function T.results_agree_with_plain_loops()
  for _, s in ipairs(sizes) do
    for _, grid in ipairs {"half_pixel", "legacy", "corners"} do
      local x, o = ramp(s[1], s[2], 3), {height = s[3], width = s[4], grid = grid}
      local scope <close> = lac.scope()
      check.close(lac.resize(lac.tensor(x), o), reference(x, o), 2e-6)
    end
  end
end

function T.gradients_match_finite_differences()
  for _, s in ipairs(sizes) do
    for _, grid in ipairs {"half_pixel", "legacy", "corners"} do
      check.grad(function(x)
        local o = {height = s[3], width = s[4], grid = grid}
        return lac.resize(x, o) + lac.resize(x, o):scale(2)
      end, {ramp(s[1], s[2], 2)}, {step = 1}) -- linear
    end
  end
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local x = lac.zeros {1, 2, 2, 1}
  check.fails("resize: height and width must be >= 1, got 0 x 4", lac.resize, x, {height = 0, width = 4})
  check.fails("resize: width must be a whole number >= 0, got nil", lac.resize, x, {height = 1})
  check.fails("resize: height must be a whole number >= 0, got 1.5", lac.resize, x, {height = 1.5, width = 1})
  check.fails("with some cells, got %[1, 0, 2, 1%]", lac.resize, lac.zeros {1, 0, 2, 1}, {height = 1, width = 1})
  check.fails("resize: x must be %[n, height, width, channels%]", lac.resize, lac.zeros {4}, {height = 1, width = 1})
  check.fails("invalid option 'cubic'", lac.resize, x, {height = 1, width = 1, grid = "cubic"})
  check.fails("more than 2%^24 rows or columns", lac.resize, x, {height = 20000000, width = 1})
end

return T
