-- JSON through lac.json.
local lac = require "lac"
local check = require "check"

local json = lac.json
local T = {}

function T.every_kind_of_value_is_decoded()
  local v = json.decode('{"a": [1, 2.5, -3], "b": {"c": "\\u00e9\\n"}, "d": true, "e": null}')
  check.equal(v.a[1], 1)
  check.equal(math.type(v.a[1]), "integer")
  check.equal(math.type(v.a[2]), "float")
  check.equal(v.a[3], -3)
  check.equal(v.b.c, "é\n")
  check.equal(v.d, true)
  check.yes(v.e == json.null)
end

function T.what_is_encoded_comes_back()
  local text = json.encode{list = {1, 2, 3}, deep = {x = {y = false}}, third = 1 / 3, none = json.null}
  check.equal(text, '{"deep": {"x": {"y": false}}, "list": [1, 2, 3], "none": null, "third": 0.33333333333333331}')
  check.equal(json.decode(text).third, 1 / 3)
end

function T.empty_arrays_stay_arrays()
  check.equal(json.encode(json.decode("[[], {}]")), "[[], {}]")
  check.equal(json.encode(json.array{}), "[]")
  check.equal(json.encode{}, "{}")
end

function T.indent_spreads_over_lines()
  check.equal(json.encode({a = 1}, {indent = 2}), '{\n  "a": 1\n}')
end

function T.errors_name_line_and_column()
  check.fails("json: line 2, column", function() json.decode('{"a": 1,\n "b" 2}') end)
  check.fails("json: line", function() json.decode("") end)
  check.fails("json", function() json.decode(("["):rep(100000)) end)
  check.fails("nested deeper than 200", function() json.decode(("["):rep(300) .. ("]"):rep(300)) end)
end

function T.what_has_no_form_is_refused()
  local itself = {}
  itself.itself = itself
  check.fails("does a table hold itself", function() json.encode(itself) end)
  check.fails("neither a string nor one of 1..n", function() json.encode{1, 2, x = 3} end)
  check.fails("has no form in JSON", function() json.encode(0 / 0) end)
  check.fails("a function has no form in JSON", function() json.encode(print) end)
  check.fails("UTF%-8", function() json.encode("\xff") end)
  check.fails("keys other than 1..n", function() json.encode(json.array{x = 1}) end)
end

function T.an_object_with_a_key_twice_is_refused()
  check.fails("duplicate object key", lac.json.decode, '{"a": 1, "b": 2, "a": 3}')
end

return T
