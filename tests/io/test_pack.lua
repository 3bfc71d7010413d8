local lac = require "lac"
local check = require "check"

local T = {}

function T.tensors_come_back_in_their_shape()
  local x <close> = lac.tensor {{0, 1.5, 0}, {-2, 0, 0.25}}
  local bytes = lac.pack.encode(x, "float32")
  local y <close> = lac.pack.decode(bytes, {2, 3})
  check.equal(y, {{0, 1.5, 0}, {-2, 0, 0.25}})
  check.equal(lac.pack.header(bytes), {values = "float32", count = 6, nonzeros = 3})
end

function T.mistakes_are_sentences()
  local x <close> = lac.tensor {0, 1, 3}
  check.fails("'w': value 3 at element 2 is neither 0 nor 1", lac.pack.encode, x, "ones", "w")
  check.fails("invalid option 'float64'", lac.pack.encode, x, "float64")
  local ids <close> = lac.tensor({1, 2}, "i32")
  check.fails("needs a float32 tensor", lac.pack.encode, ids, "float32")
  local bytes = lac.pack.encode(x, "int8")
  check.fails("'w': its packed bytes hold 3 elements, not 4", lac.pack.decode, bytes, {2, 2}, "w")
  check.fails("'w': its packed bytes are damaged: too short", lac.pack.decode, "", {3}, "w")
  check.fails("damaged", lac.pack.header, bytes:sub(1, -2))
  check.fails("needs 4398046511104 bytes", lac.pack.decode, bytes, {1 << 40})
end

function T.a_view_is_packed_as_it_looks()
  local x <close> = lac.tensor {{1, 2}, {3, 4}}
  local t <close> = x:transpose()
  local y <close> = lac.pack.decode(lac.pack.encode(t, "float16"), {2, 2})
  check.equal(y, {{1, 3}, {2, 4}})
end

return T
