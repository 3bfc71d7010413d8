local check = require "check"
local raster = require "data.raster"
local scene = require "data.scene"

local T = {}

local function one(fields)
  local o = {shape = "square", colour = "red", style = "plain", x = 0.5, y = 0.5, r = 0.3, rgb = {240, 20, 20}}
  for key, value in pairs(fields) do o[key] = value end
  return {top = {20, 20, 20}, bottom = {20, 20, 20}, noise = 7, objects = {o}}
end

local function red(pixel)
  return pixel >> 16
end

-- Share of the circle's square that is covered, in radii squared.
local function area(fields)
  local size, sum = 200, 0
  for _, pixel in ipairs(raster.paint(one(fields), size)) do sum = sum + (red(pixel) > 120 and 1 or 0) end
  return sum / (0.3 * size) ^ 2
end

-- A disc of radius 1 without the part that a disc of radius 0.8 at distance 0.5 takes.
local function moon_area()
  local a, b = (0.25 + 1 - 0.64) / 1, (0.25 + 0.64 - 1) / 0.8
  local lens = math.acos(a) + 0.64 * math.acos(b)
    - 0.5 * math.sqrt((-0.5 + 1.8) * (0.5 + 0.2) * (0.5 - 0.2) * (0.5 + 1.8))
  return math.pi - lens
end

function T.shapes_cover_what_geometry_says()
  local want = {
    circle = math.pi, square = 1.8 ^ 2, diamond = 2, ring = math.pi * (1 - 0.64 ^ 2), cross = 2 * 1.9 * 0.6 - 0.36,
    triangle = 0.95 * 1.8, star = 1.1226, moon = moon_area(), -- a pentagram of radius 1 covers 1.1226
    heart = 2.26, -- two triangles of 0.544 and two segments of 0.590, which overlap a little
  }
  for shape, value in pairs(want) do check.close(area {shape = shape}, value, 0.06) end -- edges of 60 pixels' radius
  check.close(area {style = "outlined"}, 1.8 ^ 2 - 1.2 ^ 2, 0.06)
  check.close(area {style = "striped"}, 1.8 ^ 2 / 2, 0.2)
end

function T.every_shape_stays_within_its_radius_on_both_axes_and_fills_most_of_it()
  local size = 100
  for _, shape in ipairs(scene.SHAPES) do
    local low, high = {size, size}, {0, 0}
    for i, pixel in ipairs(raster.paint(one {shape = shape}, size)) do
      if red(pixel) > 120 then
        local at = {(i - 1) % size + 0.5, (i - 1) // size + 0.5}
        for axis = 1, 2 do
          low[axis], high[axis] = math.min(low[axis], at[axis]), math.max(high[axis], at[axis])
        end
      end
    end
    for axis = 1, 2 do
      check.yes(low[axis] > 20 and high[axis] < 80, shape .. " goes beyond its box")
      check.yes(high[axis] - low[axis] > 45, ("%s covers %g of 60"):format(shape, high[axis] - low[axis]))
    end
  end
end

function T.the_middle_of_a_shape_is_where_it_should_be()
  local size = 50
  local pixels = raster.paint(one {shape = "circle", x = 0.3, y = 0.6, r = 0.1}, size)
  local x, y, n = 0, 0, 0
  for i, pixel in ipairs(pixels) do
    if red(pixel) > 120 then x, y, n = x + (i - 1) % size + 0.5, y + (i - 1) // size + 0.5, n + 1 end
  end
  check.close({x / n / size, y / n / size}, {0.3, 0.6}, 0.01)
end

function T.a_background_goes_from_its_top_to_its_bottom_colour_with_a_little_noise()
  local drawn = {top = {10, 20, 30}, bottom = {40, 20, 30}, noise = 3, objects = {}}
  local size, grains = 64, {}
  local pixels = raster.paint(drawn, size)
  check.equal(#pixels, size * size)
  for i, pixel in ipairs(pixels) do
    local grain = (pixel >> 8 & 255) - 20
    check.yes(grain >= 0 and grain < 13)
    grains[grain] = true
    check.equal(pixel & 255, 30 + grain)
    check.close(red(pixel) - grain, 10 + 30 * ((i - 1) // size) / (size - 1), 1)
  end
  check.equal(#grains, 12) -- from 1; 0 is there too
end

function T.a_picture_painted_over_another_is_as_painted_afresh()
  local first, second = scene.new(1, 1), scene.new(1, 2)
  check.equal(raster.paint(second, 40, raster.paint(first, 40)), raster.paint(second, 40))
end

function T.bytes_are_red_green_blue_row_by_row()
  check.equal(raster.bytes({0x010203, 0xff0000, 0x00ff00, 0x0a0b0c}, 2), "\1\2\3\xff\0\0\0\xff\0\10\11\12")
end

return T
