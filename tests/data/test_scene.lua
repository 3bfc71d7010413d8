local check = require "check"
local scene = require "data.scene"

local T = {}

local SCENES = 1500

local function each(fn)
  for i = 1, SCENES do fn(scene.new(5, i), i) end
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then return true end
  end
  return false
end

function T.a_scene_is_a_function_of_seed_and_index()
  check.equal(scene.new(5, 17), scene.new(5, 17))
  check.yes(scene.new(5, 17).noise ~= scene.new(5, 18).noise)
  check.yes(scene.new(5, 17).noise ~= scene.new(6, 17).noise)
end

function T.objects_are_of_known_kinds_and_lie_inside_the_picture()
  each(function(s)
    check.yes(#s.objects >= 1 and #s.objects <= 4)
    check.yes(contains(scene.BACKGROUNDS, s.background))
    for _, o in ipairs(s.objects) do
      check.yes(contains(scene.SHAPES, o.shape) and contains(scene.COLOURS, o.colour))
      check.yes(o.x - o.r >= 0.02 and o.x + o.r <= 0.98 and o.y - o.r >= 0.02 and o.y + o.r <= 0.98)
      check.equal(o.size, o.r < 0.13 and "small" or "large")
      for c = 1, 3 do check.yes(o.rgb[c] >= 0 and o.rgb[c] <= 240) end
    end
  end)
end

function T.boxes_touch_only_where_a_thing_lies_inside_a_ring()
  local inside = 0
  each(function(s)
    for i, a in ipairs(s.objects) do
      for j = i + 1, #s.objects do
        local b = s.objects[j]
        local gap = math.max(math.abs(a.x - b.x), math.abs(a.y - b.y)) - a.r - b.r
        if gap < 0.01 then
          inside = inside + 1
          -- The corner of the inner box lies within the hole, 0.64 of the ring's radius.
          check.yes(a.shape == "ring" and b.size == "small")
          check.yes(math.sqrt((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2) + b.r < 0.64 * a.r)
        end
      end
    end
  end)
  check.yes(inside > SCENES / 50)
end

function T.one_colour_and_shape_has_one_size_and_style()
  each(function(s)
    local kinds = {}
    for _, o in ipairs(s.objects) do
      local name, rest = o.colour .. o.shape, o.size .. o.style
      check.equal(kinds[name] or rest, rest)
      kinds[name] = rest
    end
  end)
end

function T.every_kind_and_number_occurs_often_enough()
  local seen = {}
  local function count(name) seen[name] = (seen[name] or 0) + 1 end
  each(function(s)
    count(#s.objects)
    count(s.background)
    for _, o in ipairs(s.objects) do
      for _, key in ipairs {"shape", "colour", "size", "style"} do count(o[key]) end
    end
  end)
  for n = 1, 4 do check.yes(seen[n] > SCENES / 20, n .. " objects") end
  for _, list in ipairs {scene.SHAPES, scene.COLOURS, scene.BACKGROUNDS, {"small", "large", "striped", "outlined"}} do
    for _, name in ipairs(list) do check.yes((seen[name] or 0) > SCENES / 10, name) end
  end
end

return T
