--- The points of a sweep: which runs the words of a command line ask for, in which order, in folders of which names.
--
--     prune.method=gradual,random prune.target=0.8,0.9 seed=1,2     are eight points
--
-- A pruning method may have `needs`, the overrides of the run that it starts from; that run is a point too, comes
-- before, and its folder is given on as prune.start; where prune.rewind is a step, it keeps the weights of that step.
-- All dense points of a seed are one, whatever they were to be pruned with.
-- @module train.grid
local recipe = require "train.recipe"

local grid = {}

local LONGEST = 120 -- bytes of a folder's name, before it is cut
local MOST = 10000 -- runs

-- Words ----------------------------------------------------------------------------------------------

local CLOSES = {["("] = ")", ["["] = "]", ["{"] = "}"}

-- Where the quoted text that begins at `at` ends.
local function skip_quoted(text, at, word)
  local quote, i = text:sub(at, at), at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then return i end
    i = i + (c == "\\" and 2 or 1)
  end
  error(("%s: the quote %s does not end"):format(word, quote), 0)
end

-- Pieces between the commas that stand in no brackets and quotes.
local function split(text, word)
  local pieces, open, from, i = {}, {}, 1, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "'" or c == '"' then
      i = skip_quoted(text, i, word)
    elseif CLOSES[c] then
      open[#open + 1] = CLOSES[c]
    elseif c == ")" or c == "]" or c == "}" then
      if table.remove(open) ~= c then error(("%s: the %s closes nothing"):format(word, c), 0) end
    elseif c == "," and #open == 0 then
      pieces[#pieces + 1], from = text:sub(from, i - 1), i + 1
    end
    i = i + 1
  end
  if #open > 0 then error(("%s: a %s is missing at the end"):format(word, open[#open]), 0) end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

-- One way to write a number, so that 0.9 and 0.90 are one value.
local function normal(piece)
  local text = piece:match("^%s*(.-)%s*$")
  local number = tonumber(text)
  local whole = math.tointeger(number)
  local short = number and (whole and ("%d"):format(whole) or ("%.14g"):format(number))
  return short and tonumber(short) == number and short or text
end

local function values_of(text, word)
  local values, seen = {}, {}
  for i, piece in ipairs(split(text, word)) do
    local value = normal(piece)
    if value == "" then
      error(text == "" and ("%s: there is no value behind ="):format(word)
        or ("%s: value number %d is empty"):format(word, i), 0)
    end
    if seen[value] then error(("%s: the value %s is given twice"):format(word, value), 0) end
    seen[value] = true
    values[i] = value
  end
  return values
end

--- The axes that words like "seed=1,2,3" span.
-- @tparam table words
-- @treturn table list of {key, values}, in the order given
-- @raise quotes the word
function grid.parse(words)
  local axes, seen = {}, {}
  for i, word in ipairs(words) do
    local key, text = recipe.split(word)
    if seen[key] then error(("%s: %s is given twice; its values go into one word, as in seed=1,2,3"):format(word,
      key), 0) end
    seen[key] = true
    axes[i] = {key = key, values = values_of(text, word)}
  end
  return axes
end

-- Overrides ------------------------------------------------------------------------------------------

-- Whole parts come first, then names of modules, which clear a part; the seed last.
local function rank(key)
  if key == "seed" then return 4 end
  if not key:find(".", 1, true) then return 1 end
  return (key:find("%.name$") or key:find("%.method$")) and 2 or 3
end

local function key_of(word)
  return (recipe.split(word))
end

-- In an order that does not depend on that of the command line.
local function sorted(words)
  local out = table.move(words, 1, #words, 1, {})
  table.sort(out, function(a, b)
    local x, y = key_of(a), key_of(b)
    if rank(x) ~= rank(y) then return rank(x) < rank(y) end
    return x < y
  end)
  return out
end

local function is_prune(key)
  return key == "prune" or key:find("^prune%.") ~= nil
end

local function without(words, drop)
  local out = {}
  for _, word in ipairs(words) do
    local key, text = recipe.split(word)
    if not drop(key, text) then out[#out + 1] = word end
  end
  return out
end

-- The overrides of the dense run: it is one, whatever it was to be pruned with.
local function as_dense(words)
  local out = without(words, is_prune)
  table.insert(out, 1, "prune=false")
  return sorted(out)
end

-- Every combination; the last axis changes fastest.
local function combinations(axes)
  local list, count = {{}}, 1
  for _, axis in ipairs(axes) do count = count * #axis.values end
  if count > MOST then error(("these are %d runs, more than the %d that a sweep may have"):format(count, MOST), 0) end
  for _, axis in ipairs(axes) do
    local longer = {}
    for _, words in ipairs(list) do
      for _, value in ipairs(axis.values) do
        local more = table.move(words, 1, #words, 1, {})
        more[#more + 1] = axis.key .. "=" .. value
        longer[#longer + 1] = more
      end
    end
    list = longer
  end
  return list
end

-- Names ----------------------------------------------------------------------------------------------

-- Fowler, Noll and Vo 1991, FNV-1a, of 64 bits.
local function hash(text)
  local h = 0xcbf29ce484222325
  for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h)
end

--- The name of a point's folder: the recipe's and the overrides', cut and with a hash where it is long or has
-- characters that folders better do without.
-- @tparam string name of the recipe
-- @tparam table words overrides
-- @treturn string
function grid.name(name, words)
  local whole = table.concat({name, table.unpack(words)}, ",")
  local plain = whole:gsub("[^%w.,=_+-]+", "_")
  if plain == whole and #whole <= LONGEST then return whole end
  return plain:sub(1, LONGEST) .. "-" .. hash(whole):sub(1, 10)
end

-- Points ---------------------------------------------------------------------------------------------

--- The override that makes a run keep the weights of steps.
-- @tparam table steps a set: step -> true
-- @treturn string save.keep={4, 10}
function grid.keep_word(steps)
  local list = {}
  for step in pairs(steps) do list[#list + 1] = math.tointeger(step) end
  table.sort(list)
  return ("save.keep={%s}"):format(table.concat(list, ", "))
end

local function how_with(how, words)
  local out = {}
  for key, value in pairs(how) do out[key] = value end
  out.overrides = words
  return out
end

-- The overrides of the run that a point with `value` starts from.
local function needed_words(words, value, needs, find)
  local replaced, method = {}, nil
  for _, word in ipairs(needs) do
    local key, text = recipe.split(word)
    replaced[key] = true
    if key == "prune.method" then method = find("prune", text) end
  end
  local out = without(words, function(key)
    local own = key:match("^prune%.([%w_]+)")
    return replaced[key] or (replaced.prune and is_prune(key))
      or (method and own and own ~= "method" and method.defaults[own] == nil)
  end)
  table.move(needs, 1, #needs, #out + 1, out)
  local said = {}
  for _, word in ipairs(out) do said[key_of(word)] = true end
  for _, key in ipairs {"target", "scope"} do -- what the recipe says of these, another method would not have
    local own = value.prune[key]
    if method and method.defaults[key] ~= nil and not said["prune." .. key] and not said.prune
      and (type(own) == "number" or type(own) == "string") then
      out[#out + 1] = ("prune.%s=%s"):format(key, normal(tostring(own)))
    end
  end
  return sorted(out)
end

local Points = {}
Points.__index = Points

-- Text that an override reads as this text.
local function quoted(path)
  return path:find("^[{(\"']") and ("%q"):format(path) or path
end

-- Have a point keep the weights of a step, for the point `name` that goes back to it. Its own name stays.
function Points:keep(point, step, name)
  local steps, wanted = {}, point.rewinds or {}
  point.rewinds, step = wanted, math.tointeger(step)
  if not wanted[step] then wanted[step] = name end
  for _, own in ipairs(recipe.resolve(self.sources, how_with(self.how, point.words)).save.keep) do steps[own] = true end
  for other in pairs(wanted) do steps[other] = true end
  point.overrides = without(point.overrides, function(key) return key:find("^save%.keep") ~= nil end)
  table.insert(point.overrides, grid.keep_word(steps))
end

-- Add the point of these overrides, those that it needs before it; returns its name.
function Points:add(words, above)
  words = sorted(words)
  if words[1] == "prune=false" then words = as_dense(words) end
  local value = recipe.merged(self.sources, how_with(self.how, words))
  if not value.prune then words = as_dense(words) end
  local name = grid.name(self.recipe, words)
  if above[name] then error(("the run %s would have to start from itself"):format(name), 0) end
  if self.known[name] then return name end
  local point = {name = name, path = self.folder .. "/" .. name, words = words, overrides = words}
  local method = type(value.prune) == "table" and type(value.prune.method) == "string"
    and self.how.find("prune", value.prune.method)
  if method and method.needs and value.prune.start == nil then
    above[name] = true
    point.needs = self:add(needed_words(words, value, method.needs, self.how.find), above)
    above[name] = nil
    point.overrides = table.move(words, 1, #words, 1, {})
    table.insert(point.overrides, "prune.start=" .. quoted(self.known[point.needs].path))
  end
  local cfg = recipe.resolve(self.sources, how_with(self.how, point.overrides))
  if point.needs and math.type(cfg.prune.rewind) then self:keep(self.known[point.needs], cfg.prune.rewind, name) end
  self.known[name] = point
  self.list[#self.list + 1] = point
  return name
end

--- All runs that a sweep makes, each checked; what a run needs comes before it.
-- @tparam table sources of the recipe, see train.recipe
-- @tparam table axes from parse
-- @tparam string folder that the runs' folders are in
-- @tparam table how as for recipe.resolve, overrides aside
-- @treturn table list of {name, path, words: the overrides that make the name, overrides: with the start that a
-- method needs and the save.keep that others need, needs: the name of the point that this one starts from, or nil,
-- rewinds: step -> the name of a point that goes back to it, where there are any}
-- @raise names the point
function grid.points(sources, axes, folder, how)
  local points = setmetatable({sources = sources, folder = folder, how = how, known = {}, list = {},
                               recipe = recipe.name_of(sources[1].path)}, Points)
  for _, words in ipairs(combinations(axes)) do
    local good, message = pcall(points.add, points, words, {})
    if not good then
      if #words == 0 or type(message) ~= "string" then error(message, 0) end
      error(("%s (in the run with %s)"):format(message, table.concat(words, " ")), 0)
    end
  end
  return points.list
end

return grid
