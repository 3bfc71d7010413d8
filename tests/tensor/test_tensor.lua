local lac = require "lac"
local check = require "check"

local T = {}

local ROWS = {{1, 2, 3}, {4, 5, 6}}

function T.tables_become_tensors_and_tables_again()
  for _, value in ipairs {3.5, {1, 2}, ROWS, {{{1}, {2}}, {{3}, {4}}}, {{{{{{7}}}}}}} do
    local x <close> = lac.tensor(value)
    check.equal(x, value)
    check.equal(x:dtype(), "f32")
  end
  local i <close> = lac.tensor({1, -2, 2147483647}, "i32")
  check.equal(i, {1, -2, 2147483647})
  check.equal(math.type(i:totable()[1]), "integer")
end

function T.shape_count_and_text_describe_a_tensor()
  local x <close> = lac.tensor(ROWS)
  local scalar <close> = lac.tensor(1)
  check.equal(x:shape(), {2, 3})
  check.equal(x:shape(2), 3)
  check.equal(x:shape(-2), 2)
  check.equal(x:numel(), 6)
  check.equal(scalar:shape(), {})
  check.equal(scalar:numel(), 1)
  check.equal(tostring(x), "tensor f32 [2, 3]")
  check.fails("dimension must be 1..2 or negative from the end, got 3", x.shape, x, 3)
  check.fails("dimension must be", x.shape, x, 0)
end

function T.uneven_or_foreign_tables_are_refused()
  check.fails("rows differ in length or depth at level 2", lac.tensor, {{1, 2}, {3}})
  check.fails("rows differ in length or depth at level 2", lac.tensor, {{1, 2}, 3})
  check.fails("elements must be numbers, got table", lac.tensor, {1, {2}})
  check.fails("elements must be numbers, got boolean", lac.tensor, {true})
  check.fails("number expected", lac.tensor, "x")
  check.fails("nested deeper than 6", lac.tensor, {{{{{{{1}}}}}}})
  check.fails("must be a whole 32%-bit number, got 1.5", lac.tensor, {1.5}, "i32")
  check.fails("must be a whole 32%-bit number", lac.tensor, {2147483648}, "i32")
  check.fails("must be a whole 32%-bit number", lac.tensor, {0 / 0}, "i32")
  check.fails("invalid option 'f64'", lac.tensor, {1}, "f64")
end

function T.bytes_become_tensors_and_bytes_again()
  local bytes = string.pack("ffff", 1, -2, 0.5, 1e30)
  local x <close> = lac.from_bytes(bytes, {2, 2})
  check.close(x, {{1, -2}, {0.5, 1e30}}, 0, 1e-7)
  check.equal(x:tobytes(), bytes)
  local i <close> = lac.from_bytes(string.pack("i4i4", -1, 7), {2}, "i32")
  check.equal(i, {-1, 7})
  check.fails("the shape needs 12.0 bytes, got 16.0", lac.from_bytes, bytes, {3})
  check.fails("the shape needs", lac.from_bytes, bytes, {1 << 40, 1 << 40})
  check.fails("a shape needs whole numbers >= 0, got %-1", lac.from_bytes, bytes, {-1, -4})
end

function T.zeros_fill_and_copy_write_elements()
  local x <close> = lac.zeros {2, 2}
  check.equal(x, {{0, 0}, {0, 0}})
  x:fill(2.5)
  check.equal(x, {{2.5, 2.5}, {2.5, 2.5}})
  local y <close> = lac.tensor {1, 2, 3, 4}
  x:copy(y)
  check.equal(x, {{1, 2}, {3, 4}})
  local i <close> = lac.zeros({3}, "i32"):fill(-7)
  check.equal(i, {-7, -7, -7})
  check.fails("does not fit 32 bits", i.fill, i, 1 << 40)
  check.fails("copy: 3 elements do not fit 4, or the types differ", x.copy, x, i)
end

function T.items_are_single_numbers()
  local one <close> = lac.tensor {{{-4}}}
  local two <close> = lac.tensor {1, 2}
  check.equal(one:item(), -4)
  check.fails("item: the tensor must have one element, got shape %[2%]", two.item, two)
end

function T.empty_tensors_exist()
  local x <close> = lac.zeros {0, 3}
  check.equal(x:numel(), 0)
  check.equal(x, {})
  check.equal(x:tobytes(), "")
  local y <close> = lac.tensor {}
  check.equal(y:shape(), {0})
  local z <close> = x:reshape(3, -1)
  check.equal(z:shape(), {3, 0})
  local t <close> = x:transpose()
  check.equal(t, {{}, {}, {}})
end

function T.impossible_shapes_are_refused()
  check.fails("is too large", lac.zeros, {1 << 40, 1 << 40})
  check.fails("at most 6 dimensions, got 7", lac.zeros, {1, 1, 1, 1, 1, 1, 1})
  check.fails("a shape needs whole numbers >= 0, got 1.5", lac.zeros, {1.5})
  check.fails("a shape needs whole numbers", lac.zeros, {{}})
end

function T.views_share_memory()
  local x <close> = lac.tensor(ROWS)
  local row <close> = x:select(1, 2)
  local flat <close> = x:reshape(6)
  local part <close> = flat:slice(1, 2, 3)
  check.equal(row, {4, 5, 6})
  check.equal(part, {2, 3, 4})
  row:fill(9)
  check.equal(x, {{1, 2, 3}, {9, 9, 9}})
  check.equal(part, {2, 3, 9})
end

function T.strided_views_are_read_in_their_own_order()
  local x <close> = lac.tensor {{{1, 2}, {3, 4}, {5, 6}}, {{7, 8}, {9, 10}, {11, 12}}} -- [2, 3, 2]
  local t <close> = x:transpose(1, 3)
  check.equal(t, {{{1, 7}, {3, 9}, {5, 11}}, {{2, 8}, {4, 10}, {6, 12}}})
  local middle <close> = t:select(2, 2)
  check.equal(middle, {{3, 9}, {4, 10}})
  local last <close> = middle:slice(-1, 2, 1)
  check.equal(last, {{9}, {10}})
  local column <close> = x:select(3, 2)
  check.equal(column, {{2, 4, 6}, {8, 10, 12}})
  local dense <close> = column:contiguous()
  check.equal(dense, {{2, 4, 6}, {8, 10, 12}})
  check.equal(string.unpack("ffffff", dense:tobytes()), string.unpack("ffffff", column:tobytes()))
  check.yes(rawequal(dense:contiguous(), dense))
end

function T.reshape_works_out_one_dimension()
  local x <close> = lac.tensor(ROWS)
  local a <close> = x:reshape(3, -1)
  local b <close> = x:reshape {-1}
  local c <close> = x:reshape(1, 6, 1)
  check.equal(a, {{1, 2}, {3, 4}, {5, 6}})
  check.equal(b, {1, 2, 3, 4, 5, 6})
  check.equal(c:shape(), {1, 6, 1})
  check.fails("reshape: %[2, 3%] has 6 elements and cannot become %[4, 1%]", x.reshape, x, 4, -1)
  check.fails("only one dimension may be %-1", x.reshape, x, -1, -1)
  local t <close> = x:transpose()
  check.fails("reshape: a view %[3, 2%] with gaps has to be made contiguous first", t.reshape, t, 6)
end

function T.views_out_of_range_are_refused()
  local x <close> = lac.tensor(ROWS)
  check.fails("slice: 3 elements from number 2 of dimension 2 do not exist in %[2, 3%]", x.slice, x, 2, 2, 3)
  check.fails("slice: 1 elements from number 4", x.slice, x, 2, 4, 1)
  check.fails("counts from 1", x.slice, x, 1, 0, 1)
  check.fails("slice: 1 elements from number 3 of dimension 1", x.select, x, 1, 3)
  check.fails("counts from 1", x.select, x, 1, 0)
  check.fails("dimension must be 1..2", x.transpose, x, 1, 3)
  local line <close> = lac.tensor {1, 2}
  check.fails("needs two dimensions", line.transpose, line)
  check.fails("must not be negative", x.slice, x, 1, 1, -1)
  local none <close> = x:slice(1, 3, 0)
  check.equal(none:shape(), {0, 3})
end

function T.views_with_gaps_cannot_be_written_whole()
  local x <close> = lac.tensor(ROWS)
  local t <close> = x:transpose()
  check.fails("fill: the tensor must be contiguous", t.fill, t, 1)
  check.fails("copy: the tensor must be contiguous", x.copy, x, t)
end

function T.a_view_outlives_the_box_of_its_base()
  local view
  do
    local x <close> = lac.tensor(ROWS)
    view = x:select(1, 1)
  end
  check.equal(view, {1, 2, 3})
  view:close()
end

function T.closed_tensors_answer_with_a_sentence()
  local x = lac.tensor(ROWS)
  check.yes(not x:is_closed())
  x:close()
  x:close() -- harmless
  check.yes(x:is_closed())
  check.equal(tostring(x), "closed tensor")
  for _, name in ipairs {"shape", "numel", "totable", "item", "transpose", "clone", "grad", "sum"} do
    check.fails("closed tensor", x[name], x)
  end
  local y <close> = lac.tensor {1}
  check.fails("closed tensor", y.add, y, x)
end

function T.closing_gives_the_bytes_back()
  local before = lac.device.memory().used_bytes
  local x = lac.zeros {10, 10}
  check.equal(lac.device.memory().used_bytes, before + 400)
  local view = x:select(1, 1)
  x:close()
  check.equal(lac.device.memory().used_bytes, before + 400) -- the view holds them
  view:close()
  check.equal(lac.device.memory().used_bytes, before)
end

function T.only_floats_may_require_a_gradient()
  local x <close> = lac.tensor {1}
  local i <close> = lac.tensor({1}, "i32")
  check.equal(x:requires_grad(), false)
  check.equal(x:requires_grad(true):requires_grad(), true)
  local view <close> = x:reshape(1, 1)
  check.equal(view:requires_grad(), true)
  check.fails("only f32 tensors have gradients", i.requires_grad, i, true)
end

function T.the_metatable_is_out_of_reach()
  local x <close> = lac.tensor {1}
  check.equal(getmetatable(x), false)
  check.fails("", setmetatable, x, {})
  check.fails("lac.tensor expected", x.shape, {})
  check.fails("lac.tensor expected", x.shape, io.stdout)
end

function T.reshape_leaves_the_callers_table_alone()
  local shape = {-1, 3}
  local x <close> = lac.zeros {2, 3}
  local y <close> = x:reshape(shape)
  check.equal(y:shape(), {2, 3})
  check.equal(shape, {-1, 3})
  check.fails("only one dimension may be %-1", x.reshape, x, -1, -1)
end

function T.what_is_no_method_is_refused()
  local x <close> = lac.zeros {2, 3}
  check.fails("a tensor has no method 'smu'", function() return x.smu end)
  check.fails("a tensor has no %[ %]; x:select", function() return x[1] end)
end

function T.overlapping_copies_are_refused()
  local x <close> = lac.tensor {1, 2, 3, 4, 5, 6}
  local low <close> = x:slice(1, 1, 5)
  local high <close> = x:slice(1, 2, 5)
  check.fails("copy: source and target overlap", high.copy, high, low)
  check.equal(x, {1, 2, 3, 4, 5, 6})
end

function T.a_finaliser_that_closes_an_operand_gives_an_error_not_a_crash()
  for _, name in ipairs {"relu", "sum", "totable", "tobytes", "transpose", "clone"} do
    local x = lac.tensor {{1, 2}, {3, 4}}
    collectgarbage("stop")
    setmetatable({}, {__gc = function() x:close() end})
    for _ = 1, 2000 do local _ = {} end
    collectgarbage("restart")
    collectgarbage("step", 1000000)
    pcall(x[name], x)
    x:close()
  end
  collectgarbage()
end

return T
