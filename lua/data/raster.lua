--- Scenes of data.scene as pixels.
--
-- A picture is a flat list of size * size whole numbers, red << 16 | green << 8 | blue, row by row. Shapes are
-- signed distances in units of their radius (negative inside), and a pixel is covered by as much as its centre
-- lies inside the edge, so that edges are smooth at every size.
-- @module data.raster
local lac = require "lac"

local raster = {}

local abs, sqrt, max, min = math.abs, math.sqrt, math.max, math.min

local distance = {}

function distance.circle(u, v)
  return sqrt(u * u + v * v) - 1
end

function distance.square(u, v)
  return max(abs(u), abs(v)) - 0.9
end

function distance.diamond(u, v)
  return (abs(u) + abs(v) - 1) * 0.7071
end

function distance.ring(u, v)
  return abs(sqrt(u * u + v * v) - 0.82) - 0.18
end

function distance.cross(u, v)
  u, v = abs(u), abs(v)
  return min(max(u - 0.95, v - 0.3), max(u - 0.3, v - 0.95))
end

-- The base at v = 0.8, the tip at (0, -1), the corners at u = 0.95 and -0.95.
function distance.triangle(u, v)
  return max(v - 0.8, 0.8845 * abs(u) - 0.4668 * v - 0.4668)
end

-- Two discs and the corner between their tangents, which begins on the chords from where they meet to the tangents.
function distance.heart(u, v)
  u = abs(u)
  local x, y = u - 0.48, v + 0.36
  return min(sqrt(x * x + y * y) - 0.5, max(0.7433 * u + 0.669 * v - 0.616, 0.366 * u - 0.9306 * v - 0.335))
end

-- A disc without the disc to its right.
function distance.moon(u, v)
  local x = u - 0.5
  return max(sqrt(u * u + v * v) - 1, 0.8 - sqrt(x * x + v * v))
end

local COS72, SIN72, COS144, SIN144 = math.cos(math.rad(72)), math.sin(math.rad(72)), math.cos(math.rad(144)),
  math.sin(math.rad(144))

-- Five lines make a pentagram, one per tip; a point of it lies beyond one of them at most, so the second largest
-- distance counts. The halves are mirror images: with u >= 0 the lines of the right side are the far ones.
function distance.star(u, v)
  u, v = abs(u), -v
  local a, b, c = v, SIN72 * u + COS72 * v, SIN144 * u + COS144 * v
  local d, e = COS72 * v - SIN72 * u, COS144 * v - SIN144 * u
  local first, second = a, b
  if b > a then first, second = b, a end
  if c > first then first, second = c, first elseif c > second then second = c end
  if d > first then second = first elseif d > second then second = d end
  if e > second then second = min(e, first) end
  return second - COS72
end

local OUTLINE = 0.3 -- width of a line, in radii
local STRIPE = 3 -- stripes per radius, light and dark together half as many
local DARK = 0.35

-- Brightness noise: one list for all pictures, of which each row takes a piece.
local NOISE, LENGTH = 13, 8191
local noise

local function noise_table()
  if not noise then
    local rng = lac.rng(0):fork("raster.noise")
    noise = {}
    for i = 1, LENGTH do noise[i] = rng:below(NOISE) end
  end
  return noise
end

raster.LARGEST = 1024 -- pixels; a row of noise fits many times

local function paint_background(scene, size, pixels)
  local values, state = noise_table(), scene.noise
  local top, bottom = scene.top, scene.bottom
  for row = 0, size - 1 do
    local part = row / (size - 1)
    local colour = 0
    for c = 1, 3 do colour = colour << 8 | (top[c] + (bottom[c] - top[c]) * part) // 1 | 0 end
    state = (state * 1103515245 + 12345) & 0x7fffffff -- a linear congruential step: which piece of the noise
    local from, start = (state >> 8) % (LENGTH - size), row * size
    for i = 1, size do pixels[start + i] = colour + values[from + i] * 0x010101 end
  end
end

local function blend(under, r, g, b, part)
  local r0, g0, b0 = under >> 16, under >> 8 & 255, under & 255
  return (r0 + (r - r0) * part) // 1 << 16 | (g0 + (g - g0) * part) // 1 << 8 | (b0 + (b - b0) * part) // 1
end

local function paint_object(object, size, pixels)
  local measure, r = distance[object.shape], object.r * size
  local x, y = object.x * size, object.y * size
  local red, green, blue = table.unpack(object.rgb)
  local outlined, striped = object.style == "outlined", object.style == "striped"
  local left, right = max(0, (x - r) // 1 | 0), min(size - 1, (x + r) // 1 | 0)
  for row = max(0, (y - r) // 1 | 0), min(size - 1, (y + r) // 1 | 0) do
    local v = (row + 0.5 - y) / r
    local light = striped and ((v + 1) * STRIPE) // 1 % 2 == 1 and DARK or 1
    for column = left, right do
      local d = measure((column + 0.5 - x) / r, v)
      if outlined and d < -OUTLINE / 2 then d = -OUTLINE - d end
      local part = 0.5 - d * r
      if part > 0 then
        local at = row * size + column + 1
        local grain = light * (1 - (pixels[at] & 7) / 64) -- the noise underneath shows a little
        pixels[at] = blend(pixels[at], red * grain, green * grain, blue * grain, part < 1 and part or 1)
      end
    end
  end
end

--- Draw a scene.
-- @tparam table scene
-- @tparam integer size pixels along a side
-- @tparam[opt] table pixels a picture of the same size, overwritten
-- @treturn table the picture
function raster.paint(scene, size, pixels)
  pixels = pixels or {}
  paint_background(scene, size, pixels)
  for _, object in ipairs(scene.objects) do paint_object(object, size, pixels) end
  return pixels
end

--- The bytes of a picture: red, green, blue, row by row.
-- @tparam table pixels
-- @tparam integer size
-- @treturn string
function raster.bytes(pixels, size)
  local rows, row = {}, {}
  for y = 1, size do
    for x = 1, size do
      local value = pixels[(y - 1) * size + x]
      row[3 * x - 2], row[3 * x - 1], row[3 * x] = value >> 16, value >> 8 & 255, value & 255
    end
    rows[y] = string.char(table.unpack(row))
  end
  return table.concat(rows)
end

return raster
