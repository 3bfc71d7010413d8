local lac = require "lac"
local check = require "check"

local T = {}

local INF = math.huge

-- Scores of n words, in no order.
local function scores(n)
  local row = {}
  for i = 1, n do row[i] = 3 * math.sin(i * 1.7) + (i % 7 == 0 and 1 or 0) end
  return row
end

local function softmax(row, temperature)
  local top, total, p = math.max(table.unpack(row)), 0, {}
  for i, v in ipairs(row) do
    p[i] = math.exp((v - top) / (temperature or 1))
    total = total + p[i]
  end
  for i = 1, #p do p[i] = p[i] / total end
  return p
end

-- How often each word is drawn in `rows` draws from the same scores, and the log-probabilities by word.
local function count_draws(row, rows, options)
  local scope <close> = lac.scope()
  local args = {logits = lac.tensor({row}):repeat_rows(rows), rng = lac.rng(11)}
  for key, value in pairs(options or {}) do args[key] = value end
  if args.words then args.words = lac.tensor({args.words}, "i32"):repeat_rows(rows) end
  if args.amounts then args.amounts = lac.tensor({args.amounts}):repeat_rows(rows) end
  local ids, logprobs = lac.draw(args)
  local counts, logp = {}, logprobs:totable()
  for i = 1, #row do counts[i] = 0 end
  for r, id in ipairs(ids:totable()) do
    counts[id + 1] = counts[id + 1] + 1
    check.close(logp[r], math.log(softmax(row)[id + 1]), 1e-5) -- of the scores, whatever else
  end
  return counts
end

-- Counts within 4.5 deviations of what the probabilities say; a word of probability 0 is never drawn.
local function follows(counts, p, rows)
  for i, count in ipairs(counts) do
    local spread = math.sqrt(rows * p[i] * (1 - p[i]))
    check.yes(math.abs(count - rows * p[i]) <= 4.5 * spread + 0.5,
              ("word %d: %d times, expected %.1f"):format(i - 1, count, rows * p[i]))
  end
end

local ROWS = 20000

function T.words_are_drawn_as_often_as_their_probability_says()
  if check.settings.mode == "oclgrind" then check.skip("too many draws for the simulator") end
  for _, n in ipairs {1, 2, 7, 8, 9, 63, 64, 100, 600} do -- parts of lanes, of eights, of a group
    local row = scores(n)
    follows(count_draws(row, ROWS), softmax(row), ROWS)
  end
end

function T.temperature_divides_the_scores()
  if check.settings.mode == "oclgrind" then check.skip("too many draws for the simulator") end
  local row = scores(20)
  for _, temperature in ipairs {0.3, 2} do
    follows(count_draws(row, ROWS, {temperature = temperature}), softmax(row, temperature), ROWS)
  end
  local best = 1
  for i, v in ipairs(row) do best = v > row[best] and i or best end
  check.equal(count_draws(row, 50, {temperature = 1e-3})[best], 50)
end

-- Scores with -inf where `keeps` says no.
local function masked(row, keeps)
  local out = {}
  for i, v in ipairs(row) do out[i] = keeps(i, v) and v or -INF end
  return out
end

local function allowed(row, options)
  local scope <close> = lac.scope()
  local given = {logits = lac.tensor {row}}
  for key, value in pairs(options) do given[key] = value end
  if given.words then given.words = lac.tensor({given.words}, "i32") end
  if given.amounts then given.amounts = lac.tensor {given.amounts} end
  return lac.allowed(given):totable()[1]
end

-- Plain loops: the best first.
local function sorted(row)
  local order = {}
  for i = 1, #row do order[i] = i end
  table.sort(order, function(a, b) return row[a] > row[b] end)
  return order
end

-- Words of a row; in the simulator only few.
local function lengths()
  return check.settings.mode == "oclgrind" and {1, 9, 70} or {1, 5, 70, 300}
end

function T.top_k_leaves_the_k_largest_and_what_equals_the_last()
  for _, n in ipairs(lengths()) do
    local row = scores(n)
    for _, k in ipairs {1, 3, 64, 100} do
      local limit = row[sorted(row)[math.min(k, n)]]
      check.close(allowed(row, {top_k = k}), masked(row, function(_, v) return v >= limit end))
    end
  end
  check.equal(allowed({1, -2, 1, 0, 1}, {top_k = 2}), {1, -INF, 1, -INF, 1})
  check.equal(allowed({-0.0, 0, -1}, {top_k = 1}), {0, 0, -INF})
  check.equal(allowed({-INF, 2, -INF}, {top_k = 2}), {-INF, 2, -INF})
end

function T.the_nucleus_is_the_fewest_best_words_with_the_probability()
  for _, n in ipairs(lengths()) do
    local row = scores(n)
    for _, temperature in ipairs {0.5, 1, 3} do
      local p, order, kept, sum = softmax(row, temperature), sorted(row), {}, 0
      for _, i in ipairs(order) do
        if sum >= 0.77 then break end
        kept[i], sum = true, sum + p[i]
      end
      check.close(allowed(row, {nucleus = 0.77, temperature = temperature}),
                  masked(row, function(i) return kept[i] end))
    end
  end
  check.equal(allowed({2, 1, 2}, {nucleus = 0.1}), {2, -INF, 2}) -- equal ones stay together
end

function T.the_nucleus_is_taken_of_what_top_k_and_left_out_words_leave()
  -- without the first, 0.5, 0.3, 0.2 are 0.625 and 0.375 of two
  local row = {9, math.log(0.5), math.log(0.3), math.log(0.2)}
  check.close(allowed(row, {words = {0}, top_k = 2, nucleus = 0.6}), {-INF, row[2], -INF, -INF})
  check.close(allowed(row, {words = {0}, top_k = 2, nucleus = 0.65}), {-INF, row[2], row[3], -INF})
  check.close(allowed(row, {words = {0}, nucleus = 0.6}), {-INF, row[2], row[3], -INF})
end

function T.amounts_are_taken_from_the_scores_of_words()
  check.equal(allowed({1, 2, 3, 4}, {words = {2, 0, -1}, amounts = {0.5, INF, 9}}), {-INF, 2, 2.5, 4})
  check.equal(allowed({1, 2, 3, 4}, {words = {4, 3, 1000}}), {1, 2, 3, -INF})
end

function T.a_row_without_any_other_word_keeps_those_left_out()
  local x <close> = lac.tensor {{1, 2, 3}, {1, 2, 3}}
  local words <close> = lac.tensor({{0, 1, 2}, {0, 1, -1}}, "i32")
  local y <close> = lac.allowed {logits = x, words = words}
  check.equal(y, {{1, 2, 3}, {-INF, -INF, 3}})
end

function T.restricted_draws_follow_what_is_left()
  if check.settings.mode == "oclgrind" then check.skip("too many draws for the simulator") end
  local row = scores(40)
  local left = allowed(row, {words = {3, 17}, top_k = 12, nucleus = 0.9, temperature = 1.5})
  follows(count_draws(row, ROWS, {words = {3, 17}, top_k = 12, nucleus = 0.9, temperature = 1.5}),
          softmax(left, 1.5), ROWS)
end

function T.a_row_draws_by_its_place_alone()
  local row = scores(100)
  local scope <close> = lac.scope()
  local rng = lac.rng(5)
  local many = lac.tensor({row}):repeat_rows(6)
  local all = lac.draw {logits = many, rng = rng}:totable()
  check.equal(rng:state().counter, 6)
  rng:restore {seed = 5, stream = 0, counter = 0}
  local some = lac.draw {logits = many:slice(1, 1, 3), rng = rng, places = lac.tensor({4, 0, 5}, "i32")}:totable()
  check.equal(some, {all[5], all[1], all[6]})
  check.equal(rng:state().counter, 1)
  check.yes(all[1] ~= all[2] or all[2] ~= all[3])
end

function T.rows_without_a_number_draw_nothing()
  local x <close> = lac.tensor {{1, 0 / 0, 2}, {-INF, -INF, -INF}, {-INF, 4, -INF}, {1, INF, 1}}
  for _, options in ipairs {{}, {top_k = 2}, {nucleus = 0.5}} do
    local ids, logprobs = lac.draw {logits = x, rng = lac.rng(1), top_k = options.top_k, nucleus = options.nucleus}
    check.equal(ids, {0, 0, 1, 0})
    local p = logprobs:totable()
    check.yes(p[1] ~= p[1] and p[2] ~= p[2] and p[4] ~= p[4])
    check.close(p[3], 0)
    ids:close()
    logprobs:close()
  end
end

function T.bad_arguments_are_refused()
  local x <close> = lac.tensor {{1, 2}}
  local words <close> = lac.tensor({{0}, {1}}, "i32")
  local rng = lac.rng(1)
  check.fails("draw: the temperature must be above 0, got 0", lac.draw, {logits = x, rng = rng, temperature = 0})
  check.fails("draw: the temperature", lac.draw, {logits = x, rng = rng, temperature = 0 / 0})
  check.fails("allowed: nucleus must be above 0 and at most 1, got 1.5", lac.allowed, {logits = x, nucleus = 1.5})
  check.fails("draw: top_k must be 0 %(all words%) or more, got %-1", lac.draw, {logits = x, rng = rng, top_k = -1})
  check.fails("draw: needs a generator", lac.draw, {logits = x})
  check.fails("allowed: words must be %[1, any%], a row for each of x, got %[2, 1%]", lac.allowed,
              {logits = x, words = words})
  check.fails("allowed: amounts were given without words", lac.allowed, {logits = x, amounts = x})
  check.fails("draw: places must be %[1%], got %[2, 1%]", lac.draw, {logits = x, rng = rng, places = words})
  check.equal(rng:state().counter, 0)
end

return T
