--- Scenes of coloured shapes: what is where, without pixels and without words.
--
-- A scene is {background, top, bottom (RGB), noise (integer), objects}; an object is {shape, colour, size, style,
-- x, y, r, rgb} with the centre and the radius in parts of the picture's side, y downwards. No two bounding
-- boxes touch, but for a thing that lies inside a ring.
-- @module data.scene
local lac = require "lac"

local scene = {}

scene.SHAPES = {"circle", "square", "triangle", "star", "cross", "ring", "diamond", "heart", "moon"}
scene.COLOURS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "brown", "turquoise"}
scene.BACKGROUNDS = {"black", "grey", "navy"}

local RGB = {
  red = {215, 30, 35}, orange = {235, 125, 15}, yellow = {235, 220, 40}, green = {30, 150, 50},
  blue = {50, 80, 225}, purple = {145, 45, 185}, pink = {235, 150, 190}, white = {235, 235, 235},
  brown = {125, 70, 30}, turquoise = {60, 215, 205},
}
local BACKGROUND_RGB = {black = {18, 18, 18}, grey = {95, 95, 95}, navy = {18, 22, 80}}

-- Ranges of the radius. A thing inside a ring is small, and such a ring is the largest thing there is.
local RADIUS = {small = {0.09, 0.105}, large = {0.165, 0.185}}
local RING_AROUND = {0.235, 0.25}
local EDGE, GAP = 0.03, 0.05 -- kept free at the picture's edge and between boxes

-- How many objects of a kind there are; each list is as likely as the times it stands here.
local GROUPS = {
  {1}, {1}, {1}, {2}, {2}, {3}, {4}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 2},
  {1, 1, 1}, {1, 1, 1}, {2, 1, 1}, {1, 1, 1, 1},
}
local LAYOUTS = {"scatter", "scatter", "scatter", "scatter", "scatter", "scatter", "row", "row", "row", "column",
  "column", "column", "inside"}

local function pick(rng, list)
  return list[1 + rng:below(#list)]
end

local STEPS = 1 << 20
local function between(rng, low, high)
  return low + (high - low) * rng:below(STEPS) / STEPS
end

-- A colour made a little lighter or darker.
local function shade(rng, rgb, spread)
  local change, out = rng:below(2 * spread + 1) - spread, {}
  for c = 1, 3 do out[c] = math.max(8, math.min(240, rgb[c] + change)) end
  return out
end

-- Only where it can be seen at a glance: thin shapes stay plain, and outlined circles would be rings.
local STYLES = {
  circle = {"plain", "plain", "striped"}, square = {"plain", "plain", "striped", "outlined"},
  triangle = {"plain", "plain", "striped", "outlined"}, diamond = {"plain", "plain", "striped", "outlined"},
  star = {"plain"}, cross = {"plain"}, ring = {"plain"}, heart = {"plain"}, moon = {"plain"},
}

-- A kind of thing whose shape and colour no other kind of the scene has together.
local function new_kind(rng, taken)
  local kind
  repeat
    kind = {shape = pick(rng, scene.SHAPES), colour = pick(rng, scene.COLOURS)}
  until not taken[kind.colour .. kind.shape]
  taken[kind.colour .. kind.shape] = true
  kind.size = pick(rng, {"small", "large"})
  kind.style = pick(rng, STYLES[kind.shape])
  return kind
end

local function new_object(rng, kind)
  local object = {rgb = shade(rng, RGB[kind.colour], 8)}
  for key, value in pairs(kind) do object[key] = value end
  object.r = between(rng, table.unpack(RADIUS[kind.size]))
  return object
end

local function fits(object, others, count)
  for i = 1, count do
    local reach = object.r + others[i].r + GAP
    if math.abs(object.x - others[i].x) < reach and math.abs(object.y - others[i].y) < reach then return false end
  end
  return true
end

-- Put an object where there is room beside the first `count` ones; false where none is found.
local function scatter(rng, object, objects, count)
  local low, high = EDGE + object.r, 1 - EDGE - object.r
  for _ = 1, 40 do
    object.x, object.y = between(rng, low, high), between(rng, low, high)
    if fits(object, objects, count) then return true end
  end
  return false
end

local place = {}

function place.scatter(rng, objects, first)
  for i = first or 1, #objects do
    if not scatter(rng, objects[i], objects, i - 1) then return false end
  end
  return true
end

-- Side by side along one axis, evenly spaced, a little off the line.
local function line(rng, objects, along, across)
  if #objects < 2 then return false end
  local length, r = 0, 0
  for _, object in ipairs(objects) do length, r = length + 2 * object.r, math.max(r, object.r) end
  local gap = (1 - 2 * EDGE - length) / #objects
  if gap < GAP then return false end
  local level, at = between(rng, EDGE + r + 0.02, 1 - EDGE - r - 0.02), EDGE + gap / 2
  for _, object in ipairs(objects) do
    object[along] = at + object.r
    object[across] = level + between(rng, -0.02, 0.02)
    at = at + 2 * object.r + gap
  end
  return true
end

function place.row(rng, objects)
  return line(rng, objects, "x", "y")
end

function place.column(rng, objects)
  return line(rng, objects, "y", "x")
end

-- The second object inside the first, a ring; the kinds were made for it.
function place.inside(rng, objects)
  local ring, thing = objects[1], objects[2]
  if not scatter(rng, ring, objects, 0) then return false end
  thing.x, thing.y = ring.x + between(rng, -0.01, 0.01), ring.y + between(rng, -0.01, 0.01)
  return place.scatter(rng, objects, 3)
end

-- Make objects for a layout; their places come after.
local function new_objects(rng, layout)
  local counts = pick(rng, GROUPS)
  while layout == "inside" and (#counts < 2 or counts[1] ~= 1 or counts[2] ~= 1) do counts = pick(rng, GROUPS) end
  local taken, objects = {}, {}
  for g, count in ipairs(counts) do
    local kind = new_kind(rng, taken)
    if layout == "inside" and g == 1 then kind.shape, kind.size, kind.style = "ring", "large", "plain" end
    if layout == "inside" and g == 2 then kind.size = "small" end
    for _ = 1, count do objects[#objects + 1] = new_object(rng, kind) end
  end
  if layout == "inside" then objects[1].r = between(rng, table.unpack(RING_AROUND)) end
  return objects
end

-- Whether the exchange of a shape for a ring made two kinds alike.
local function has_twins(objects)
  local size = {}
  for _, object in ipairs(objects) do
    local name, kind = object.colour .. object.shape, object.size .. object.style
    if size[name] and size[name] ~= kind then return true end
    size[name] = kind
  end
  return false
end

--- The scene of an index: a pure function of its arguments, the same for any number and size of pictures.
-- @tparam integer seed
-- @tparam integer index
-- @treturn table see above
function scene.new(seed, index)
  local rng = lac.rng(seed):fork("shapes"):fork(index)
  local name = pick(rng, scene.BACKGROUNDS)
  local background = shade(rng, BACKGROUND_RGB[name], 6)
  local made = {background = name, top = background, bottom = background, noise = rng:below(1 << 30)}
  if rng:below(2) == 0 then made.bottom = shade(rng, background, 16) end
  repeat
    local layout = pick(rng, LAYOUTS)
    made.objects = new_objects(rng, layout)
  until not has_twins(made.objects) and place[layout](rng, made.objects)
  return made
end

return scene
