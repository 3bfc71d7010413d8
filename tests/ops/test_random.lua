local lac = require "lac"
local check = require "check"
local philox = require "philox"

local T = {}

local function words(seed, stream, counter, n)
  local out = {}
  for i = 0, n - 1 do out[i + 1] = philox(seed, stream, counter + i // 4)[i % 4 + 1] end
  return out
end

local function f32(v) -- rounded to float
  return (string.unpack("f", string.pack("f", v)))
end

-- fma in float: the product is exact in double; the sum is rounded to odd there, so that rounding once more
-- to float gives what one rounding of the exact sum would.
local function fma(a, b, c)
  local p = a * b
  local s = p + c
  local t = s - p
  local lost = (p - (s - t)) + (c - t)
  if lost ~= 0 then
    local bits = string.unpack("i8", string.pack("d", s))
    if bits & 1 == 0 then
      bits = bits + (((lost > 0) == (s > 0)) and 1 or -1)
      s = string.unpack("d", string.pack("i8", bits))
    end
  end
  return f32(s)
end

local function horner(v, coefficients)
  local p = f32(coefficients[1])
  for i = 2, #coefficients do p = fma(p, v, f32(coefficients[i])) end
  return p
end

-- What cl/random.cl computes for two words, step by step.
local function normal_pair(a, b)
  local k = (a >> 9) * 2 + 1
  local bits = string.unpack("I4", string.pack("f", k))
  local fraction = bits & 0x7fffff
  local halve = fraction > 0x3504f3 and 1 or 0
  local m = string.unpack("f", string.pack("I4", fraction | ((127 - halve) << 23)))
  local e = (bits >> 23) - 127 + halve - 24
  local f = m - 1
  local z = f32(f * f)
  local p = horner(f, {-0.0810155869, 0.127123073, -0.129722387, 0.142021745, -0.166422471,
                       0.200014681, -0.25000298, 0.333333284})
  local s = -2 * fma(e, f32(0.693147182), fma(f32(f * z), p, fma(-0.5, z, f)))
  local r = string.unpack("f", string.pack("I4", 0x5f375a86 - (string.unpack("I4", string.pack("f", s)) >> 1)))
  for _ = 1, 3 do r = f32(r * fma(f32(-0.5 * s * r), r, 1.5)) end
  local root = f32(s * r)
  root = fma(fma(-root, root, s), 0.5 * r, root)
  local t = ((b >> 6) & 0xffffff) / 2.0 ^ 24
  z = f32(t * t)
  local sine = f32(t * horner(z, {0.000151675122, -0.00467415061, 0.0796899199, -0.645963788, 1.57079637}))
  local cosine = horner(z, {-2.40502977e-05, 0.000918260019, -0.0208631251, 0.253669471, -1.23370051, 1})
  local turns = {[0] = {cosine, sine}, {-sine, cosine}, {-cosine, -sine}, {sine, -cosine}}
  local turn = turns[b >> 30]
  return f32(root * turn[1]), f32(root * turn[2])
end

function T.uniform_values_are_the_words_upper_24_bits()
  local g = lac.rng(0x123456789abcdef, -5):restore {seed = 0x123456789abcdef, stream = -5, counter = 2^32 - 2 | 0}
  local y <close> = g:uniform {5, 3}
  local want = {}
  for i, w in ipairs(words(0x123456789abcdef, -5, 2^32 - 2 | 0, 15)) do want[i] = (w >> 8) / 2.0 ^ 24 end
  local flat <close> = y:reshape(15)
  check.equal(flat, want)
  check.equal(g:state().counter, 2^32 + 2 | 0)
end

function T.integers_are_scaled_words()
  local g = lac.rng(7)
  local y <close> = g:integers({9}, 1000)
  local want = {}
  for i, w in ipairs(words(7, 0, 0, 9)) do want[i] = w * 1000 >> 32 end
  check.equal(y, want)
  check.equal(y:dtype(), "i32")
end

function T.normal_values_have_the_same_bits_everywhere()
  local n = 400
  local g = lac.rng(42, 3)
  local y <close> = g:normal {n}
  local w, want = words(42, 3, 0, n), {}
  for i = 1, n, 2 do want[i], want[i + 1] = normal_pair(w[i], w[i + 1]) end
  check.equal(y, want)
end

function T.normal_values_are_those_of_box_and_muller()
  local n = 400
  local g = lac.rng(43)
  local y <close> = g:normal {n}
  local w, want = words(43, 0, 0, n), {}
  for i = 1, n, 2 do
    local r = math.sqrt(-2 * math.log(((w[i] >> 9) * 2 + 1) / 2.0 ^ 24))
    local angle = 2 * math.pi * (w[i + 1] >> 6) / 2.0 ^ 26
    want[i], want[i + 1] = r * math.cos(angle), r * math.sin(angle)
  end
  check.close(y, want, 1e-6)
end

local function moments(list)
  local n, m = #list, {}
  for power = 1, 4 do
    local total = 0
    for _, v in ipairs(list) do total = total + v ^ power end
    m[power] = total / n
  end
  return m
end

function T.moments_are_those_of_the_distributions()
  local n = 8192
  local g = lac.rng(1)
  local u <close> = g:uniform {n}
  local z <close> = g:normal({n})
  local m = moments(u:totable())
  -- five standard errors of each mean: sqrt(variance of the power / n)
  check.close(m[1], 1 / 2, 5 * math.sqrt(1 / 12 / n))
  check.close(m[2], 1 / 3, 5 * math.sqrt((1 / 5 - 1 / 9) / n))
  m = moments(z:totable())
  check.close(m[1], 0, 5 * math.sqrt(1 / n))
  check.close(m[2], 1, 5 * math.sqrt(2 / n))
  check.close(m[3], 0, 5 * math.sqrt(15 / n))
  check.close(m[4], 3, 5 * math.sqrt(96 / n))
end

function T.ranges_and_deviations_are_applied()
  local g, h = lac.rng(5), lac.rng(5)
  local u <close> = g:uniform {8}
  local v <close> = h:uniform({8}, -2, 6)
  local scaled <close> = u * 8 - 2
  check.close(v, scaled, 1e-6)
  local z <close> = g:normal {8}
  local x <close> = h:normal({8}, 3, 0.5)
  local shifted <close> = z * 0.5 + 3
  check.close(x, shifted, 1e-6)
  -- steps of this range are coarser than 2^-24 of it, so rounding must not reach its end
  local tight <close> = g:uniform({1000}, 1, 1 + 2 ^ -22)
  for _, w in ipairs(tight:totable()) do check.yes(w >= 1 and w < 1 + 2 ^ -22) end
end

function T.a_fill_may_be_split_at_multiples_of_four()
  local g, h = lac.rng(9), lac.rng(9)
  local whole <close> = g:normal {20}
  local first <close> = h:normal {8}
  local rest <close> = h:normal {12}
  local both <close> = lac.concat({first, rest}, 1)
  check.equal(both, whole:totable())
  check.equal(g:state(), h:state())
  local three <close> = g:uniform {3}
  local none <close> = g:uniform {0}
  check.equal(three:shape(), {3})
  check.equal(none:shape(), {0})
  check.equal(g:state().counter, 6)
end

function T.host_integers_are_uniform_and_shuffles_are_permutations()
  local g = lac.rng(11)
  local counts = {0, 0, 0, 0, 0, 0}
  for _ = 1, 6000 do
    local i = g:below(6)
    counts[i + 1] = counts[i + 1] + 1
  end
  for _, n in ipairs(counts) do check.close(n, 1000, 150) end -- five standard deviations
  local list = {}
  for i = 1, 50 do list[i] = i end
  local same = g:shuffle(list)
  check.yes(rawequal(same, list))
  local moved, seen = 0, {}
  for i, v in ipairs(list) do
    seen[v] = true
    if v ~= i then moved = moved + 1 end
  end
  check.equal(#seen, 50)
  check.yes(moved > 30)
  check.equal(g:shuffle {}, {})
end

function T.shuffling_three_gives_all_six_orders_equally_often()
  local g = lac.rng(12)
  local counts = {}
  for _ = 1, 6000 do
    local key = table.concat(g:shuffle {1, 2, 3})
    counts[key] = (counts[key] or 0) + 1
  end
  local orders = 0
  for _, n in pairs(counts) do
    orders = orders + 1
    check.close(n, 1000, 150)
  end
  check.equal(orders, 6)
end

function T.state_and_restore_continue_the_sequence()
  local g = lac.rng(3, 4)
  g:below(10)
  local state = g:state()
  check.equal(state, {seed = 3, stream = 4, counter = 1})
  local a <close> = g:uniform {6}
  local b <close> = lac.rng(0):restore(state):uniform {6}
  check.equal(a, b:totable())
  check.fails("restore: field 'stream' must be an integer, got nil", g.restore, g, {seed = 1})
end

function T.forks_depend_on_their_name_and_not_on_what_was_drawn()
  local g = lac.rng(3)
  local before = g:fork("dropout"):state()
  g:below(10)
  check.equal(g:fork("dropout"):state(), before)
  check.equal(before.counter, 0)
  local streams = {}
  for _, name in ipairs {"a", "b", "", 1, 2, -1} do
    for _, parent in ipairs {g, lac.rng(3, 1), lac.rng(4)} do
      local s = parent:fork(name):state()
      check.yes(not streams[s.stream])
      streams[s.stream] = true
    end
  end
end

function T.wrong_arguments_are_refused()
  local g = lac.rng(1)
  check.fails("uniform: low must be below high, both finite, got 1 and 1", g.uniform, g, {2}, 1, 1)
  check.fails("uniform: low must be below high", g.uniform, g, {2}, 0, 1 / 0)
  check.fails("normal: the deviation must be >= 0, both finite, got 0 and %-1", g.normal, g, {2}, 0, -1)
  check.fails("normal: ", g.normal, g, {2}, 0 / 0, 1)
  check.fails("integers: their number must be 1 to 2%^31, got 0", g.integers, g, {2}, 0)
  check.fails("must be at least 1", g.below, g, 0)
  check.fails("must be a name or an integer", g.fork, g, 1.5)
  check.equal(g:state().counter, 0)
end

return T
