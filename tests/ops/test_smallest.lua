local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge
local BLOCK = 32768 -- elements that the device counts at a time

-- Whether place a comes before place b among the smallest of a list.
local function comes_before(list, a, b)
  local x, y = list[a], list[b]
  if (x ~= x) ~= (y ~= y) then return x ~= x end
  if x == x and x ~= y then return x < y end
  return a < b
end

-- All places of all lists, the smallest first; a place counts through the lists.
local function sort_places(lists)
  local all, places = {}, {}
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  for i = 1, #all do places[i] = i end
  table.sort(places, function(a, b) return comes_before(all, a, b) end)
  return places
end

-- Masks and report, given the places in order.
local function reference(lists, places, k)
  local chosen, masks, report, at = {}, {}, {}, 0
  for i = 1, k do chosen[places[i]] = true end
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

-- The device agrees with sorting for these counts.
local function agree(lists, counts)
  local scope <close> = lac.scope()
  local scores, places = {}, sort_places(lists)
  for i, list in ipairs(lists) do scores[i] = lac.tensor(list) end
  for _, k in ipairs(counts) do
    local inner <close> = lac.scope() -- luacheck: ignore 211
    local masks, report = lac.smallest(scores, k)
    local want_masks, want_report = reference(lists, places, k)
    check.equal(#masks, #lists)
    for i, mask in ipairs(masks) do
      check.equal(mask:dtype(), "f32")
      local good, message = pcall(check.equal, mask, want_masks[i])
      check.yes(good, ("k = %d, list %d: %s"):format(k, i, message))
    end
    check.equal(report:dtype(), "i32")
    check.equal(report, want_report)
  end
end

function T.the_smallest_of_one_tensor_are_masked()
  local x <close> = lac.tensor {{3, -1}, {0.5, 2}}
  local masks, report = lac.smallest({x}, 2)
  check.equal(masks[1], {{1, 0}, {0, 1}})
  check.equal(report, {{2, 0}})
  masks[1]:close()
  report:close()
end

function T.odd_values_are_in_order()
  local lists = {{3, -1, 0.5}, {NAN, 2, -INF, INF, -0.0, 0, 0}, {-1, -1, 3, -NAN, 1e-40, -1e-40}, {}, {7}}
  local counts = {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 16, 17}
  agree(lists, counts)
end

-- n values, drawn from a few or from many.
local function draw(rng, n, few)
  if n == 0 then return {} end
  local x <close> = rng:normal {n}
  local list = x:totable()
  for i, v in ipairs(list) do
    if few then list[i] = math.floor(2 * v) / 2 end
  end
  return list
end

function T.ties_over_blocks_and_tensors_are_taken_in_order()
  if check.settings.mode == "oclgrind" then check.skip "too long in the simulator" end
  local rng = lac.rng(1)
  local lists = {}
  for i, n in ipairs {5, BLOCK, BLOCK + 1, 0, 2 * BLOCK + 77, 1, 3001} do lists[i] = draw(rng, n, true) end
  lists[3][BLOCK], lists[6][1] = NAN, NAN
  local total = 4 * BLOCK + 3085
  agree(lists, {0, 1, 2, 3, 1000, 40000, 40001, 65536, 77777, 100000, 131072, total - 1, total})
end

function T.a_block_boundary_may_lie_among_ties()
  local list = {}
  for i = 1, BLOCK + 70 do list[i] = 1 end
  agree({list}, {3, BLOCK - 1, BLOCK, BLOCK + 1})
end

function T.many_different_values_agree_with_sorting()
  if check.settings.mode == "oclgrind" then check.skip "too long in the simulator" end
  local rng = lac.rng(2)
  agree({draw(rng, 70001), draw(rng, 1), draw(rng, 30000)}, {1, 12345, 50000, 97500, 100001})
end

function T.close_values_differ_in_their_last_bits()
  local list = {}
  for i = 1, 3000 do list[i] = 1 + (i * 1103 % 3000) * 2 ^ -23 end -- all 3000, shuffled
  for i = 3001, 3010 do list[i] = -1 - (i % 5) * 2 ^ -23 end
  agree({list}, {1, 4, 10, 11, 1500, 3009})
end

function T.views_count_in_their_own_order()
  local x <close> = lac.tensor {{1, 1}, {0, 1}, {1, 1}}
  local turned <close> = x:transpose()
  local masks, report = lac.smallest({turned}, 3)
  check.equal(masks[1], {{0, 0, 0}, {1, 1, 1}})
  check.equal(report, {{3, 0}})
  masks[1]:close()
  report:close()
end

function T.results_belong_to_the_scope()
  local x <close> = lac.tensor {1, 2}
  local masks, report
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    masks, report = lac.smallest({x, x}, 1)
    check.equal(masks[2], {1, 1})
  end
  check.fails("closed tensor", masks[1].totable, masks[1])
  check.fails("closed tensor", report.totable, report)
end

function T.what_does_not_fit_is_refused()
  local x <close> = lac.tensor {1, 2}
  local ids <close> = lac.tensor({1, 2}, "i32")
  local gone = lac.tensor {1, 2}
  gone:close()
  check.fails("smallest: the list of scores is empty", lac.smallest, {}, 0)
  check.fails("smallest: k must be 0 to 4, the number of elements, got 5", lac.smallest, {x, x}, 5)
  check.fails("must not be negative", lac.smallest, {x}, -1)
  check.fails("number has no integer representation", lac.smallest, {x}, 0.5)
  check.fails("smallest: a score must be f32, got i32", lac.smallest, {x, ids}, 1)
  check.fails("smallest: score 2 is a closed tensor", lac.smallest, {x, gone}, 1)
  check.fails("smallest: score 1 must be a tensor, got number", lac.smallest, {1}, 1)
  check.fails("table expected", lac.smallest, x, 1)
end

-- The mask of n of every m, by sorting each group.
local function by_groups(rows, n, m)
  local out = {}
  for r, row in ipairs(rows) do
    out[r] = {}
    for first = 1, #row, m do
      local places = {}
      for i = 1, m do places[i] = first + i - 1 end
      table.sort(places, function(a, b) return comes_before(row, a, b) end)
      for i, place in ipairs(places) do out[r][place] = i <= n and 0 or 1 end
    end
  end
  return out
end

function T.groups_of_neighbours_lose_their_smallest()
  local rows = {
    {4, 1, 3, 2, -1, NAN, 5, 0, NAN, NAN, 1, -INF}, {1, 1, 1, 1, 0, -0.0, 0, 2, INF, 3, 3, INF},
    {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12},
  }
  local x <close> = lac.tensor(rows)
  for _, m in ipairs {1, 2, 3, 4, 6, 12} do
    for n = 0, m do
      local y <close> = lac.smallest_of_groups(x, n, m)
      check.equal(y, by_groups(rows, n, m))
    end
  end
end

function T.groups_in_views_and_higher_dimensions()
  local x <close> = lac.tensor {{{4, 3}, {1, 2}}, {{5, 6}, {8, 7}}}
  local turned <close> = x:transpose(2, 3)
  local y <close> = lac.smallest_of_groups(turned, 1, 2)
  check.equal(y, {{{1, 0}, {1, 0}}, {{0, 1}, {0, 1}}})
  local empty <close> = lac.zeros {0, 4}
  local none <close> = lac.smallest_of_groups(empty, 2, 4)
  check.equal(none:shape(), {0, 4})
end

function T.groups_that_do_not_fit_are_refused()
  local x <close> = lac.zeros {2, 6}
  local ids <close> = lac.zeros({2, 6}, "i32")
  local scalar <close> = x:sum()
  check.fails("the last dimension of %[2, 6%] is no multiple of 4", lac.smallest_of_groups, x, 2, 4)
  check.fails("the last dimension of %[%] is no multiple of 1", lac.smallest_of_groups, scalar, 1, 1)
  check.fails("needs 0 <= n <= m and 1 <= m <= 256, got 4 of 3", lac.smallest_of_groups, x, 4, 3)
  check.fails("got 0 of 0", lac.smallest_of_groups, x, 0, 0)
  check.fails("got 1 of 257", lac.smallest_of_groups, x, 1, 257)
  check.fails("the score must be f32, got i32", lac.smallest_of_groups, ids, 1, 2)
end

return T
