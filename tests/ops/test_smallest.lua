local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge

-- Whether a comes before b among the smallest: {value, place}.
local function before(a, b)
  local nan_a, nan_b = a[1] ~= a[1], b[1] ~= b[1]
  if nan_a ~= nan_b then return nan_a end
  if not nan_a and a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end

-- The places of the k smallest of a list, as a set.
local function places_of_smallest(list, k)
  local pairs_, chosen = {}, {}
  for i, v in ipairs(list) do pairs_[i] = {v, i} end
  table.sort(pairs_, before)
  for i = 1, k do chosen[pairs_[i][2]] = true end
  return chosen
end

-- Masks and report by sorting.
local function reference(lists, k)
  local all, masks, report = {}, {}, {}
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  local chosen, at = places_of_smallest(all, k), 0
  for t, list in ipairs(lists) do
    masks[t], report[t] = {}, {0, 0}
    for i, v in ipairs(list) do
      masks[t][i] = chosen[at + i] and 0 or 1
      report[t][1] = report[t][1] + 1 - masks[t][i]
      report[t][2] = report[t][2] + (v ~= v and 1 or 0)
    end
    at = at + #list
  end
  return masks, report
end

local function same(lists, k)
  local scope <close> = lac.scope()
  local scores = {}
  for i, list in ipairs(lists) do scores[i] = lac.tensor(list) end
  local masks, report = lac.smallest(scores, k)
  local want_masks, want_report = reference(lists, k)
  check.equal(#masks, #lists)
  for i, mask in ipairs(masks) do
    check.equal(mask:dtype(), "f32")
    check.equal(mask, want_masks[i])
  end
  check.equal(report:dtype(), "i32")
  check.equal(report, want_report)
end

function T.the_smallest_of_one_list_are_masked()
  local x <close> = lac.tensor {{3, -1}, {0.5, 2}}
  local masks, report = lac.smallest({x}, 2)
  check.equal(masks[1], {{1, 0}, {0, 1}})
  check.equal(report, {{2, 0}})
  masks[1]:close()
  report:close()
end

function T.every_k_gives_what_sorting_gives()
  local lists = {{3, -1, 0.5}, {NAN, 2, -INF, INF, -0.0, 0, 0}, {-1, -1, 3, NAN, 1e-40, -1e-40}, {7}}
  for k = 0, 17 do same(lists, k) end
end

function T.groups_of_neighbours_lose_their_smallest()
  local x <close> = lac.tensor {{4, 1, 3, 2, -1, NAN, 5, 0}, {1, 1, 1, 1, 0, -0.0, 0, 2}}
  local y <close> = lac.smallest_of_groups(x, 2, 4)
  check.equal(y, {{1, 0, 1, 0, 0, 0, 1, 1}, {0, 0, 1, 1, 0, 0, 1, 1}})
end

return T
