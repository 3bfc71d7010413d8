local lac = require "lac"
local check = require "check"

local T = {}

-- Numbers that are no pattern, the same for a seed.
local function numbers(seed, rows, columns)
  local out = {}
  for r = 1, rows do
    out[r] = {}
    for c = 1, columns do
      seed = seed + 1
      out[r][c] = math.sin(seed * seed * 0.37 + seed) * 0.9
    end
  end
  return out
end

-- What the equations say, a scalar at a time. `kept`: [row][head][key] -> factor of a probability.
local function reference(a, kept)
  local y, d, dv = {}, #a.q[1] // a.heads, #a.v[1] // a.heads
  for s = 1, #a.keys do
    local first, keys = a.keys[s][1], a.keys[s][2]
    for row = a.queries[s] + 1, a.queries[s + 1] do
      local place = row - a.queries[s]
      y[row] = {}
      for h = 1, a.heads do
        local w, total = {}, 0
        for j = 1, a.causal and place or keys do
          local dot = 0
          for c = (h - 1) * d + 1, h * d do dot = dot + a.q[row][c] * a.k[first + j][c] end
          w[j] = math.exp(dot / math.sqrt(d) + (a.bias and a.bias[s][h][place][j] or 0))
          total = total + w[j]
        end
        for c = (h - 1) * dv + 1, h * dv do
          local sum = 0
          for j = 1, #w do sum = sum + w[j] / total * (kept and kept(row, h, j) or 1) * a.v[first + j][c] end
          y[row][c] = sum
        end
      end
    end
  end
  return y
end

-- Cases of segments: rows of q and k, and what is asked for.
local CASES = {
  one = {rows = 3, keys_of = 4, heads = 2, d = 4, dv = 2, queries = {0, 3}, keys = {{0, 4}}},
  uneven = {rows = 7, keys_of = 9, heads = 3, d = 6, dv = 9, queries = {0, 1, 5, 5, 7},
            keys = {{5, 4}, {0, 1}, {0, 0}, {1, 3}}},
  shared = {rows = 5, keys_of = 6, heads = 2, d = 2, dv = 2, queries = {0, 2, 3, 5}, keys = {{4, 2}, {0, 3}, {4, 2}}},
  overlapping = {rows = 5, keys_of = 6, heads = 1, d = 3, dv = 2, queries = {0, 2, 4, 5},
                 keys = {{2, 4}, {0, 3}, {1, 2}}},
  causal = {rows = 9, keys_of = 9, heads = 2, d = 4, dv = 4, causal = true, queries = {0, 5, 6, 9},
            keys = {{0, 5}, {5, 1}, {6, 3}}},
  width_one = {rows = 4, keys_of = 4, heads = 3, d = 3, dv = 3, causal = true, queries = {0, 3, 4},
               keys = {{0, 3}, {3, 1}}},
  wide = {rows = 2, keys_of = 3, heads = 1, d = 70, dv = 67, queries = {0, 2}, keys = {{0, 3}}},
  many_keys = {rows = 2, keys_of = 70, heads = 2, d = 4, dv = 2, queries = {0, 1, 2}, keys = {{0, 70}, {3, 40}}},
  many_queries = {rows = 70, keys_of = 70, heads = 1, d = 2, dv = 2, causal = true, queries = {0, 67, 70},
                  keys = {{0, 67}, {67, 3}}},
  decoding = {rows = 4, keys_of = 20, heads = 2, d = 32, dv = 32, queries = {0, 1, 2, 3, 4},
              keys = {{0, 3}, {5, 3}, {10, 3}, {15, 3}}},
}

local function case(name)
  local c = {}
  for k, v in pairs(CASES[name]) do c[k] = v end
  c.q, c.k, c.v = numbers(1, c.rows, c.d), numbers(400, c.keys_of, c.d), numbers(900, c.keys_of, c.dv)
  return c
end

-- More room than the largest segment needs, filled with what must not be looked at.
local function bias_of(c)
  local most_queries, most_keys, bias = 0, 0, {}
  for s = 1, #c.keys do
    most_queries = math.max(most_queries, c.queries[s + 1] - c.queries[s])
    most_keys = math.max(most_keys, c.keys[s][2])
  end
  for s = 1, #c.keys do
    bias[s] = {}
    for h = 1, c.heads do bias[s][h] = numbers(s * 77 + h * 13, most_queries, most_keys + 1) end
  end
  return bias
end

local function attend(c, q, k, v, bias)
  return lac.attend {q = q, k = k, v = v, heads = c.heads, queries = c.queries, keys = c.keys, causal = c.causal,
                     bias = bias, dropout = c.dropout, rng = c.rng}
end

local function names()
  local list = {}
  for name in pairs(CASES) do list[#list + 1] = name end
  table.sort(list)
  return list
end

function T.it_follows_its_equations_in_all_kinds_of_segments()
  for _, name in ipairs(names()) do
    local scope <close> = lac.scope()
    local c = case(name)
    check.close(attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v)), reference(c), 1e-5)
    c.bias = bias_of(c)
    check.close(attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(c.bias)), reference(c), 1e-5)
  end
end

function T.gradients_match_finite_differences()
  for _, name in ipairs {"one", "overlapping"} do
    local c = case(name)
    c.dropout = name == "one" and 0.4 or nil
    check.grad(function(q, k, v, bias)
      c.rng = lac.rng(3, 4) -- the same draws each time
      return attend(c, q, k, v, bias)
    end, {c.q, c.k, c.v, bias_of(c)})
  end
end

-- The gradients of sum(y * gy), a scalar at a time: of q, k, v and bias.
local function reference_gradients(a, gy, kept)
  local d, dv = #a.q[1] // a.heads, #a.v[1] // a.heads
  local function zeros(x)
    if type(x) == "number" then return 0 end
    local out = {}
    for i, v in ipairs(x) do out[i] = zeros(v) end
    return out
  end
  local gq, gk, gv, gbias = zeros(a.q), zeros(a.k), zeros(a.v), zeros(a.bias)
  local function dot(x, y, h, width)
    local sum = 0
    for c = (h - 1) * width + 1, h * width do sum = sum + x[c] * y[c] end
    return sum
  end
  local function add(to, times, x, h, width)
    for c = (h - 1) * width + 1, h * width do to[c] = to[c] + times * x[c] end
  end
  local function one(s, row, h)
    local place, first = row - a.queries[s], a.keys[s][1]
    local w, gp, total, along = {}, {}, 0, 0
    for j = 1, a.causal and place or a.keys[s][2] do
      w[j] = math.exp(dot(a.q[row], a.k[first + j], h, d) / math.sqrt(d) + a.bias[s][h][place][j])
      total = total + w[j]
    end
    for j = 1, #w do
      local times = kept and kept(row, h, j) or 1
      w[j], gp[j] = w[j] / total, times * dot(gy[row], a.v[first + j], h, dv)
      along = along + w[j] * gp[j]
      add(gv[first + j], w[j] * times, gy[row], h, dv)
    end
    for j = 1, #w do
      local gscore = w[j] * (gp[j] - along)
      gbias[s][h][place][j] = gscore
      add(gq[row], gscore / math.sqrt(d), a.k[first + j], h, d)
      add(gk[first + j], gscore / math.sqrt(d), a.q[row], h, d)
    end
  end
  for s = 1, #a.keys do
    for row = a.queries[s] + 1, a.queries[s + 1] do
      for h = 1, a.heads do one(s, row, h) end
    end
  end
  return {gq, gk, gv, gbias}
end

-- What dropout multiplies each probability by, from the counters that the header names.
local function draws(c, p, state)
  local most = 0
  for _, range in ipairs(c.keys) do most = math.max(most, range[2]) end
  local blocks = (most + 3) // 4
  local u = lac.rng(state[1], state[2]):uniform({c.rows * c.heads * blocks * 4}):totable()
  return function(row, head, j)
    local item = (row - 1) * c.heads + head - 1
    return u[4 * (item * blocks + (j - 1) % blocks) + (j - 1) // blocks + 1] >= p and 1 / (1 - p) or 0
  end, c.rows * c.heads * blocks
end

function T.gradients_of_all_kinds_of_segments_follow_their_equations()
  for _, name in ipairs(names()) do
    for _, p in ipairs {0, 0.4} do
      local c = case(name)
      local gy = numbers(5, c.rows, c.dv)
      c.bias, c.dropout, c.rng = bias_of(c), p, lac.rng(3, 4)
      local leaves = {lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(c.bias)}
      for _, x in ipairs(leaves) do x:requires_grad(true) end
      do
        local tape <close> = lac.tape()
        tape:backward((attend(c, table.unpack(leaves)) * lac.tensor(gy)):sum())
        local want = reference_gradients(c, gy, p > 0 and draws(c, p, {3, 4}) or nil)
        for i, x in ipairs(leaves) do check.close(x:grad(), want[i], 2e-5) end
      end
      for _, x in ipairs(leaves) do x:close() end
    end
  end
end

function T.dropout_comes_from_the_generators_counters()
  for _, name in ipairs(names()) do
    local scope <close> = lac.scope()
    local c = case(name)
    c.dropout, c.rng = 0.3, lac.rng(11, 12)
    local kept, counters = draws(c, 0.3, {11, 12})
    check.close(attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v)), reference(c, kept), 1e-5)
    check.equal(c.rng:state().counter, counters)
  end
end

function T.dropout_keeps_what_is_expected()
  local scope <close> = lac.scope()
  local ones = lac.zeros({64, 8}):fill(1)
  local y = lac.attend {q = lac.rng(1):normal {64, 8}, k = lac.rng(2):normal {64, 8}, v = ones, heads = 8,
                        queries = {0, 64}, keys = {{0, 64}}, dropout = 0.5, rng = lac.rng(3)}
  local mean = y:mean():item()
  check.close(mean, 1, 0.05)
  check.yes(math.abs(mean - 1) > 1e-6)
end

function T.one_tensor_for_several_inputs_gets_the_sum_of_its_gradients()
  local c = case("width_one") -- causal
  check.grad(function(q, x) return attend(c, q, x, x) end, {c.q, c.k})
  check.grad(function(x, v) return attend(c, x, x, v) end, {c.q, c.v})
  check.grad(function(x) return attend(c, x, x, x) end, {c.q})
  local crossed = {heads = 2, queries = {0, 2, 4}, keys = {{2, 2}, {0, 2}}} -- rows of one segment are keys of the other
  check.grad(function(x) return attend(crossed, x, x, x) end, {numbers(3, 4, 4)})
end

function T.slices_of_columns_are_taken_where_they_lie()
  local c = {heads = 2, rows = 5, queries = {0, 3, 5}, keys = {{0, 3}, {3, 2}}, causal = true}
  check.grad(function(x) -- one product for all three, as it comes
    return attend(c, x:slice(2, 1, 4), x:slice(2, 5, 4), x:slice(2, 9, 4))
  end, {numbers(7, c.rows, 12)})
  check.grad(function(x) -- columns that overlap
    return attend(c, x:slice(2, 1, 4), x:slice(2, 2, 4), x:slice(2, 4, 4))
  end, {numbers(7, c.rows, 7)})
  check.grad(function(q, x) -- rows and columns exchanged; the same columns of other rows
    return attend(c, q:transpose(), x:slice(1, 3, 5), x:slice(1, 1, 5))
  end, {numbers(7, 4, c.rows), numbers(8, 7, 4)})
end

function T.rows_that_nobody_looks_at_get_no_gradient()
  local k <close> = lac.tensor(numbers(1, 5, 2))
  k:requires_grad(true)
  local tape <close> = lac.tape()
  local y = lac.attend {q = lac.tensor(numbers(2, 2, 2)), k = k, v = k, heads = 1, queries = {0, 2}, keys = {{1, 2}}}
  tape:backward(y:sum())
  for row, values in ipairs(k:grad():totable()) do
    check.equal(values[1] == 0 and values[2] == 0, row ~= 2 and row ~= 3)
  end
end

function T.only_wanted_gradients_are_made()
  local c = case("shared")
  local inputs = {lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(bias_of(c))}
  for i, wanted in ipairs(inputs) do
    wanted:requires_grad(true)
    do
      local tape <close> = lac.tape()
      tape:backward(attend(c, table.unpack(inputs)):square():sum())
    end
    for j, x in ipairs(inputs) do check.equal(x:grad() ~= nil, i == j) end
    wanted:zero_grad()
    wanted:requires_grad(false)
  end
  for _, x in ipairs(inputs) do x:close() end
end

function T.gradients_add_up_over_calls_and_segments_are_made_once()
  local c = case("uneven")
  local segments <close> = lac.segments(lac.tensor(c.queries, "i32"), lac.tensor(c.keys, "i32"))
  local q <close> = lac.tensor(c.q)
  q:requires_grad(true)
  local function grad(times)
    local tape <close> = lac.tape()
    local k, v, total = lac.tensor(c.k), lac.tensor(c.v), nil
    for _ = 1, times do
      local y = lac.attend {q = q, k = k, v = v, heads = c.heads, segments = segments}:sum()
      total = total and total + y or y
    end
    tape:backward(total)
    local values = q:grad():totable()
    q:zero_grad()
    return values
  end
  local once, twice = grad(1), grad(2)
  for _, row in ipairs(once) do for i = 1, #row do row[i] = 2 * row[i] end end
  check.close(twice, once, 1e-5)
end

function T.segments_may_end_before_backward_runs()
  local q <close> = lac.tensor(numbers(2, 2, 2))
  q:requires_grad(true)
  local tape <close> = lac.tape()
  local segments = lac.segments({0, 2}, {{0, 2}})
  local y = lac.attend {q = q, k = q, v = q, heads = 1, segments = segments}
  segments:close()
  check.fails("field 'segments' is closed", lac.attend, {q = q, k = q, v = q, heads = 1, segments = segments})
  tape:backward(y:sum())
  check.yes(q:grad())
end

function T.a_bias_of_minus_infinity_leaves_keys_out()
  local scope <close> = lac.scope()
  local c = case("one")
  local bias, inf = bias_of(c), math.huge
  for h = 1, 2 do for i = 1, 3 do bias[1][h][i][2] = -inf end end
  local y = attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(bias))
  c.bias = bias
  check.close(y, reference(c), 1e-5)
  for h = 1, 2 do for j = 1, 4 do bias[1][h][3][j] = -inf end end
  y = attend(c, lac.tensor(c.q), lac.tensor(c.k), lac.tensor(c.v), lac.tensor(bias)):totable()
  check.close(y[3], {0 / 0, 0 / 0})
  check.yes(y[2][1] == y[2][1])
end

function T.large_scores_do_not_overflow()
  local scope <close> = lac.scope()
  local q, k = lac.tensor {{100}, {-100}}, lac.tensor {{100}, {99}}
  local y = lac.attend {q = q, k = k, v = lac.tensor {{1}, {2}}, heads = 1, queries = {0, 2}, keys = {{0, 2}}}
  check.close(y, {{1}, {2}}, 1e-6)
end

function T.no_rows_and_no_segments_are_fine()
  local k <close> = lac.tensor {{1, 2}}
  k:requires_grad(true)
  local tape <close> = lac.tape()
  local y = lac.attend {q = lac.zeros {0, 2}, k = k, v = k, heads = 2, queries = {0}, keys = {}}
  check.equal(y:shape(), {0, 2})
  local z = lac.attend {q = lac.zeros {0, 2}, k = k, v = k, heads = 2, queries = {0, 0}, keys = {{0, 0}}}
  tape:backward((y + z):sum())
  check.equal(k:grad():totable(), {{0.0, 0.0}})
  local none = lac.attend {q = k, k = k, v = lac.zeros {1, 0}, heads = 2, queries = {0, 1}, keys = {{0, 1}}}
  check.equal(none:shape(), {1, 0})
end

function T.segments_that_make_no_sense_are_refused()
  check.fails("queries must begin with 0, got 1", lac.segments, {1, 2}, {{0, 1}})
  check.fails("queries must never fall, got 2 after 3 at the end of segment 2", lac.segments,
              {0, 3, 2}, {{0, 1}, {0, 1}})
  check.fails("segment 1 wants 2 keys from row %-1 on", lac.segments, {0, 1}, {{-1, 2}})
  check.fails("segment 2 wants %-3 keys from row 4 on", lac.segments, {0, 1, 1}, {{0, 1}, {4, -3}})
  check.fails("segment 1 wants 2147483647 keys from row 7 on", lac.segments, {0, 1}, {{7, 2147483647}})
  check.fails("segment 2 has queries but no key to look at", lac.segments, {0, 1, 2}, {{0, 1}, {0, 0}})
  check.fails("queries have 0 entries and keys 0", lac.segments, {}, {})
  check.fails("queries have 2 entries and keys 2", lac.segments, {0, 1}, {{0, 1}, {0, 1}})
  check.fails("entry 1 of keys must be {first key, keys}", lac.segments, {0, 1}, {0, 1})
  check.fails("entry 2 of keys must be", lac.segments, {0, 1, 2}, {{0, 1}, {0, 1, 2}})
  check.fails("queries must hold whole numbers of 32 bits, got 1.5", lac.segments, {0, 1.5}, {{0, 1}})
  check.fails("keys must hold whole numbers of 32 bits, got 4294967296", lac.segments, {0, 1}, {{0, 1 << 32}})
  check.fails("queries must be a list or an i32 tensor, got nil", lac.segments, nil, {{0, 1}})
  local scope <close> = lac.scope()
  check.fails("queries must be i32 %[segments %+ 1%], got f32 %[2%]", lac.segments, lac.tensor {0, 1}, {{0, 1}})
  check.fails("keys must be i32 %[segments, 2%], got i32 %[1, 3%]", lac.segments,
              {0, 1}, lac.tensor({{0, 1, 2}}, "i32"))
end

function T.what_does_not_fit_is_refused()
  local scope <close> = lac.scope()
  local q, k, ids = lac.zeros {3, 6}, lac.zeros {5, 6}, lac.zeros({3, 6}, "i32")
  local function try(pattern, changes)
    local args = {q = q, k = k, v = k, heads = 2, queries = {0, 3}, keys = {{0, 5}}}
    for name, value in pairs(changes) do args[name] = value end
    check.fails(pattern, lac.attend, args)
  end
  try("4 heads do not divide the 6 channels of q and k and the 6 of v", {heads = 4})
  try("2 heads do not divide the 6 channels of q and k and the 3 of v", {v = lac.zeros {5, 3}})
  try("heads must be 1 or more, got 0", {heads = 0})
  try("q %[3, 6%], k %[5, 4%] and v %[5, 6%] do not fit", {k = lac.zeros {5, 4}, v = k})
  try("q %[3, 6%], k %[5, 6%] and v %[4, 6%] do not fit", {v = lac.zeros {4, 6}})
  try("do not fit", {q = lac.zeros {6}})
  try("q must be f32, got i32", {q = ids})
  try("the segments have 4 queries, q has 3 rows", {queries = {0, 4}})
  try("segment 2 looks at keys up to row 6, k has 5 rows", {queries = {0, 1, 3}, keys = {{0, 5}, {3, 3}}})
  try("causal wants as many keys as queries, segment 1 has 5 keys for 3 queries", {causal = true})
  try("bias must be .* = %[1, 2, 3 or more, 5 or more%], got %[1, 2, 3, 4%]", {bias = lac.zeros {1, 2, 3, 4}})
  try("bias must be", {bias = lac.zeros {2, 3, 5}})
  try("dropout must be 0 <= p < 1, got 1", {dropout = 1, rng = lac.rng(1)})
  try("dropout must be", {dropout = 0 / 0, rng = lac.rng(1)})
  try("dropout needs a generator in rng", {dropout = 0.1})
  try("field 'segments' must be lac.segments, got number", {segments = 1})
  try("field 'q' must be a tensor, got boolean", {q = false})
end

-- The first encoder layer of a published model: boxes, their weights, and the attention they take part in.
function T.box_attention_agrees_with_the_published_implementation()
  local file <close> = lac.hdf5.open(check.shared("golden/ort_small.h5"))
  local scope <close> = lac.scope()
  local function read(name) return file:read(name) end
  local layer = "params/model.encoder.layers.0."
  local function linear(x, name) return x:linear(read(layer .. name .. ".weight"), read(layer .. name .. ".bias")) end
  local embedding = lac.box_embedding(read "inputs/boxes") -- [3, 6, 6, 64]
  local weights, biases = {}, {}
  for h = 0, 3 do
    weights[h + 1] = read(layer .. "self_attn.WGs." .. h .. ".weight")
    biases[h + 1] = read(layer .. "self_attn.WGs." .. h .. ".bias")
  end
  local geometry = embedding:reshape(108, 64):linear(lac.concat(weights, 1), lac.concat(biases, 1)):relu()
    :reshape(3, 6, 6, 4):transpose(2, 4):transpose(3, 4) -- [3, head, query, key]
  check.close(geometry:contiguous(), read("outputs/encoder_layer0_geometry_weights"):totable(), 1e-4)
  local queries, keys = {0}, {}
  for image, row in ipairs(read("inputs/att_masks"):totable()) do
    local regions = 0
    for _, counts in ipairs(row) do regions = regions + math.tointeger(counts) end
    queries[image + 1], keys[image] = 6 * image, {6 * (image - 1), regions}
  end
  check.yes(keys[2][2] < 6 or keys[3][2] < 6) -- some are padding
  local x = lac.layer_norm(read("outputs/att_embed"):reshape(18, 32), read(layer .. "sublayer.0.norm.a_2"),
                           read(layer .. "sublayer.0.norm.b_2"), {form = "published"})
  local y = lac.attend {q = linear(x, "self_attn.linears.0"), k = linear(x, "self_attn.linears.1"),
                        v = linear(x, "self_attn.linears.2"), heads = 4, queries = queries, keys = keys,
                        bias = geometry:contiguous():clamp(1e-6, math.huge):log()}
  check.close(linear(y, "self_attn.linears.3"):reshape(3, 6, 32),
              read("outputs/encoder_layer0_self_attention"):totable(), 1e-4)
end

return T
