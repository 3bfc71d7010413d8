--- Decoding: greedy and beam search over any model with encode, begin and step.
--
-- A state is a table of tensors whose first dimension is rows; searching repeats and picks rows of it. The
-- device gives each row's best words, and the choice among an image's few candidates is made here.
-- @module train.beam
local lac = require "lac"
local config = require "core.config"

local beam = {}

--- width: beams per image; length: tokens at most, the end included; temperature divides the scores from the
-- second step on; no_repeat forbids the word just said; penalty: nil, {"wu", a} (Wu et al. 2016, eq. 14) or
-- {"avg"}, which ranks by the mean; bos and eos: the ids of beginning and end, those of a word tokenizer unless given;
-- ends: what becomes of a beam that has said its end, see search; what the model says (beam_ends) or "leave" unless
-- given.
beam.defaults = {width = 1, length = 18, temperature = 1, no_repeat = false, penalty = config.optional("table"),
                 bos = 2, eos = 3, ends = config.optional("string")}

-- Every tensor of a state by rows.
local function pick_rows(state, rows)
  local index, picked = lac.tensor(rows, "i32"), {}
  for name, x in pairs(state) do picked[name] = lac.embedding(x, index) end
  return picked
end

local function keep(scope, state)
  for _, x in pairs(state) do scope:keep(x) end
end

local function close(state)
  for _, x in pairs(state) do x:close() end
end

-- The best words of each row and their log-probabilities: two lists of lists.
local function best_words(logits, count, temperature)
  local logp = logits:log_softmax()
  if temperature ~= 1 then logp = (logp / temperature):log_softmax() end
  local values, words = logp:topk(math.min(count, logp:shape(2)))
  return values:totable(), words:totable()
end

-- One step in a scope of its own: only the new state survives it.
local function advance(model, session, state, words, count, temperature)
  local scope <close> = lac.scope()
  local logits, new = model:step(session, state, lac.tensor(words, "i32"))
  local values, ids = best_words(logits, count, temperature)
  keep(scope, new)
  return values, ids, new
end

-- The best allowed word of a row, the one just said being forbidden with no_repeat.
local function first_allowed(values, ids, previous, no_repeat)
  for i, id in ipairs(ids) do
    if not (no_repeat and id == previous) then return id, values[i] end
  end
end

local function all(flags)
  for _, flag in ipairs(flags) do
    if not flag then return false end
  end
  return true
end

local function filled(n, value)
  local list = {}
  for i = 1, n do list[i] = value end
  return list
end

--- The likeliest word at each step.
-- Ends when every row has said its end. Rows that are done are fed on but say nothing more.
-- @tparam nn.Module model in evaluation mode
-- @tparam table seen from model:encode
-- @tparam[opt] table options see defaults; width has no meaning here
-- @treturn table per image {ids = list, logprobs = list, score = their sum}; ids end with eos if it was said
function beam.greedy(model, seen, options)
  local cfg = config.merge(beam.defaults, options, "beam")
  local outer <close> = lac.scope()
  local session, state = model:begin(seen, 1)
  local rows = seen.images
  local words, done, results = filled(rows, cfg.bos), filled(rows, false), {}
  for r = 1, rows do results[r] = {ids = {}, logprobs = {}, score = 0} end
  for t = 1, cfg.length do
    local values, ids, new = advance(model, session, state, words, cfg.no_repeat and 2 or 1, 1)
    close(state)
    state = new
    for r = 1, rows do
      local id, logp = first_allowed(values[r], ids[r], words[r], cfg.no_repeat and t > 1)
      words[r] = id
      if not done[r] then
        local result = results[r]
        result.ids[t], result.logprobs[t] = id, logp
        result.score = result.score + logp
        done[r] = id == cfg.eos
      end
    end
    if all(done) then break end
  end
  session.close()
  return results
end

local function penalised(score, length, penalty)
  if not penalty then return score end
  if penalty[1] == "wu" then return score / ((5 + length) / 6) ^ penalty[2] end
  if penalty[1] == "avg" then return score / length end
  error(('beam: the penalty is {"wu", a} or {"avg"}, got "%s"'):format(tostring(penalty[1])), 0)
end

-- The candidates of one image: every live row continued by its best words, best first; equal ones in the
-- order of the flat index row * vocab + word.
local function candidates(image, values, ids, first_row, width, no_repeat)
  local list = {}
  for b, row in ipairs(image.beams) do
    local r, taken = first_row + b - 1, row.ended and width or 0
    if row.ended then list[#list + 1] = {sum = row.sum, beam = b, id = row.ids[#row.ids]} end
    for i, id in ipairs(ids[r]) do
      if taken < width and not (no_repeat and id == row.ids[#row.ids]) then
        taken = taken + 1
        list[#list + 1] = {sum = row.sum + values[r][i], beam = b, id = id, logp = values[r][i]}
      end
    end
  end
  table.sort(list, function(x, y)
    if x.sum ~= y.sum then return x.sum > y.sum end
    if x.beam ~= y.beam then return x.beam < y.beam end
    return x.id < y.id
  end)
  return list
end

local function extended(row, choice)
  local ids, logprobs = table.move(row.ids, 1, #row.ids, 1, {}), table.move(row.logprobs, 1, #row.logprobs, 1, {})
  ids[#ids + 1], logprobs[#logprobs + 1] = choice.id, choice.logp
  return {ids = ids, logprobs = logprobs, sum = choice.sum}
end

-- Choose the next beams of an image; a beam that says its end is recorded, loses 1000 and goes on.
local function choose(image, list, width, t, cfg)
  local beams, sources = {}, {}
  for i = 1, math.min(width, #list) do
    local row = extended(image.beams[list[i].beam], list[i])
    beams[i], sources[i] = row, list[i].beam
    if list[i].id == cfg.eos or t == cfg.length then
      image.records[#image.records + 1] = {ids = row.ids, logprobs = row.logprobs, order = #image.records,
                                           score = penalised(row.sum, t, cfg.penalty)}
      row.sum = row.sum - 1000
    end
  end
  image.beams = beams
  return sources
end

-- The same where a beam that has said its end stays among the others as it is.
local function choose_among_ended(image, list, width, _, cfg)
  local beams, sources = {}, {}
  for i = 1, math.min(width, #list) do
    local row = image.beams[list[i].beam]
    beams[i], sources[i] = row.ended and row or extended(row, list[i]), list[i].beam
    beams[i].ended = list[i].id == cfg.eos
  end
  image.beams = beams
  return sources
end

local CHOICES = {leave = choose, stay = choose_among_ended}

local function all_ended(images)
  for _, image in ipairs(images) do
    for _, row in ipairs(image.beams) do
      if not row.ended then return false end
    end
  end
  return true
end

-- The beams as they are in the end, where those that have said it stayed among them.
local function record(image, penalty)
  for i, row in ipairs(image.beams) do
    image.records[i] = {ids = row.ids, logprobs = row.logprobs, order = i,
                        score = penalised(row.sum, #row.ids, penalty)}
  end
end

local function ranked(image, width)
  table.sort(image.records, function(x, y)
    if x.score ~= y.score then return x.score > y.score end
    return x.order < y.order
  end)
  return table.move(image.records, 1, width, 1, {})
end

--- Beam search, `width` captions per image.
-- Where a beam that has said its end leaves (ends = "leave"), `width` others are continued in its place: it is
-- recorded, goes on with 1000 less, so that it ranks behind every live one, and there are always `length` steps. Where
-- it stays ("stay") it competes with its continued likes by its sum as it was, until all beams have ended.
-- @tparam nn.Module model in evaluation mode
-- @tparam table seen from model:encode
-- @tparam[opt] table options see defaults
-- @treturn table per image a list, best first, of {ids, logprobs, score}
function beam.search(model, seen, options)
  local cfg = config.merge(beam.defaults, options, "beam")
  local width, images, ends = cfg.width, {}, cfg.ends or model.beam_ends or "leave"
  local choose_next = CHOICES[ends]
  if not choose_next then error(('beam: ends must be "leave" or "stay", got "%s"'):format(ends), 2) end
  local count = cfg.no_repeat and width + 1 or width
  local outer <close> = lac.scope()
  for n = 1, seen.images do images[n] = {beams = {{ids = {}, logprobs = {}, sum = 0}}, records = {}} end
  local session, state = model:begin(seen, 1)
  local words, each = filled(seen.images, cfg.bos), 1
  for t = 1, cfg.length do
    local values, ids, new = advance(model, session, state, words, count, t > 1 and cfg.temperature or 1)
    close(state)
    state = new
    if t == 1 and width > 1 then -- from here on `width` rows per image
      session.close()
      session = model:begin(seen, width)
    end
    local rows = {}
    words = {}
    for n, image in ipairs(images) do
      local first_row = (n - 1) * each + 1
      local list = candidates(image, values, ids, first_row, width, cfg.no_repeat and t > 1)
      local sources = choose_next(image, list, width, t, cfg)
      for b = 1, width do -- fewer candidates than beams: the last is repeated and ranks behind
        local source = sources[b] or sources[#sources]
        rows[#rows + 1] = first_row + source - 2
        words[#words + 1] = image.beams[math.min(b, #image.beams)].ids[t] or cfg.eos
      end
    end
    if ends == "stay" and all_ended(images) then break end
    if t < cfg.length then
      local scope <close> = lac.scope()
      local picked = pick_rows(state, rows)
      keep(scope, picked)
      close(state)
      state = picked
    end
    each = width
  end
  session.close()
  local results = {}
  for n, image in ipairs(images) do
    if ends == "stay" then record(image, cfg.penalty) end
    results[n] = ranked(image, width)
  end
  return results
end

return beam
