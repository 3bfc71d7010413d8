local lac = require "lac"
local check = require "check"

local T = {}

local A = {{1, 2, 3}, {4, 5, 6}}
local B = {{1, -1}, {0.5, 2}, {3, 0}}
local AB = {{11, 3}, {24.5, 6}}

function T.matmul_multiplies_matrices()
  local a <close> = lac.tensor(A)
  local b <close> = lac.tensor(B)
  local y <close> = a:matmul(b)
  check.close(y, AB)
end

function T.matmul_takes_transposed_and_sliced_views_as_they_are()
  local at <close> = lac.tensor {{1, 4}, {2, 5}, {3, 6}}
  local bt <close> = lac.tensor {{1, 0.5, 3}, {-1, 2, 0}}
  local wide <close> = lac.tensor {{9, 1, 2, 3, 9}, {9, 4, 5, 6, 9}}
  local a1 <close> = at:transpose()
  local a2 <close> = wide:slice(2, 2, 3)
  local b <close> = bt:transpose()
  local y1 <close> = a1:matmul(b)
  local y2 <close> = a2:matmul(b)
  check.close(y1, AB)
  check.close(y2, AB)
end

function T.matmul_copies_views_with_gaps_both_ways()
  local cube <close> = lac.tensor {{{1, 0}, {2, 0}, {3, 0}}, {{4, 0}, {5, 0}, {6, 0}}}
  local a <close> = cube:select(3, 1)
  local b <close> = lac.tensor(B)
  local y <close> = a:matmul(b)
  check.close(y, AB)
end

function T.matmul_multiplies_batches_and_shares_a_matrix_over_a_batch()
  local a <close> = lac.tensor {A, {{1, 0, 0}, {0, 1, 0}}}
  local bb <close> = lac.tensor {B, B}
  local b <close> = lac.tensor(B)
  local want = {AB, {{1, -1}, {0.5, 2}}}
  local y1 <close> = a:matmul(bb)
  local y2 <close> = a:matmul(b)
  check.close(y1, want)
  check.close(y2, want)
end

function T.matmul_gradients_match_finite_differences()
  local function f(a, b) return a:matmul(b) end
  check.grad(f, {A, B})
  check.grad(f, {{A, {{1, 0, 2}, {-1, 1, 0.5}}}, B})
  check.grad(f, {{A, A}, {B, B}})
  check.grad(f, {A, {B, {{1, 2}, {0, 1}, {-1, 1}}}})
  check.grad(function(a, b) return a:transpose():matmul(b) end, {{{1, 4}, {2, 5}, {3, 6}}, B})
  check.grad(function(a, b) return a:slice(2, 2, 2):matmul(b:slice(1, 1, 2)) end, {A, B})
end

function T.matmul_of_nothing_is_zeros()
  local a <close> = lac.zeros {2, 0}
  local b <close> = lac.zeros {0, 3}
  local none <close> = lac.zeros {0, 3}
  local y <close> = a:matmul(b)
  check.equal(y, {{0, 0, 0}, {0, 0, 0}})
  local c <close> = lac.zeros {3, 2}
  local z <close> = none:matmul(c)
  check.equal(z:shape(), {0, 2})
end

function T.matmul_refuses_shapes_that_do_not_fit()
  local a <close> = lac.tensor(A)
  local v <close> = lac.tensor {1, 2, 3}
  check.fails("matmul: %[2, 3%] and %[2, 3%] cannot be multiplied", a.matmul, a, a)
  check.fails("matmul: %[2, 3%] and %[3%] cannot be multiplied", a.matmul, a, v)
end

return T
