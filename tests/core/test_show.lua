local check = require "check"
local lac = require "lac"
local show = require "core.show"

local T = {}

-- The rows of a tensor, without its header.
local function rows(values, cfg)
  local x <close> = lac.tensor(values)
  return (show.text(x, cfg):gsub("^[^\n]*\n", ""))
end

local function filled(count, make)
  local out = {}
  for i = 1, count do out[i] = make(i) end
  return out
end

function T.strings_are_quoted_and_safe_for_a_terminal()
  check.equal(show.text('a"b\\\n\27[31m'), '"a\\"b\\\\\\n\\x1B[31m"')
  check.equal(show.text("caf\u{e9}"), '"caf\u{e9}"')
  check.equal(show.text("\xff\u{e9}"), '"\\xFF\\xC3\\xA9"')
  check.equal(show.text(("x"):rep(2010)), '"' .. ("x"):rep(2000) .. '"... 10 more bytes')
end

function T.tables_show_one_level_in_a_stable_order()
  check.equal(show.text{10, "x", b = {}, a = {1}, [2.5] = true, ["not a name"] = 1},
    '{\n  10,\n  "x",\n  [2.5] = true,\n  a = {...},\n  b = {},\n  ["not a name"] = 1\n}')
  check.equal(show.text{}, "{}")
end

function T.long_tables_are_bounded()
  local text = show.text(filled(100, function(i) return i end))
  check.yes(text:find("  40,\n  ... 60 more\n}$"), text)
end

function T.a_failing_tostring_does_not_break_the_display()
  local bad = setmetatable({}, {__tostring = function() error("no", 0) end})
  check.equal(show.text(bad), "table that cannot be shown: no")
  check.equal(show.text{bad}, "{\n  table that cannot be shown: no\n}")
end

function T.a_tensor_shows_its_header_first()
  local x <close> = lac.zeros({2, 2})
  check.equal(show.text(x):match("^[^\n]*"), tostring(x))
end

function T.columns_are_aligned_with_one_format()
  check.equal(rows{{1, -2.5}, {10, 0}}, "  1.0000  -2.5000\n 10.0000   0.0000")
  check.equal(rows{{1, 20}, {300, 4}}, "   1   20\n 300    4")
end

function T.extreme_values_get_an_exponent_and_non_numbers_a_name()
  check.equal(rows{1e-6, 2e-6}, " 1.0000e-06  2.0000e-06")
  check.equal(rows{0 / 0, 1 / 0, -1 / 0, 1}, "  nan   inf  -inf     1")
end

function T.a_scalar_is_one_number()
  check.equal(rows(2.5), " 2.5000")
end

function T.a_tensor_without_elements_says_so()
  local x <close> = lac.zeros({0, 3})
  check.yes(show.text(x):find("no elements"))
end

function T.a_vector_wraps_at_the_width()
  check.equal(rows({1, 2, 3, 4, 5}, {width = 8}), " 1  2\n 3  4\n 5")
end

function T.a_row_wider_than_the_terminal_loses_its_middle()
  local text = rows({filled(30, function(i) return i end), filled(30, function() return 0 end)}, {width = 40})
  check.equal(text:match("^[^\n]*"), "  1   2   3   4  ...  27  28  29  30")
end

function T.more_dimensions_show_as_matrices_with_their_indices()
  check.equal(rows{{{1, 2}}, {{3, 4}}}, "[1, :, :]\n 1  2\n[2, :, :]\n 3  4")
end

function T.large_tensors_show_head_and_tail()
  local text = rows(filled(100, function(i) return filled(100, function(j) return i * 1000 + j end) end))
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("^ +", ""):gsub(" +", " ") end
  check.equal(lines, {
    "1001 1002 1003 ... 1098 1099 1100",
    "2001 2002 2003 ... 2098 2099 2100",
    "3001 3002 3003 ... 3098 3099 3100",
    "...",
    "98001 98002 98003 ... 98098 98099 98100",
    "99001 99002 99003 ... 99098 99099 99100",
    "100001 100002 100003 ... 100098 100099 100100",
  })
end

function T.a_closed_tensor_is_named_as_such()
  local x = lac.zeros({2})
  x:close()
  check.yes(show.text(x):find("closed tensor"))
end

return T
