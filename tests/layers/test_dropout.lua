local lac = require "lac"
local check = require "check"

local T = {}

local function ones(...)
  return lac.zeros {...}:fill(1)
end

function T.kept_elements_are_scaled_and_the_share_is_right()
  local n = 8192
  local x <close> = ones(n)
  local y <close> = x:dropout(0.25, lac.rng(1))
  local kept = 0
  for _, v in ipairs(y:totable()) do
    check.yes(v == 0 or math.abs(v - 4 / 3) < 1e-6)
    if v ~= 0 then kept = kept + 1 end
  end
  check.close(kept / n, 0.75, 5 * math.sqrt(0.75 * 0.25 / n)) -- five standard errors
end

function T.bits_come_from_the_generators_counters()
  local g, h = lac.rng(5, 6), lac.rng(5, 6)
  local x <close> = ones(3, 7)
  local y <close> = x:dropout(0.4, g)
  local u <close> = h:uniform {3, 7}
  local want = u:totable()
  for _, row in ipairs(want) do
    for j, v in ipairs(row) do row[j] = v >= 0.4 and 1 / 0.6 or 0 end
  end
  check.close(y, want, 1e-6)
  check.equal(g:state(), h:state())
end

function T.every_part_of_a_large_tensor_takes_its_own_counters()
  -- more than two parts of what threads take, and an end that fills no vector; a view, so nothing starts at 0
  local n = 70001
  local whole <close> = lac.rng(8):uniform {n + 3}
  local x <close> = whole:slice(1, 4, n):requires_grad(true)
  local y <close> = x:dropout(0.4, lac.rng(5, 6))
  local u, v = lac.rng(5, 6):uniform({n}):totable(), x:totable()
  for i, word in ipairs(u) do v[i] = word >= 0.4 and v[i] / 0.6 or 0 end
  check.close(y, v, 1e-6)
end

function T.backward_of_a_large_tensor_adds_to_what_is_there()
  local n = 33005
  local x <close> = ones(n):requires_grad(true)
  local tape <close> = lac.tape()
  local y <close> = x:dropout(0.4, lac.rng(5, 6)) + x
  tape:backward(y:sum())
  local want = lac.rng(5, 6):uniform({n}):totable()
  for i, word in ipairs(want) do want[i] = 1 + (word >= 0.4 and 1 / 0.6 or 0) end
  check.close(x:grad(), want, 1e-6)
end

function T.two_calls_drop_different_elements()
  local g = lac.rng(1)
  local x <close> = ones(64)
  local a <close> = x:dropout(0.5, g)
  local b <close> = x:dropout(0.5, g)
  local difference <close> = (a - b):abs()
  local total <close> = difference:sum()
  check.yes(total:item() > 20)
end

function T.backward_draws_the_same_elements_again()
  local x <close> = ones(301):requires_grad(true)
  local y
  do
    local tape <close> = lac.tape()
    y = x:dropout(0.3, lac.rng(2))
    tape:backward(y:sum())
    tape:keep(y)
  end
  check.equal(x:grad(), y:totable()) -- x is 1, so values and slopes agree
  y:close()
end

function T.gradients_match_finite_differences_and_add_up()
  local function f(x) return x:dropout(0.5, lac.rng(3)) end
  check.grad(f, {{1, -2, 3, 0.5, 4}})
  check.grad(function(x) return f(x:transpose()) + x:transpose():dropout(0.2, lac.rng(4)) end,
             {{{1, -2, 3}, {0.5, 4, -1}}})
end

function T.zero_keeps_every_value_and_still_moves_the_generator()
  local g = lac.rng(1)
  local x <close> = lac.tensor {0.1, -3, 0 / 0, 1 / 0, 1e-30}
  local y <close> = x:dropout(0, g)
  check.close(y, x:totable(), 0)
  check.equal(g:state().counter, 2)
  local none <close> = lac.zeros {0, 3}
  local e <close> = none:dropout(0.5, g)
  check.equal(e:shape(), {0, 3})
end

function T.other_probabilities_and_types_are_refused()
  local g = lac.rng(1)
  local x <close> = lac.tensor {1}
  local ids <close> = lac.tensor({1}, "i32")
  check.fails("dropout: p must be 0 <= p < 1, got 1", x.dropout, x, 1, g)
  check.fails("dropout: p must be 0 <= p < 1, got %-0.1", x.dropout, x, -0.1, g)
  check.fails("dropout: p must be 0 <= p < 1, got %-?nan", x.dropout, x, 0 / 0, g)
  check.fails("dropout: x must be f32, got i32", ids.dropout, ids, 0.5, g)
  check.fails("lac.rng expected", x.dropout, x, 0.5)
  check.equal(g:state().counter, 0)
end

return T
