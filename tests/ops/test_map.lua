local lac = require "lac"
local check = require "check"

local T = {}

local NAN, INF = 0 / 0, math.huge
local W, G = {-2, -0.5, 0, 0.25, 3}, {1, 10, -4, 0, 0.5}

-- The result of an expression over w, g (both five elements), one (one element, 2) and n (the number 3).
local function map(text, out)
  local w <close> = lac.tensor(W)
  local g <close> = lac.tensor(G)
  local one <close> = lac.tensor {2}
  local y <close> = lac.map(text, {w = w, g = g, one = one, n = 3, unused = w}, out)
  return y:totable()
end

-- What a Lua function of w and g gives.
local function expected(f)
  local out = {}
  for i = 1, #W do
    local value = f(W[i], G[i])
    out[i] = value == true and 1 or value == false and 0 or value
  end
  return out
end

local function sign(x) return x > 0 and 1 or x < 0 and -1 or x end

local CASES = {
  {"w", function(w) return w end},
  {"fabs(w)", function(w) return math.abs(w) end},
  {"-w - -g", function(w, g) return g - w end},
  {"w - g - 1", function(w, g) return w - g - 1 end},
  {"w / one / n", function(w) return w / 2 / 3 end},
  {"1 + 2 * w", function(w) return 1 + 2 * w end},
  {"(1 + 2) * w", function(w) return 3 * w end},
  {"fabs((w - one) / n)", function(w) return math.abs((w - 2) / 3) end},
  {"\tw*\n( g )\r", function(w, g) return w * g end},
  {"w < g", function(w, g) return w < g end},
  {"w <= 0.25", function(w) return w <= 0.25 end},
  {"w > g", function(w, g) return w > g end},
  {"w >= 0.25", function(w) return w >= 0.25 end},
  {"w == 0", function(w) return w == 0 end},
  {"w != 0", function(w) return w ~= 0 end},
  {"w < 0 || g > 5 && w > 0", function(w, g) return w < 0 or (g > 5 and w > 0) end},
  {"(w < 0 || g > 5) && w > -1", function(w, g) return (w < 0 or g > 5) and w > -1 end},
  {"w && g", function(w, g) return w ~= 0 and g ~= 0 end},
  {"!w", function(w) return w == 0 end},
  {"!!w + 1", function(w) return w == 0 and 1 or 2 end},
  {"1 + 1 < 2 * w", function(w) return 2 < 2 * w end},
  {"w > 0 ? g : -g", function(w, g) return w > 0 and g or -g end},
  {"w > 0 ? 1 : w < 0 ? 2 : 3", function(w) return w > 0 and 1 or w < 0 and 2 or 3 end},
  {"w > 0 ? w > 1 ? 1 : 2 : 3", function(w) return w > 1 and 1 or w > 0 and 2 or 3 end},
  {"sqrt(fabs(w))", function(w) return math.sqrt(math.abs(w)) end},
  {"exp(w)", function(w) return math.exp(w) end},
  {"log(g)", function(_, g) return g < 0 and NAN or math.log(g) end},
  {"pow(fabs(w), 1.5)", function(w) return math.abs(w) ^ 1.5 end},
  {"fmin(w, g) + 2 * fmax(w, g)", function(w, g) return math.min(w, g) + 2 * math.max(w, g) end},
  {"sign(w)", sign},
  {"tanh(w)", function(w) return (math.exp(2 * w) - 1) / (math.exp(2 * w) + 1) end},
  {"floor(w)", function(w) return math.floor(w) end},
  {"w * pi", function(w) return w * math.pi end},
  {"w == 0 ? inf : -inf", function(w) return w == 0 and INF or -INF end},
  {"w / 0", function(w) return w / 0 end},
  {"1e-3 + .5 + 2. + 1.5E+2 + 7e0 + 0 * w", function() return 159.501 end},
}

function T.expressions_mean_what_they_say()
  for _, case in ipairs(CASES) do
    local text, f = case[1], case[2]
    local good, message = pcall(check.close, map(text), expected(f), 1e-5, 1e-5)
    check.yes(good, text .. ": " .. tostring(message))
  end
end

function T.numbers_are_exact()
  for _, number in ipairs {"0.1", "16777217", "3.4028234e38", "1e-40", "1.17549435e-38"} do
    local want <close> = lac.tensor {tonumber(number)}
    local zero <close> = lac.tensor {0}
    local y <close> = lac.map("z + " .. number, {z = zero})
    check.equal(y, want:totable())
  end
end

function T.functions_treat_nan_as_documented()
  local x <close> = lac.tensor {NAN, 1}
  local function first(text)
    local y <close> = lac.map(text, {x = x})
    return y:totable()[1]
  end
  check.equal(first "fmin(x, 3)", 3)
  check.equal(first "fmax(3, x)", 3)
  check.equal(first "x == x", 0)
  check.equal(first "x ? 1 : 2", 1)
  for _, text in ipairs {"sign(x)", "fabs(x)", "-x", "tanh(x)", "exp(x)", "x * 0"} do
    check.yes(first(text) ~= first(text), text .. " is not NaN")
  end
end

function T.values_may_be_numbers_scalars_views_and_any_shape()
  local x <close> = lac.tensor {{1, 2, 3}, {4, 5, 6}}
  local turned <close> = x:transpose()
  local mean <close> = x:mean()
  local y <close> = lac.map("x - m", {x = turned, m = mean})
  check.equal(y, {{-2.5, 0.5}, {-1.5, 1.5}, {-0.5, 2.5}})
  local both <close> = lac.map("a * b", {a = mean, b = 2})
  check.equal(both:shape(), {})
  check.equal(both:item(), 7)
  local number <close> = lac.map("2 + 3", {})
  check.equal(number, {5})
  local empty <close> = lac.zeros {0, 3}
  local none <close> = lac.map("e + 1", {e = empty})
  check.equal(none:shape(), {0, 3})
end

function T.a_result_goes_where_it_is_wanted()
  local x <close> = lac.tensor {1, 2, 3}
  local sum <close> = lac.tensor {10, 20, 30}
  check.yes(rawequal(lac.map("s + fabs(x)", {s = sum, x = x}, sum), sum))
  check.equal(sum, {11, 22, 33})
  local tail <close> = sum:slice(1, 2, 2)
  lac.map("t * t", {t = tail}, tail)
  check.equal(sum, {11, 484, 1089})
  lac.map("7", {}, tail)
  check.equal(sum, {11, 7, 7})
end

function T.an_out_that_does_not_fit_is_refused()
  local x <close> = lac.tensor {1, 2, 3}
  local two <close> = x:slice(1, 1, 2)
  local last <close> = x:slice(1, 2, 2)
  local first <close> = x:slice(1, 1, 1)
  local ids <close> = lac.tensor({1, 2, 3}, "i32")
  local square <close> = lac.tensor {{1, 2}, {3, 4}}
  local turned <close> = square:transpose()
  check.fails('the expression "x": x must be %[2%] or of one element, got %[3%]', lac.map, "x", {x = x}, two)
  check.fails('the expression "t": out overlaps part of t; give a clone of it', lac.map, "t", {t = last}, two)
  check.fails("out overlaps part of f", lac.map, "x * f", {x = x, f = first}, x)
  check.fails("map: out must be f32, got i32", lac.map, "x", {x = x}, ids)
  check.fails("map: out is a view with gaps", lac.map, "x", {x = square}, turned)
end

function T.nothing_is_recorded()
  local x <close> = lac.tensor({1, 2}):requires_grad(true)
  local tape <close> = lac.tape()
  local y = lac.map("x * x", {x = x})
  check.equal(y:requires_grad(), false)
end

function T.names_are_listed_without_a_device()
  check.equal(lac.map_names "fabs((w - mean) / w) + pi * inf + _x9", {w = true, mean = true, _x9 = true})
  check.equal(lac.map_names "1", {})
  check.fails('expected "%)" at the end', lac.map_names, "fabs(w")
end

-- What is wrong with a text, and what the message says.
local WRONG = {
  {"", "expected a number, a name or \"(\" at the end"},
  {"   ", "expected a number, a name or \"(\" at the end"},
  {"w +", "expected a number, a name or \"(\" at the end"},
  {"w * )", "expected a number, a name or \"(\" at character 5, got \")\""},
  {"(w", "expected \")\" at the end"},
  {"fabs(w", "expected \")\" at the end"},
  {"w)", "expected an operator at character 2, got \")\""},
  {"w g", "expected an operator at character 3, got \"g\""},
  {"2w", "expected an operator at character 2, got \"w\""},
  {"0x1F", "expected an operator at character 2, got \"x1F\""},
  {"w = g", "expected an operator at character 3, got \"=\""},
  {"w & g", "expected an operator at character 3, got \"&\""},
  {"w; g", "expected an operator at character 2, got \";\""},
  {"w[0]", "expected an operator at character 2, got \"[\""},
  {"w.x", "expected an operator at character 2, got \".\""},
  {"w /* g */", "expected a number, a name or \"(\" at character 4, got \"*\""},
  {"\"w\"", "expected a number, a name or \"(\" at character 1"},
  {"#define w", "expected a number, a name or \"(\" at character 1, got \"#\""},
  {"w ? g", "expected \":\" at the end"},
  {"w ? g : ", "expected a number, a name or \"(\" at the end"},
  {"w < g < 1", "comparisons do not chain; write a < b && b < c for a < b < c"},
  {"fabs", "fabs is a function and needs \"(\" after it"},
  {"fabs()", "expected a number, a name or \"(\" at character 6, got \")\""},
  {"fabs(w, g)", "expected \")\" at character 7, got \",\""},
  {"pow(w)", "expected \",\" at character 6, got \")\""},
  {"fbas(w)", "there is no function fbas, did you mean fabs?"},
  {"abs(w)", "there is no function abs, did you mean fabs?"},
  {"barrier(w)", "there is no function barrier; there are fabs, sqrt, exp, log, pow, fmin, fmax, sign, tanh, floor"},
  {"pi(w)", "there is no function pi"},
  {"1e", "1e is no number"},
  {"1e39", "1e39 is too large for a float32"},
  {"1.2.3", "expected an operator at character 4"},
  {("1"):rep(40), "the number at character 1 is longer than 39 digits"},
  {"w\0g", "expected an operator at character 2, got \"?\""},
  {"w + \xc3\xa9", "expected a number, a name or \"(\" at character 5, got \"?\""},
  {("("):rep(60) .. "w" .. (")"):rep(60), "nested deeper than 50 at character 51"},
  {("-"):rep(60) .. "w", "nested deeper than 50 at character 50"},
  {("w ? 1 : "):rep(60) .. "2", "nested deeper than 50"},
  {("fabs("):rep(60) .. "w" .. (")"):rep(60), "nested deeper than 50"},
  {("w + "):rep(250) .. "w", "it is 1001 characters long; 1000 are allowed"},
  {"a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q", "more than 16 different names"},
}

function T.what_is_wrong_is_quoted_with_its_place()
  for _, case in ipairs(WRONG) do
    local good, message = pcall(lac.map_names, case[1])
    check.yes(not good, ("%q is accepted"):format(case[1]))
    check.yes(message:find("the expression \"", 1, true), message)
    check.yes(message:find(case[2], 1, true), message .. "\n is not: " .. case[2])
  end
  check.fails('^the expression "fabs%(w %*": expected', lac.map_names, "fabs(w *")
end

function T.values_that_do_not_fit_are_named()
  local w <close> = lac.tensor {1, 2}
  local three <close> = lac.tensor {1, 2, 3}
  local ids <close> = lac.tensor({1, 2}, "i32")
  local gone = lac.tensor {1, 2}
  gone:close()
  check.fails('^the expression "fabs%(w %* q%)": there is no name q; there are g, m, w$', lac.map, "fabs(w * q)",
    {w = w, g = w, m = 1})
  check.fails('the expression "q": there is no name q$', lac.map, "q", {})
  check.fails('the expression "w": w must be a tensor, got string', lac.map, "w", {w = "1"})
  check.fails('the expression "w": w must be f32, got i32', lac.map, "w", {w = ids})
  check.fails('the expression "w": w is a closed tensor', lac.map, "w", {w = gone})
  check.fails('the expression "w %+ x": x must be %[2%] or of one element, got %[3%]', lac.map, "w + x",
    {w = w, x = three})
  local many = {}
  for i = 1, 20 do many["n" .. i] = 1 end
  check.fails("there is no name w; there are n1, n10, n11, .*, %.%.%.$", lac.map, "w", many)
end

function T.the_longest_expressions_run()
  local w <close> = lac.tensor {1, 2}
  local y <close> = lac.map(("w+"):rep(499) .. "w", {w = w})
  check.equal(y, {500, 1000})
  local deep <close> = lac.map(("("):rep(48) .. "w" .. (")"):rep(48), {w = w})
  check.equal(deep, {1, 2})
end

function T.values_and_spaces_that_change_build_nothing_anew()
  local w <close> = lac.tensor {1}
  for i = 1, 300 do -- more than the programs that a device keeps
    local y <close> = lac.map("w +" .. (" "):rep(i) .. "a" .. i, {w = w, ["a" .. i] = i})
    check.equal(y, {1 + i})
  end
end

return T
