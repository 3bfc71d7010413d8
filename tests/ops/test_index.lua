local lac = require "lac"
local check = require "check"

local T = {}

local NAN = 0 / 0
local TABLE = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {-1, -2, -3}}

function T.embedding_looks_rows_up_in_the_shape_of_the_ids()
  local rows <close> = lac.tensor(TABLE)
  local ids <close> = lac.tensor({{0, 3}, {2, 0}}, "i32")
  local one <close> = lac.tensor(1, "i32")
  local y <close> = lac.embedding(rows, ids)
  local z <close> = lac.embedding(rows, one)
  check.equal(y, {{{1, 2, 3}, {-1, -2, -3}}, {{7, 8, 9}, {1, 2, 3}}})
  check.equal(z, {4, 5, 6})
  local column <close> = rows:select(2, 2) -- a table of scalars, and not contiguous
  local v <close> = lac.embedding(column, ids)
  check.equal(v, {{2, -2}, {8, 2}})
end

function T.embedding_gradient_adds_rows_used_twice()
  local ids = {{0, 3, 0}, {2, 0, 3}}
  check.grad(function(x) return lac.embedding(x, lac.tensor(ids, "i32")) end, {TABLE})
  check.grad(function(x) return lac.embedding(x:transpose(), lac.tensor({2, 0, 2}, "i32")) end, {TABLE})
end

function T.embedding_rows_longer_than_a_group_are_whole()
  local wide = {{}, {}}
  for j = 1, 300 do wide[1][j], wide[2][j] = j, -j end
  local rows <close> = lac.tensor(wide):requires_grad(true)
  local ids <close> = lac.tensor({1, 1, 0}, "i32")
  local tape <close> = lac.tape()
  local y = lac.embedding(rows, ids)
  check.equal(y, {wide[2], wide[2], wide[1]})
  tape:backward(y:sum())
  local sums <close> = rows:grad():sum(2)
  check.equal(sums, {300, 600})
end

function T.ids_out_of_range_give_nan_and_no_gradient()
  local rows <close> = lac.tensor(TABLE):requires_grad(true)
  local ids <close> = lac.tensor({4, -1, 1, 2147483647, -2147483648}, "i32")
  local tape <close> = lac.tape()
  local y = lac.embedding(rows, ids)
  local none = {NAN, NAN, NAN}
  check.close(y, {none, none, {4, 5, 6}, none, none})
  tape:backward(y:sum())
  check.equal(rows:grad(), {{0, 0, 0}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}})
end

function T.embedding_refuses_what_is_no_table_or_no_ids()
  local rows <close> = lac.tensor(TABLE)
  local ids <close> = lac.tensor({0}, "i32")
  local scalar <close> = lac.tensor(1)
  local deep <close> = lac.zeros({1, 1, 1, 1, 1, 1}, "i32")
  check.fails("embedding: ids must be i32, got f32", lac.embedding, rows, rows)
  check.fails("embedding: table must be f32, got i32", lac.embedding, ids, ids)
  check.fails("embedding: rows of a table %[%] at ids %[1%]", lac.embedding, scalar, ids)
  check.fails("would have no shape", lac.embedding, rows, deep)
end

function T.pick_takes_one_element_of_each_row()
  local x <close> = lac.tensor(TABLE)
  local at <close> = lac.tensor({2, 0, 1, 5}, "i32")
  local y <close> = x:pick(at)
  check.close(y, {3, 4, 8, NAN})
  local cube <close> = x:reshape(2, 2, 3)
  local square <close> = lac.tensor({{0, 1}, {2, -1}}, "i32")
  local z <close> = cube:pick(square)
  check.close(z, {{1, 5}, {9, NAN}})
  check.fails("pick: index must be %[4%], got %[2, 2%]", x.pick, x, square)
  check.fails("pick: index must be i32, got f32", x.pick, x, y)
end

function T.pick_gradient_matches_finite_differences()
  local function picked(x) return x:pick(lac.tensor({2, 0, 1, 0}, "i32")) end
  check.grad(picked, {TABLE})
  check.grad(function(x) return picked(x:transpose()) end,
             {{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}})
  local x <close> = lac.tensor(TABLE):requires_grad(true)
  local at <close> = lac.tensor({-1, 3, 0, 2}, "i32")
  local tape <close> = lac.tape()
  tape:backward(x:pick(at):slice(1, 3, 2):sum())
  check.equal(x:grad(), {{0, 0, 0}, {0, 0, 0}, {1, 0, 0}, {0, 0, 1}})
end

function T.concat_joins_along_any_dimension()
  local a <close> = lac.tensor {{1, 2}, {3, 4}}
  local b <close> = lac.tensor {{5, 6}, {7, 8}}
  local c <close> = lac.tensor {{9}, {10}}
  local ab <close> = lac.concat({a, b}, 1)
  local abc <close> = lac.concat({a, c, b}, 2)
  local aa <close> = lac.concat({a, a}, -1)
  local t <close> = a:transpose()
  local at <close> = lac.concat({a, t}, 1)
  check.equal(ab, {{1, 2}, {3, 4}, {5, 6}, {7, 8}})
  check.equal(abc, {{1, 2, 9, 5, 6}, {3, 4, 10, 7, 8}})
  check.equal(aa, {{1, 2, 1, 2}, {3, 4, 3, 4}})
  check.equal(at, {{1, 2}, {3, 4}, {1, 3}, {2, 4}})
end

function T.concat_joins_integers_and_empty_parts()
  local a <close> = lac.tensor({1, 2}, "i32")
  local none <close> = lac.zeros({0}, "i32")
  local y <close> = lac.concat({none, a, none, a}, 1)
  local z <close> = lac.concat({none, none}, 1)
  check.equal(y, {1, 2, 1, 2})
  check.equal(y:dtype(), "i32")
  check.equal(z:shape(), {0})
end

function T.concat_joins_more_parts_than_a_node_names()
  local parts, want = {}, {}
  for i = 1, 20 do
    parts[i] = lac.tensor {i, -i}
    want[2 * i - 1], want[2 * i] = i, -i
  end
  local y <close> = lac.concat(parts, 1)
  check.equal(y, want)
  for i = 1, 20 do parts[i]:requires_grad(true) end
  do
    local w <close> = lac.tensor(want)
    local tape <close> = lac.tape()
    tape:backward((lac.concat(parts, 1) * w):sum())
  end
  for i = 1, 20 do
    check.equal(parts[i]:grad(), {i, -i})
    parts[i]:close()
  end
end

function T.concat_gradient_matches_finite_differences()
  local a, b = {{1, 2}, {3, 4}}, {{5}, {6}}
  check.grad(function(x, y) return lac.concat({x, y, x}, 2) end, {a, b})
  check.grad(function(x) return lac.concat({x, x:transpose()}, 1) end, {a})
end

function T.concat_refuses_parts_that_do_not_fit()
  local a <close> = lac.tensor {{1, 2}, {3, 4}}
  local b <close> = lac.tensor {{1, 2, 3}}
  local i <close> = lac.tensor({{1, 2}}, "i32")
  check.fails("concat: part 2 is %[1, 3%] and cannot follow %[2, 2%] along dimension 1",
              lac.concat, {a, b}, 1)
  check.fails("concat: a part must be f32, got i32", lac.concat, {a, i}, 1)
  check.fails("takes 1 to 65536 tensors, got 0", lac.concat, {}, 1)
  check.fails("concat: item 2 must be a tensor, got number", lac.concat, {a, 3}, 1)
  check.fails("dimension must be", lac.concat, {a, a}, 3)
  local gone = lac.tensor {{1, 2}}
  gone:close()
  check.fails("concat: item 2 must be a tensor, got a closed one", lac.concat, {a, gone}, 1)
end

function T.repeat_rows_puts_copies_side_by_side()
  local x <close> = lac.tensor {{1, 2}, {3, 4}}
  local y <close> = x:repeat_rows(3)
  check.equal(y, {{1, 2}, {1, 2}, {1, 2}, {3, 4}, {3, 4}, {3, 4}})
  local ids <close> = lac.tensor({7, 8}, "i32")
  local z <close> = ids:repeat_rows(2)
  check.equal(z, {7, 7, 8, 8})
  local none <close> = lac.zeros {0, 2}
  local e <close> = none:repeat_rows(2)
  check.equal(e:shape(), {0, 2})
  check.grad(function(v) return v:repeat_rows(3) end, {{{1, 2}, {3, 4}}})
  check.grad(function(v) return v:transpose():repeat_rows(2) end, {{{1, 2}, {3, 4}}})
  check.fails("repeat_rows: cannot take the rows of %[2, 2%] 0 times", x.repeat_rows, x, 0)
end

function T.concat_survives_lists_that_lie_about_their_length()
  local x <close> = lac.zeros {2, 3}
  local list = setmetatable({}, {__len = function() return (1 << 61) + 1 end, __index = function() return x end})
  check.fails("takes 1 to 65536 tensors", lac.concat, list, 1)
end

function T.tensors_made_or_closed_by_metamethods_stay_good_while_they_are_used()
  local x, w = lac.tensor {{1, 2}}, lac.tensor {{3, 4}}
  local fresh = setmetatable({}, {__len = function() return 40 end, __index = function()
    collectgarbage()
    return lac.tensor {{1, 2}}
  end})
  do
    local y <close> = lac.concat(fresh, 1)
    check.equal(y:shape(), {40, 2})
  end
  local closing = setmetatable({}, {__len = function() return 2 end, __index = function(_, i)
    if i == 1 then return x end
    x:close()
    return w
  end})
  check.fails("closed tensor", lac.concat, closing, 1)
  x = lac.tensor {{1, 2}}
  check.fails("closed tensor", lac.linear, closing)
  w:close()
end

return T
