local lac = require "lac"
local check = require "check"

local T = {}

local function tanh(v) return (math.exp(2 * v) - 1) / (math.exp(2 * v) + 1) end

-- two images, three regions, size 2, width 4; two rows per image
local KEYS = {{{0.1, -0.4}, {0.7, 0.2}, {-0.3, 0.5}}, {{0.9, -0.1}, {0.2, 0.2}, {-0.6, -0.5}}}
local VALUES = {{{1, 2, 3, 4}, {-1, 0.5, 2, 0}, {0.3, 0.2, 0.1, -1}},
                {{2, 1, 0, -1}, {0, 1, 0, 1}, {1.5, -2, 0.5, 1}}}
local QUERY = {{0.3, -0.2}, {-0.5, 0.4}, {0.1, 0.9}, {-1, 0.2}}
local V = {0.8, -1.3}
local MASK = {{1, 1, 0}, {1, 1, 1}}

local function reference(mask)
  local y, w = {}, {}
  for b = 1, 4 do
    local n = (b - 1) // 2 + 1
    local total = 0
    w[b], y[b] = {}, {0, 0, 0, 0}
    for s = 1, 3 do
      local e = 0
      for c = 1, 2 do e = e + V[c] * tanh(KEYS[n][s][c] + QUERY[b][c]) end
      w[b][s] = mask[n][s] == 0 and 0 or math.exp(e)
      total = total + w[b][s]
    end
    for s = 1, 3 do
      w[b][s] = w[b][s] / total
      for h = 1, 4 do y[b][h] = y[b][h] + w[b][s] * VALUES[n][s][h] end
    end
  end
  return y, w
end

local function attend(query, keys, values, v, mask)
  return lac.attention {query = query, keys = keys, values = values, v = v, mask = mask}
end

function T.attention_follows_its_equations_with_and_without_a_mask()
  local scope <close> = lac.scope()
  local q, k, u, v = lac.tensor(QUERY), lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V)
  local y, w = attend(q, k, u, v, lac.tensor(MASK))
  local want_y, want_w = reference(MASK)
  check.close(y, want_y, 1e-5)
  check.close(w, want_w, 1e-6)
  y, w = attend(q, k, u, v)
  want_y, want_w = reference {{1, 1, 1}, {1, 1, 1}}
  check.close(y, want_y, 1e-5)
  check.close(w, want_w, 1e-6)
end

-- The rows in another order, and told so: 3, 1, 4, 2.
local ORDER, OWNERS, MEMBERS = {3, 1, 4, 2}, {1, 0, 1, 0}, {{1, 3}, {0, 2}}

local function attend_owned(query, keys, values, v)
  return lac.attention {query = query, keys = keys, values = values, v = v, owners = lac.tensor(OWNERS, "i32"),
                        members = lac.tensor(MEMBERS, "i32")}
end

function T.rows_in_any_order_look_at_their_own_image()
  local scope <close> = lac.scope()
  local k, u, v = lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V)
  local want_y, want_w = reference {{1, 1, 1}, {1, 1, 1}}
  for rows = 4, 1, -1 do -- fewer rows than the tables have: the last ones are absent
    local query, wy, ww = {}, {}, {}
    for i = 1, rows do query[i], wy[i], ww[i] = QUERY[ORDER[i]], want_y[ORDER[i]], want_w[ORDER[i]] end
    local y, w = attend_owned(lac.tensor(query), k, u, v)
    check.close(y, wy, 1e-5)
    check.close(w, ww, 1e-6)
  end
end

function T.gradients_of_rows_in_any_order_match_finite_differences()
  for _, query in ipairs {QUERY, {QUERY[1], QUERY[2], QUERY[3]}} do
    check.grad(function(q, k, u, v) return (attend_owned(q, k, u, v)) end, {query, KEYS, VALUES, V})
  end
end

function T.tables_of_rows_that_do_not_fit_are_refused()
  local scope <close> = lac.scope()
  local q, k, u, v = lac.tensor(QUERY), lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V)
  local function with(owners, members)
    return lac.attention {query = q, keys = k, values = u, v = v, owners = owners, members = members}
  end
  local owners, members = lac.tensor(OWNERS, "i32"), lac.tensor(MEMBERS, "i32")
  check.fails("owners need members", with, owners, nil)
  check.fails("do not fit", with, lac.tensor({1, 0, 1}, "i32"), members)
  check.fails("do not fit", with, owners, lac.tensor({{0}, {1}}, "i32"))
  check.fails("owners", with, lac.tensor {1, 0, 1, 0}, members)
end

function T.attention_gradients_match_finite_differences()
  check.grad(function(q, k, u, v) return (attend(q, k, u, v)) end, {QUERY, KEYS, VALUES, V})
  check.grad(function(q, k, u, v)
    local mask = lac.tensor(MASK)
    return (attend(q, k, u, v, mask))
  end, {QUERY, KEYS, VALUES, V})
end

function T.attention_at_its_place_has_the_same_values_and_gradients()
  check.grad(function(q, k, u, v)
    local all = lac.zeros {8, 4}
    for t = 0, 1 do
      lac.attention {query = q * (1 + t), keys = k, values = u, v = v, place = all:slice(1, 4 * t + 1, 4)}
    end
    return all
  end, {QUERY, KEYS, VALUES, V})
  local scope <close> = lac.scope()
  local q, k, u, v, all = lac.tensor(QUERY), lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V), lac.zeros {5, 4}
  local y = attend(q, k, u, v)
  lac.attention {query = q, keys = k, values = u, v = v, place = all:slice(1, 2, 4)}
  check.close(all:slice(1, 2, 4), y:totable(), 1e-7)
end

-- What dropout makes of ones, drawn as attention draws: 0 or 1 / (1 - p), by row and region.
local function draws(p, rng)
  return lac.zeros({4, 3}):fill(1):dropout(p, rng):totable()
end

function T.attention_drops_probabilities_and_does_not_make_their_sum_1_again()
  local scope <close> = lac.scope()
  local q, k, u, v = lac.tensor(QUERY), lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V)
  local _, want_w = reference(MASK)
  local kept, want = draws(0.4, lac.rng(5)), {}
  local dropped = 0
  for b = 1, 4 do
    want[b] = {0, 0, 0, 0}
    for s = 1, 3 do
      dropped = dropped + (kept[b][s] == 0 and 1 or 0)
      for h = 1, 4 do
        want[b][h] = want[b][h] + kept[b][s] * want_w[b][s] * VALUES[(b - 1) // 2 + 1][s][h]
      end
    end
  end
  check.yes(dropped > 0 and dropped < 12, dropped .. " of 12 are dropped")
  local rng = lac.rng(5)
  local y, w = lac.attention {query = q, keys = k, values = u, v = v, mask = lac.tensor(MASK), dropout = 0.4, rng = rng}
  check.close(y, want, 1e-5)
  check.close(w, want_w, 1e-6)
  local plain = lac.rng(5)
  draws(0.4, plain)
  check.equal(rng:state(), plain:state())
  check.equal(lac.attention {query = q, keys = k, values = u, v = v, dropout = 0, rng = rng}, attend(q, k, u, v))
  check.equal(rng:state(), plain:state())
end

function T.attention_gradients_with_dropout_match_finite_differences()
  check.grad(function(q, k, u, v)
    return (lac.attention {query = q, keys = k, values = u, v = v, dropout = 0.4, rng = lac.rng(5)})
  end, {QUERY, KEYS, VALUES, V})
  check.grad(function(q, k, u, v)
    return (lac.attention {query = q, keys = k, values = u, v = v, dropout = 0.4, rng = lac.rng(5),
                           owners = lac.tensor(OWNERS, "i32"), members = lac.tensor(MEMBERS, "i32")})
  end, {QUERY, KEYS, VALUES, V})
end

function T.bad_dropout_of_attention_is_refused()
  local scope <close> = lac.scope()
  local function with(dropout, rng)
    return lac.attention {query = lac.tensor(QUERY), keys = lac.tensor(KEYS), values = lac.tensor(VALUES),
                          v = lac.tensor(V), dropout = dropout, rng = rng}
  end
  check.fails("attention: dropout must be 0 <= p < 1, got 1", with, 1, lac.rng(1))
  check.fails("attention: dropout must be", with, 0 / 0, lac.rng(1))
  check.fails("attention: dropout needs a generator, rng", with, 0.5)
end

function T.attention_looks_at_more_regions_than_a_group_has_items()
  local scope <close> = lac.scope()
  local keys, values = {{}}, {{}}
  for s = 1, 100 do
    keys[1][s] = {0.01 * s}
    values[1][s] = {s, 1}
  end
  local y = attend(lac.tensor {{0}}, lac.tensor(keys), lac.tensor(values), lac.tensor {1})
  local top, total = 0, 0
  for s = 1, 100 do
    local e = math.exp(tanh(0.01 * s))
    top, total = top + e * s, total + e
  end
  check.close(y, {{top / total, 1}}, 1e-3)
end

function T.attention_takes_sizes_that_are_no_multiple_of_eight()
  local function numbers(seed, ...)
    local function level(dims, depth)
      local out = {}
      for i = 1, dims[depth] do
        seed = seed + 1
        out[i] = depth == #dims and math.sin(seed * 1.7) or level(dims, depth + 1)
      end
      return out
    end
    return level({...}, 1)
  end
  local query, keys, values, v = numbers(1, 2, 11), numbers(50, 1, 3, 11), numbers(200, 1, 3, 19), numbers(400, 11)
  do
    local scope <close> = lac.scope()
    local y = attend(lac.tensor(query), lac.tensor(keys), lac.tensor(values), lac.tensor(v)):totable()
    for b = 1, 2 do
      local e, total = {}, 0
      for s = 1, 3 do
        e[s] = 0
        for c = 1, 11 do e[s] = e[s] + v[c] * tanh(keys[1][s][c] + query[b][c]) end
        e[s] = math.exp(e[s])
        total = total + e[s]
      end
      for h = 1, 19 do
        local want = 0
        for s = 1, 3 do want = want + e[s] / total * values[1][s][h] end
        check.close(y[b][h], want, 1e-5)
      end
    end
  end
  check.grad(function(q, k, u, w) return (attend(q, k, u, w)) end, {query, keys, values, v})
end

-- Columns beyond a vector of the host and beyond the strips that go together, against the operations it consists of.
function T.wide_attention_is_what_its_parts_make()
  local images, each, regions, size, width = 2, 3, 5, 70, 133
  local rng = lac.rng(8)
  local start = {rng:normal {images * each, size}, rng:normal {images, regions, size},
                 rng:normal {images, regions, width}, rng:normal {size}}
  local up = rng:normal {images * each, width}
  local function results(attention)
    local scope <close> = lac.scope()
    local x = {}
    for i, t in ipairs(start) do x[i] = t:clone():requires_grad(true) end
    local tape <close> = lac.tape()
    local y = attention(table.unpack(x))
    tape:backward((y * up):sum())
    local out = {y:totable()}
    for i, t in ipairs(x) do out[i + 1] = t:grad():totable() end
    return out
  end
  local got = results(function(q, k, u, v) return (attend(q, k, u, v)) end)
  local want = results(function(q, k, u, v)
    local parts = {}
    for i = 1, images do
      local key = k:slice(1, i, 1):reshape(1, regions, size)
      local query = q:slice(1, (i - 1) * each + 1, each):reshape(each, 1, size)
      local scores = ((key + query):tanh() * v:reshape(1, 1, size)):sum(3)
      parts[i] = scores:reshape(each, regions):softmax():matmul(u:slice(1, i, 1):reshape(regions, width))
    end
    return lac.concat(parts, 1)
  end)
  for i = 1, 5 do check.close(got[i], want[i], 3e-5, 1e-5) end
  for _, t in ipairs(start) do t:close() end
  up:close()
end

function T.attention_refuses_what_does_not_fit()
  local scope <close> = lac.scope()
  local q, k, u, v = lac.tensor(QUERY), lac.tensor(KEYS), lac.tensor(VALUES), lac.tensor(V)
  local three = lac.tensor {{1, 2}, {1, 2}, {1, 2}}
  check.fails("attention: query %[3, 2%], keys %[2, 3, 2%]", attend, three, k, u, v)
  check.fails("attention: mask must be %[2, 3%], got %[3, 2%]", attend, q, k, u, v, three)
  check.fails("field 'v' must be a tensor, got nil", attend, q, k, u)
end

return T
