--- Captions are read by a parser of the test's own and compared with the scene.
local lac = require "lac"
local check = require "check"
local grammar = require "data.grammar"
local scene = require "data.scene"

local T = {}

local NUMBERS = {a = 1, an = 1, one = 1, two = 2, three = 3, four = 4}
local SINGULAR = {crosses = "cross"}

local function captions(s, seed)
  return grammar.captions(s, lac.rng(seed or 1))
end

local function is_in(list, word)
  for _, item in ipairs(list) do
    if item == word then return true end
  end
  return false
end

-- The objects that "two small striped red circles" speaks of; nil, reason where there are not as many.
local function find(s, phrase)
  local want, number = {}, nil
  for word in phrase:gmatch("%S+") do
    local shape = SINGULAR[word] or (is_in(scene.SHAPES, word) and word) or word:gsub("s$", "")
    if not number then number = NUMBERS[word]
    elseif word == "small" or word == "large" then want.size = word
    elseif word == "striped" or word == "outlined" then want.style = word
    elseif is_in(scene.COLOURS, word) then want.colour = word
    elseif is_in(scene.SHAPES, shape) then
      want.shape = shape
      if (number > 1) ~= (word ~= shape) then return nil, phrase .. ": number and plural differ" end
    else return nil, "not a word: " .. word end
  end
  if not (number and want.shape and want.colour) then return nil, "no thing: " .. phrase end
  local found = {}
  for _, o in ipairs(s.objects) do
    local fits = true
    for key, value in pairs(want) do fits = fits and o[key] == value end
    if fits then found[#found + 1] = o end
  end
  if #found ~= number then return nil, ("%s: there are %d"):format(phrase, #found) end
  return found
end

local function pairs_hold(first, second, fn)
  for _, a in ipairs(first) do
    for _, b in ipairs(second) do
      if not fn(a, b) then return false end
    end
  end
  return true
end

local RELATIONS = {
  ["left of"] = function(a, b) return a.x + a.r < b.x - b.r and b.x - a.x > math.abs(a.y - b.y) end,
  ["right of"] = function(a, b) return a.x - a.r > b.x + b.r and a.x - b.x > math.abs(a.y - b.y) end,
  above = function(a, b) return a.y + a.r < b.y - b.r and b.y - a.y > math.abs(a.x - b.x) end,
  below = function(a, b) return a.y - a.r > b.y + b.r and a.y - b.y > math.abs(a.x - b.x) end,
  inside = function(a, b)
    return b.shape == "ring" and math.sqrt((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2) + a.r < 0.66 * b.r
  end,
}
function RELATIONS.around(a, b) return RELATIONS.inside(b, a) end

local function low(v) return v < 0.4 end
local function high(v) return v > 0.6 end
local function middle(v) return v >= 0.4 and v <= 0.6 end
local PLACES = {
  {" in the top left corner", low, low}, {" in the top right corner", high, low}, {" at the top", middle, low},
  {" in the bottom left corner", low, high}, {" in the bottom right corner", high, high},
  {" at the bottom", middle, high}, {" on the left", low, middle}, {" on the right", high, middle},
  {" in the middle", middle, middle},
}

-- Take what stands at the end of a sentence off; returns the rest and what is to be checked of the things.
local function take_place(text)
  for _, row in ipairs(PLACES) do
    if text:sub(-#row[1]) == row[1] then
      return text:sub(1, -#row[1] - 1), function(things)
        return #things == 1 and row[2](things[1].x) and row[3](things[1].y)
      end
    end
  end
  for ending, axis in pairs {[" in a row"] = "y", [" in a column"] = "x"} do
    if text:sub(-#ending) == ending then
      return text:sub(1, -#ending - 1), function(things)
        return #things > 1 and pairs_hold(things, things, function(a, b)
          return math.abs(a[axis] - b[axis]) < 0.06
        end)
      end
    end
  end
  return text, function() return true end
end

local function check_relation(s, name, first, second)
  local a, why = find(s, first)
  if not a then return false, why end
  local b
  b, why = find(s, second)
  if not b then return false, why end
  return pairs_hold(a, b, RELATIONS[name]), name .. " is wrong"
end

local function check_between(s, text)
  local things = {}
  for phrase in text:gsub(" between ", " and "):gmatch("(.-) and ") do things[#things + 1] = phrase end
  things[3] = text:match(".* and (.*)$")
  for i = 1, 3 do
    local why
    things[i], why = find(s, things[i])
    if not things[i] then return false, why end
  end
  local m, a, b = table.unpack(things)
  for _, axis in ipairs {"x", "y"} do
    local function before(p, q) return p[axis] + p.r < q[axis] - q.r end
    if pairs_hold(a, m, before) and pairs_hold(m, b, before) then return true end
  end
  return false, "not between"
end

-- Whether a sentence is true of a scene; false, reason.
local function holds(s, text)
  local ground = text:match(" on a (%l+) background$")
  if ground and ground ~= s.background then return false, "the background is " .. s.background end
  text = text:gsub(" on a %l+ background$", ""):gsub("^the picture shows ", ""):gsub(" of the picture$", "")
  local verb = text:match("^there (%l+) ")
  text = text:gsub("^there %l+ ", "")
  if verb and (verb == "is") ~= (NUMBERS[text:match("^%l+")] == 1) then return false, "is or are" end
  if text:find("^%l+ shapes$") then return NUMBERS[text:match("^%l+")] == #s.objects, "not as many shapes" end
  if text:find(" between ") then return check_between(s, text) end
  for name in pairs(RELATIONS) do
    local first, second = text:match("^(.-) " .. name .. " (.*)$")
    if first then
      local be = first:match(" (%l+)$")
      if (be == "is" or be == "are") and (be == "is") ~= (NUMBERS[first:match("^%l+")] == 1) then
        return false, "is or are"
      end
      return check_relation(s, name, first:gsub(" is$", ""):gsub(" are$", ""), second)
    end
  end
  local rest, place_holds = take_place(text)
  local all = {}
  for phrase in (rest .. " and "):gmatch("(.-) and ") do
    local found, why = find(s, phrase)
    if not found then return false, why end
    table.move(found, 1, #found, #all + 1, all)
  end
  return place_holds(all), "the place is wrong"
end

function T.every_caption_is_true_of_its_scene()
  for i = 1, 2000 do
    local s = scene.new(11, i)
    for _, text in ipairs(captions(s, i)) do
      local good, why = holds(s, text)
      check.yes(good, ("scene %d: %s (%s)"):format(i, text, tostring(why)))
    end
  end
end

function T.captions_are_false_of_other_scenes()
  local right, all = 0, 0
  for i = 1, 300 do
    local other = scene.new(11, i + 1)
    for _, text in ipairs(captions(scene.new(11, i))) do
      all = all + 1
      if holds(other, text) then right = right + 1 end
    end
  end
  check.yes(right < 0.03 * all, ("%d of %d captions also fit the next scene"):format(right, all))
end

function T.there_are_five_and_they_differ()
  for i = 1, 1000 do
    local list, seen = captions(scene.new(12, i)), {}
    check.equal(#list, 5)
    for _, text in ipairs(list) do
      check.yes(not seen[text], ("scene %d says twice: %s"):format(i, text))
      seen[text] = true
    end
  end
end

function T.sentences_are_short_and_words_are_few_and_all_in_use()
  local counts, words = {}, 0
  for i = 1, 2000 do
    for _, text in ipairs(captions(scene.new(13, i))) do
      check.yes(not text:find("[^%l ]") and not text:find("  "), text)
      local length = 0
      for word in text:gmatch("%S+") do
        length = length + 1
        if not counts[word] then words = words + 1 end
        counts[word] = (counts[word] or 0) + 1
      end
      check.yes(length >= 4 and length <= 16, ("%d words: %s"):format(length, text))
    end
  end
  check.yes(words >= 40 and words <= 70, words .. " words")
  for word, count in pairs(counts) do check.yes(count >= 10, ("%s occurs %d times"):format(word, count)) end
end

local function object(fields)
  local o = {shape = "circle", colour = "red", size = "small", style = "plain", x = 0.2, y = 0.5, r = 0.1}
  for key, value in pairs(fields) do o[key] = value end
  return o
end

local function said(objects, text)
  local all = {}
  for seed = 1, 40 do
    for _, caption in ipairs(captions({background = "grey", objects = objects}, seed)) do all[caption] = true end
  end
  return all[text] ~= nil
end

function T.a_scene_by_hand_is_described_in_the_expected_words()
  local red, blue = object {}, object {shape = "cross", colour = "blue", size = "large", x = 0.7, r = 0.17}
  check.yes(said({red, blue}, "a small red circle left of a large blue cross"))
  check.yes(said({red, blue}, "a large blue cross right of a small red circle"))
  check.yes(said({red, object {x = 0.7}}, "two red circles in a row on a grey background"))
  check.yes(said({object {colour = "orange", y = 0.2}}, "an orange circle in the top left corner of the picture"))
  local ring = object {shape = "ring", colour = "pink", size = "large", r = 0.25, x = 0.5}
  local star = object {shape = "star", x = 0.5, size = "small"}
  check.yes(said({ring, star}, "a small red star is inside a large pink ring"))
end

function T.a_pair_on_the_diagonal_has_no_relation()
  local red, blue = object {y = 0.2}, object {colour = "blue", x = 0.75, y = 0.75}
  for _, name in ipairs {"left of", "right of", "above", "below"} do
    check.yes(not said({red, blue}, "a small red circle " .. name .. " a small blue circle"))
  end
end

return T
