--- The nearest known name to a mistyped one.
-- Distance: Damerau 1964, "A technique for computer detection and correction of spelling errors", in
-- its restricted form: insert, delete, replace, swap two neighbours, one unit each.
-- @module core.suggest

local suggest = {}

local function distance(a, b)
  local before, last, row = {}, {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last, row = last, row, before
  end
  return last[#b]
end

--- The name closest to `word`, or nil when none is close: a third of the letters may be wrong, at least one.
-- Case counts as half a mistake. Ties go to the name that sorts first.
-- @tparam string word
-- @tparam table names array of strings
-- @treturn ?string
function suggest.nearest(word, names)
  local sorted = table.move(names, 1, #names, 1, {})
  table.sort(sorted)
  local best, best_distance
  for _, name in ipairs(sorted) do
    local d = (distance(word, name) + distance(word:lower(), name:lower())) / 2
    if d <= math.max(1, #name // 3) and (not best or d < best_distance) then
      best, best_distance = name, d
    end
  end
  return best
end

--- `; did you mean "NAME"?` for the end of a message, or "".
-- @tparam string word
-- @tparam table names array of strings
-- @treturn string
function suggest.hint(word, names)
  local name = suggest.nearest(word, names)
  return name and ('; did you mean "%s"?'):format(name) or ""
end

return suggest
