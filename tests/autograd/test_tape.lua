local lac = require "lac"
local check = require "check"

local T = {}

local function used()
  return lac.device.memory().used_bytes
end

function T.intermediates_die_with_the_tape_and_not_with_the_collector()
  local x <close> = lac.zeros({100}):requires_grad(true)
  local held = {}
  collectgarbage("stop")
  local before = used()
  do
    local tape <close> = lac.tape()
    held[1] = x:exp()
    held[2] = held[1] * x
    held[3] = held[2]:reshape(10, 10)
    held[4] = held[3]:transpose()
    held[5] = held[4]:contiguous()
    check.yes(used() >= before + 3 * 400)
    tape:backward(held[5]:sum())
  end
  local after = used()
  collectgarbage("restart")
  check.equal(after, before + 400) -- x's gradient alone
  for _, y in ipairs(held) do
    check.yes(y:is_closed())
    check.fails("closed tensor", y.totable, y)
  end
end

function T.a_scope_bounds_lifetimes_and_records_nothing()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  local before = used()
  local y
  do
    local scope <close> = lac.scope()
    y = x:exp()
    check.yes(not y:requires_grad())
    check.fails("backward: this scope does not record", scope.backward, scope, y:sum())
  end
  check.equal(used(), before)
  check.yes(y:is_closed())
end

function T.what_is_kept_outlives_the_tape_without_its_history()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  local y, z
  do
    local tape <close> = lac.tape()
    y, z = tape:keep(x * 2, x * 3)
    tape:backward((y + z):sum())
  end
  check.equal(y, {2, 4})
  check.equal(z, {3, 6})
  check.yes(not y:requires_grad())
  y:close()
  z:close()
end

function T.what_is_kept_passes_to_the_enclosing_tape()
  local x <close> = lac.tensor {1, 2}
  local before = used()
  local y, z
  do
    local outer <close> = lac.scope()
    do
      local inner <close> = lac.scope()
      y = inner:keep(x + 1)
      z = x + 2
    end
    check.yes(z:is_closed())
    check.equal(y, {2, 3})
    check.yes(not outer:keep(y):is_closed())
    y:close()
    y = x + 3
  end
  check.yes(y:is_closed())
  check.equal(used(), before)
end

function T.closing_an_outer_tape_closes_the_inner_ones()
  local x <close> = lac.tensor {1}
  local before = used()
  local outer, inner = lac.scope(), lac.scope()
  local y = x + 1
  outer:close()
  check.yes(y:is_closed())
  check.fails("closed tape", inner.keep, inner, x)
  inner:close()
  outer:close() -- harmless
  check.equal(used(), before)
end

function T.a_scope_inside_a_tape_hides_what_it_does()
  local x <close> = lac.tensor({3}):requires_grad(true)
  local tape <close> = lac.tape()
  local y = x * x
  do
    local _ <close> = lac.scope()
    check.yes(not (x * 100):requires_grad())
  end
  tape:backward(y:sum())
  check.equal(x:grad(), {6})
end

function T.shared_inputs_accumulate()
  local x <close> = lac.tensor({2, -1}):requires_grad(true)
  local tape <close> = lac.tape()
  local y = x * x -- both sides
  local z = y + x -- y again below
  tape:backward((y * z):sum()) -- x^4 + x^3
  check.close(x:grad(), {4 * 8 + 3 * 4, -4 + 3}, 1e-4)
end

function T.gradients_add_up_over_tapes_until_they_are_dropped()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  for _ = 1, 3 do
    local tape <close> = lac.tape()
    tape:backward((x * 2):sum())
  end
  check.equal(x:grad(), {6, 6})
  x:zero_grad()
  check.equal(x:grad(), nil)
end

function T.gradients_of_views_land_in_their_base()
  local x <close> = lac.tensor({{1, 2, 3}, {4, 5, 6}}):requires_grad(true)
  do
    local tape <close> = lac.tape()
    local row = x:select(1, 2)
    local columns = x:slice(2, 2, 2)
    local turned = x:transpose():contiguous()
    local flat = x:reshape(6):reshape(3, 2)
    tape:backward((row * 10):sum() + columns:sum() * 100 + (turned * 1000):sum() + flat:sum() * 10000)
  end
  check.equal(x:grad(), {{11000, 11100, 11100}, {11010, 11110, 11110}})
end

function T.a_view_of_an_intermediate_passes_its_gradient_on()
  local x <close> = lac.tensor({1, 2, 3, 4}):requires_grad(true)
  local tape <close> = lac.tape()
  local y = x * 3
  local half = y:slice(1, 3, 2)
  tape:backward((half * half):sum())
  check.equal(x:grad(), {0, 0, 54, 72})
end

function T.inputs_that_require_nothing_get_nothing()
  local x <close> = lac.tensor({2}):requires_grad(true)
  local c <close> = lac.tensor {5}
  local tape <close> = lac.tape()
  tape:backward((x * c):sum())
  check.equal(x:grad(), {5})
  check.equal(c:grad(), nil)
end

function T.branches_that_lead_nowhere_cost_nothing()
  local x <close> = lac.tensor({2}):requires_grad(true)
  local tape <close> = lac.tape()
  local y = x * 3
  local _ = x:exp() * 7
  tape:backward(y:sum())
  check.equal(x:grad(), {3})
end

function T.backward_runs_once()
  local x <close> = lac.tensor({2}):requires_grad(true)
  local tape <close> = lac.tape()
  local loss = (x * 3):sum()
  tape:backward(loss)
  check.fails("backward: this tape has run; open a new one for each step", tape.backward, tape, loss)
  check.equal(x:grad(), {3})
end

function T.a_loss_that_cannot_be_one_is_refused()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  local c <close> = lac.tensor(1)
  local tape <close> = lac.tape()
  local y = x * 2
  check.fails("the loss must be one float, got shape %[2%]", tape.backward, tape, y)
  check.fails("the loss depends on nothing that requires a gradient", tape.backward, tape, c)
  local i <close> = lac.tensor(1, "i32")
  check.fails("the loss must be one float", tape.backward, tape, i)
  tape:backward(y:sum()) -- a refusal does not spoil the tape
  check.equal(x:grad(), {2, 2})
end

function T.a_closed_tape_refuses_work()
  local x <close> = lac.tensor {1}
  local tape = lac.tape()
  tape:close()
  check.fails("closed tape", tape.backward, tape, x)
  check.fails("closed tape", tape.keep, tape, x)
end

function T.an_error_inside_a_tape_leaves_nothing_behind()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  local before = used()
  check.fails("do not broadcast", function()
    local tape <close> = lac.tape()
    local y = x * 2
    local three = lac.tensor {1, 2, 3}
    return tape:keep(y + three)
  end)
  check.equal(used(), before)
  local y <close> = x * 2 -- no tape is current any more
  check.yes(not y:requires_grad())
end

function T.parameters_made_before_the_tape_are_not_its_to_close()
  local x <close> = lac.tensor({1}):requires_grad(true)
  do
    local tape <close> = lac.tape()
    tape:backward((x:reshape(1, 1) * 2):sum())
  end
  check.equal(x, {1})
  check.equal(x:grad(), {2})
end

function T.an_outer_tape_keeps_what_was_made_under_an_inner_one()
  local kept
  do
    local outer <close> = lac.scope()
    do
      local inner <close> = lac.scope() -- luacheck: ignore 211
      kept = lac.tensor {1} + 1
      outer:keep(kept)
    end
    check.equal(kept, {2})
  end
  check.equal(kept, {2})
  kept:close()
end

return T
