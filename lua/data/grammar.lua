--- Five sentences about a scene of data.scene, all true, no two alike.
--
-- Objects that look alike are a group and are spoken of together. A relation is said of two groups only where it
-- holds, clearly, between every member of one and every member of the other.
-- @module data.grammar
local grammar = {}

local NUMBERS = {"one", "two", "three", "four"}
local PLURAL = {cross = "crosses"}

local function plural(shape)
  return PLURAL[shape] or shape .. "s"
end

-- Objects of one colour and shape, with the middle of where they are.
local function group(objects)
  local groups, of = {}, {}
  for _, object in ipairs(objects) do
    local name = object.colour .. " " .. object.shape
    if not of[name] then
      of[name] = {members = {}, x = 0, y = 0, kind = object}
      groups[#groups + 1] = of[name]
    end
    table.insert(of[name].members, object)
  end
  for _, g in ipairs(groups) do
    for _, object in ipairs(g.members) do
      g.x, g.y = g.x + object.x / #g.members, g.y + object.y / #g.members
    end
  end
  return groups
end

-- Relations ------------------------------------------------------------------------------------------

local CLEAR = 1.25 -- a distance must be this many times that on the other axis

local holds = {}

function holds.inside(a, b)
  return b.shape == "ring" and math.abs(a.x - b.x) < b.r / 2 and math.abs(a.y - b.y) < b.r / 2 and a.r < b.r / 2
end

holds["left of"] = function(a, b)
  return b.x - a.x > a.r + b.r and b.x - a.x > CLEAR * math.abs(b.y - a.y)
end

function holds.above(a, b)
  return b.y - a.y > a.r + b.r and b.y - a.y > CLEAR * math.abs(b.x - a.x)
end

local INVERSE = {inside = "around", ["left of"] = "right of", above = "below"}

local function all_hold(name, a, b)
  for _, one in ipairs(a.members) do
    for _, other in ipairs(b.members) do
      if not holds[name](one, other) then return false end
    end
  end
  return true
end

-- {first group, relation, second group} in the order in which people look, or nil.
local function relate(a, b)
  for _, name in ipairs {"inside", "left of", "above"} do
    if all_hold(name, a, b) then return {a, name, b} end
    if all_hold(name, b, a) then return {b, name, a} end
  end
end

-- The largest distances are the clearest; what lies in a ring comes first.
local function clearness(found)
  if found[2] == "inside" then return math.huge end
  return math.max(math.abs(found[1].x - found[3].x), math.abs(found[1].y - found[3].y))
end

-- All relations between groups, the clearest first.
local function relations(groups)
  local found = {}
  for i = 1, #groups do
    for j = i + 1, #groups do found[#found + 1] = relate(groups[i], groups[j]) end
  end
  table.sort(found, function(p, q) return clearness(p) > clearness(q) end)
  return found
end

-- {left or upper group, middle group, right or lower group} where three stand in a line, or nil.
local function between(groups)
  for _, name in ipairs {"left of", "above"} do
    for _, a in ipairs(groups) do
      for _, m in ipairs(groups) do
        for _, b in ipairs(groups) do
          if a ~= m and m ~= b and a ~= b and all_hold(name, a, m) and all_hold(name, m, b)
            and all_hold(name, a, b) then return {a, m, b} end
        end
      end
    end
  end
end

-- Phrases --------------------------------------------------------------------------------------------

-- A group by name: bare "two red circles", short "two striped red circles", full "two small striped red circles".
-- Colour and shape name it; the rest is detail.
local function noun(g, detail, article)
  local kind, words = g.kind, {}
  if detail == "full" then words[1] = kind.size end
  if detail ~= "bare" and kind.style ~= "plain" then words[#words + 1] = kind.style end
  words[#words + 1] = kind.colour
  words[#words + 1] = #g.members == 1 and kind.shape or plural(kind.shape)
  local number = NUMBERS[#g.members]
  if #g.members == 1 then number = article or (words[1]:find "^o" and "an" or "a") end
  return number .. " " .. table.concat(words, " ")
end

local function be(g)
  return #g.members == 1 and "is" or "are"
end

local function zone(value)
  return value < 0.4 and 1 or value > 0.6 and 3 or 2
end

local ZONES = {
  {"in the top left corner", "at the top", "in the top right corner"},
  {"on the left", "in the middle", "on the right"},
  {"in the bottom left corner", "at the bottom", "in the bottom right corner"},
}

local function position(object)
  return ZONES[zone(object.y)][zone(object.x)]
end

-- "in a row" or "in a column" where all members stand in one line, else nil.
local function formation(g)
  local function spread(axis)
    local low, high = math.huge, -math.huge
    for _, object in ipairs(g.members) do
      low, high = math.min(low, object[axis]), math.max(high, object[axis])
    end
    return high - low
  end
  return spread "y" < 0.06 and "in a row" or spread "x" < 0.06 and "in a column" or nil
end

-- Sentences ------------------------------------------------------------------------------------------

local function about_one(g, ground)
  local where = position(g.members[1])
  local short, full = noun(g, "short"), noun(g, "full")
  return {
    full .. " " .. where,
    "there is " .. full .. " " .. where,
    full .. " " .. ground,
    short .. " " .. where .. " of the picture",
    "there is " .. noun(g, "short", "one") .. " " .. ground,
    "the picture shows " .. full,
    short .. " " .. where .. " " .. ground,
  }
end

local function about_alike(g, ground)
  local short, full, line = noun(g, "short"), noun(g, "full"), formation(g)
  local list = {
    full .. " " .. ground,
    "there are " .. full,
    "the picture shows " .. short,
    short .. " " .. ground,
    "there are " .. short .. " " .. ground,
    "the picture shows " .. full .. " " .. ground,
  }
  if line then
    list[3] = "the picture shows " .. short .. " " .. line
    list[4] = short .. " " .. line .. " " .. ground
    list[5] = full .. " " .. line
  end
  return list
end

local function join(groups, detail)
  local parts = {}
  for i, g in ipairs(groups) do parts[i] = noun(g, detail) end
  return table.concat(parts, " and ")
end

local function count(groups)
  local n = 0
  for _, g in ipairs(groups) do n = n + #g.members end
  return NUMBERS[n]
end

-- Sentences that need no relation.
local function add_pair(list, groups, ground)
  local short, full, there = join(groups, "short"), join(groups, "full"), "there " .. be(groups[1]) .. " "
  list[#list + 1] = full
  list[#list + 1] = there .. full
  list[#list + 1] = short .. " " .. ground
  list[#list + 1] = there .. short
  list[#list + 1] = "the picture shows " .. short
end

-- The same for three and four groups, with fewer details: no sentence has more than sixteen words.
local function add_list(list, groups, ground)
  local pair, three = {groups[1], groups[2]}, {groups[1], groups[2], groups[3]}
  list[#list + 1] = join(groups, #groups == 3 and "short" or "bare")
  list[#list + 1] = "there " .. be(groups[1]) .. " " .. join(three, "short")
  list[#list + 1] = count(groups) .. " shapes " .. ground
  list[#list + 1] = "the picture shows " .. join(pair, "full")
  list[#list + 1] = join(pair, "short") .. " " .. ground
end

local function add_relation(list, more, found)
  local a, name, b = table.unpack(found)
  list[#list + 1] = noun(a, "full") .. " " .. name .. " " .. noun(b, "full")
  list[#list + 1] = noun(b, "full") .. " " .. INVERSE[name] .. " " .. noun(a, "full")
  more[#more + 1] = noun(a, "full") .. " " .. be(a) .. " " .. name .. " " .. noun(b, "full")
end

-- What is said first is said most often: {sentences that are always among the five, further ones}.
local function about_many(groups, ground)
  local sure, further = {}, {}
  local found, middle = relations(groups), between(groups)
  if middle then
    sure[1] = noun(middle[2], "short") .. " between " .. noun(middle[1], "short") .. " and "
      .. noun(middle[3], "short")
  end
  if found[1] then add_relation(sure, further, found[1]) end
  if found[2] and not middle then add_relation(further, further, found[2]) end
  local add = #groups == 2 and add_pair or add_list
  add(further, groups, ground)
  return sure, further
end

-- Reading order: from the left, upper before lower where these stand in a column.
local function order(a, b)
  if math.abs(a.x - b.x) > 0.1 then return a.x < b.x end
  return a.y < b.y
end

-- By insertion: `order` is no strict order for table.sort, since "about as far left" does not carry over.
local function sort(groups)
  for i = 2, #groups do
    local j = i
    while j > 1 and order(groups[j], groups[j - 1]) do
      groups[j], groups[j - 1] = groups[j - 1], groups[j]
      j = j - 1
    end
  end
end

--- Describe a scene.
-- @tparam table scene
-- @tparam lac.rng rng chooses among the sentences that could be said
-- @treturn table five strings of lower-case words
function grammar.captions(scene, rng)
  local groups = group(scene.objects)
  sort(groups)
  local ground = "on a " .. scene.background .. " background"
  local sure, further
  if #groups > 1 then
    sure, further = about_many(groups, ground)
  else
    sure, further = {}, (#groups[1].members == 1 and about_one or about_alike)(groups[1], ground)
  end
  rng:shuffle(further)
  local list = {}
  for i = 1, 5 do list[i] = sure[i] or further[i - #sure] end
  return rng:shuffle(list)
end

return grammar
