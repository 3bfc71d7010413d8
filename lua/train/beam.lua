--- Decoding: greedy and beam search over any model with encode, begin, step and narrow.
--
-- A state is a table of tensors whose first dimension is rows; searching repeats and picks rows of it. The
-- device gives each row's best words, and the choice among an image's few candidates is made here.
-- @module train.beam
local lac = require "lac"
local config = require "core.config"
local Constraints = require "train.constraints"
local rows = require "train.rows"

local beam = {}

--- width: beams per image; length: tokens at most, the end included; temperature divides the scores from the
-- second step on; constraints: what a caption must not say, see train.constraints; penalty: nil, {"wu", a} (Wu et al.
-- 2016, eq. 14) or {"avg"}, which ranks by the mean; bos and eos: the ids of beginning and end, those of a word
-- tokenizer unless given; ends: what becomes of a beam that has said its end, see search; what the model says
-- (beam_ends) or "leave" unless given; groups: the beams are of so many groups, each of which avoids what those before
-- it say: `diversity` is taken from the score of a word for each of their beams that says it at the same step
-- (Vijayakumar et al. 2018, "Diverse beam search for improved description of complex scenes", Hamming diversity).
beam.defaults = {width = 1, length = 18, temperature = 1, constraints = config.optional("table"),
                 penalty = config.optional("table"), bos = 2, eos = 3, ends = config.optional("string"), groups = 1,
                 diversity = 0.5}

--- The likeliest word at each step.
-- Ends when every row has said its end.
-- @tparam nn.Module model in evaluation mode
-- @tparam table seen from model:encode
-- @tparam[opt] table options see defaults: length, bos, eos, constraints; the others have no meaning here
-- @treturn table per image {ids = list, logprobs = list, score = their sum}; ids end with eos if it was said
function beam.greedy(model, seen, options)
  local cfg = config.merge(beam.defaults, options, "beam")
  local walked = {each = 1, length = cfg.length, bos = cfg.bos, eos = cfg.eos, constraints = cfg.constraints}
  local results = rows.walk(model, seen, walked, function(logits, forbidden)
    local logp = logits:log_softmax()
    if forbidden then logp = lac.allowed {logits = logp, words = forbidden} end
    local values, words = logp:topk(1)
    return words:reshape(words:shape(1)), values:reshape(values:shape(1))
  end)
  for _, result in ipairs(results) do
    result.score = 0
    for _, logp in ipairs(result.logprobs) do result.score = result.score + logp end
  end
  return results
end

local function penalised(score, length, penalty)
  if not penalty then return score end
  if penalty[1] == "wu" then return score / ((5 + length) / 6) ^ penalty[2] end
  return score / length
end

local function filled(n, value)
  local list = {}
  for i = 1, n do list[i] = value end
  return list
end

-- Candidates ---------------------------------------------------------------------------------------------

-- What is taken from the scores of words in a row: all (inf) where they are forbidden, `diversity` for each time that
-- earlier groups have said them.
local function amounts_of(forbidden, said, diversity)
  local amounts = {}
  for id, times in pairs(said) do amounts[id] = times * diversity end
  for _, id in ipairs(forbidden) do amounts[id] = math.huge end
  return amounts
end

-- As lac.allowed takes them; nothing where there are none.
local function amounts_tensors(lists)
  local words, amounts, longest = {}, {}, 0
  for r, list in ipairs(lists) do
    words[r], amounts[r] = {}, {}
    for id, amount in pairs(list) do
      words[r][#words[r] + 1], amounts[r][#amounts[r] + 1] = id, amount
    end
    longest = math.max(longest, #words[r])
  end
  if longest == 0 then return nil end
  for r in ipairs(words) do
    for j = #words[r] + 1, longest do words[r][j], amounts[r][j] = -1, 0 end
  end
  return lac.tensor(words, "i32"), lac.tensor(amounts)
end

-- The best words of rows and what they add to a sum: two lists of lists. `index`: the rows, nil for all.
local function best_words(logp, index, amounts, count)
  local scope <close> = lac.scope()
  if index then logp = lac.embedding(logp, lac.tensor(index, "i32")) end
  local words, less = amounts_tensors(amounts)
  if words then logp = lac.allowed {logits = logp, words = words, amounts = less} end
  local values, ids = logp:topk(math.min(count, logp:shape(2)))
  return values:totable(), ids:totable()
end

-- The candidates of a group: every live row continued by its best words, best first; equal ones in the
-- order of the flat index row * vocab + word. `values` and `ids` of its first row are at first + 1.
local function candidates(group, values, ids, first, width, amounts)
  local list = {}
  for b, row in ipairs(group.beams) do
    local r = first + b
    if row.ended then list[#list + 1] = {sum = row.sum, beam = b, id = row.ids[#row.ids]} end
    for i = 1, row.ended and 0 or math.min(width, #ids[r]) do
      local id, value = ids[r][i], values[r][i]
      local less = amounts[r][id] or 0
      if value > -math.huge then
        list[#list + 1] = {sum = row.sum + value, beam = b, id = id, logp = less < math.huge and value + less or value}
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

-- Choose the next beams of a group; a beam that says its end is recorded, loses 1000 and goes on.
local function choose(group, list, width, t, cfg)
  local beams, sources = {}, {}
  for i = 1, math.min(width, #list) do
    local row = extended(group.beams[list[i].beam], list[i])
    beams[i], sources[i] = row, list[i].beam
    if list[i].id == cfg.eos or t == cfg.length then
      group.records[#group.records + 1] = {ids = row.ids, logprobs = row.logprobs, order = #group.records,
                                           score = penalised(row.sum, t, cfg.penalty)}
      row.sum = row.sum - 1000
    end
  end
  group.beams = beams
  return sources
end

-- The same where a beam that has said its end stays among the others as it is.
local function choose_among_ended(group, list, width, _, cfg)
  local beams, sources = {}, {}
  for i = 1, math.min(width, #list) do
    local row = group.beams[list[i].beam]
    beams[i], sources[i] = row.ended and row or extended(row, list[i]), list[i].beam
    beams[i].ended = list[i].id == cfg.eos
  end
  group.beams = beams
  return sources
end

local CHOICES = {leave = choose, stay = choose_among_ended}

-- Searching ----------------------------------------------------------------------------------------------

local function all_ended(images)
  for _, image in ipairs(images) do
    for _, group in ipairs(image) do
      for _, row in ipairs(group.beams) do
        if not row.ended then return false end
      end
    end
  end
  return true
end

-- The beams as they are in the end, where those that have said it stayed among them.
local function record(group, penalty)
  for i, row in ipairs(group.beams) do
    group.records[i] = {ids = row.ids, logprobs = row.logprobs, order = i,
                        score = penalised(row.sum, #row.ids, penalty)}
  end
end

local function ranked(group, width)
  table.sort(group.records, function(x, y)
    if x.score ~= y.score then return x.score > y.score end
    return x.order < y.order
  end)
  return table.move(group.records, 1, width, 1, {})
end

local function check(cfg, model)
  local penalty, ends = cfg.penalty, cfg.ends or model.beam_ends or "leave"
  if penalty and not (penalty[1] == "avg" or penalty[1] == "wu" and type(penalty[2]) == "number") then
    error(('beam: the penalty is {"wu", a} or {"avg"}, got "%s"'):format(tostring(penalty[1])), 3)
  end
  if not CHOICES[ends] then error(('beam: ends must be "leave" or "stay", got "%s"'):format(ends), 3) end
  if math.type(cfg.groups) ~= "integer" or cfg.groups < 1 or cfg.width % cfg.groups ~= 0 then
    error(("beam: groups must divide the width, %s, got %s"):format(cfg.width, cfg.groups), 3)
  end
  if not (cfg.diversity >= 0 and cfg.diversity < math.huge) then
    error(("beam: diversity must be 0 or more, got %s"):format(cfg.diversity), 3)
  end
  return ends
end

-- One step of one group of every image, from the log-probabilities of all rows, `each` per image, of which the group's
-- begin behind `before`. Its beams are then those chosen, its sources the rows that they go on from, its words theirs.
local function step_group(search, logp, g, each, before, t)
  local cfg, width = search.cfg, search.width
  local index, amounts, first = {}, {}, {}
  for n, image in ipairs(search.images) do
    first[n] = #amounts
    for b, row in ipairs(image[g].beams) do
      index[#index + 1] = (n - 1) * each + before + b - 1
      local forbidden = search.constraints:words(row.ids[#row.ids], t)
      amounts[#amounts + 1] = amounts_of(forbidden, image.said, cfg.diversity)
    end
  end
  local values, ids = best_words(logp, #index < logp:shape(1) and index or nil, amounts, width)
  for n, image in ipairs(search.images) do
    local group = image[g]
    local sources = search.choose(group, candidates(group, values, ids, first[n], width, amounts), width, t, cfg)
    for b = 1, width do -- fewer candidates than beams: the last is repeated and ranks behind
      group.sources[b] = (n - 1) * each + before + (sources[b] or sources[#sources]) - 1
      group.words[b] = group.beams[math.min(b, #group.beams)].ids[t] or cfg.eos
    end
    for _, row in ipairs(group.beams) do
      local word = row.ids[t]
      if word then image.said[word] = (image.said[word] or 0) + 1 end
    end
  end
end

-- One step of all rows in a scope of its own: only the new state survives it.
local function step(search, session, state, words, t)
  local scope <close> = lac.scope()
  local cfg, each = search.cfg, t > 1 and search.cfg.width or 1
  local logits, new = search.model:step(session, state, lac.tensor(words, "i32"))
  local logp = logits:log_softmax()
  if t > 1 and cfg.temperature ~= 1 then logp = (logp / cfg.temperature):log_softmax() end
  for _, image in ipairs(search.images) do image.said = {} end
  for g = 1, cfg.groups do step_group(search, logp, g, each, t > 1 and (g - 1) * search.width or 0, t) end
  rows.keep(scope, new)
  rows.close(state)
  return new
end

-- What the beams of all groups have said last, and the rows they come from.
local function gather(images)
  local words, sources = {}, {}
  for _, image in ipairs(images) do
    for _, group in ipairs(image) do
      table.move(group.words, 1, #group.words, #words + 1, words)
      table.move(group.sources, 1, #group.sources, #sources + 1, sources)
    end
  end
  return words, sources
end

local function start(model, seen, cfg, ends)
  local search = {model = model, cfg = cfg, width = cfg.width // cfg.groups, choose = CHOICES[ends], images = {},
                  constraints = Constraints(cfg.constraints, cfg.length, cfg.eos)}
  for n = 1, seen.images do
    local image = {}
    for g = 1, cfg.groups do
      image[g] = {beams = {{ids = {}, logprobs = {}, sum = 0}}, records = {}, words = {}, sources = {}}
    end
    search.images[n] = image
  end
  return search
end

local function results_of(search, ends)
  local results = {}
  for n, image in ipairs(search.images) do
    results[n] = {}
    for g, group in ipairs(image) do
      if ends == "stay" then record(group, search.cfg.penalty) end
      for _, found in ipairs(ranked(group, search.width)) do
        found.order, found.group = nil, g
        table.insert(results[n], found)
      end
    end
  end
  return results
end

--- Beam search, `width` captions per image.
-- Where a beam that has said its end leaves (ends = "leave"), `width` others are continued in its place: it is
-- recorded, goes on with 1000 less, so that it ranks behind every live one, and there are always `length` steps. Where
-- it stays ("stay") it competes with its continued likes by its sum as it was, until all beams have ended.
-- @tparam nn.Module model in evaluation mode
-- @tparam table seen from model:encode
-- @tparam[opt] table options see defaults
-- @treturn table per image a list of {ids, logprobs, score, group}, group after group, in each the best first; the
-- log-probabilities are those of the model (at a temperature), the score has what was taken for diversity
function beam.search(model, seen, options)
  local cfg = config.merge(beam.defaults, options, "beam")
  local ends = check(cfg, model)
  local outer <close> = lac.scope()
  local search = start(model, seen, cfg, ends)
  local session, state = model:begin(seen, 1)
  local words = filled(seen.images, cfg.bos)
  for t = 1, cfg.length do
    state = step(search, session, state, words, t)
    local sources
    words, sources = gather(search.images)
    if ends == "stay" and all_ended(search.images) then break end
    if t == 1 and cfg.width > 1 then -- from here on `width` rows per image
      session.close()
      session = model:begin(seen, cfg.width)
    end
    if t < cfg.length then
      local scope <close> = lac.scope()
      local picked = rows.pick(state, lac.tensor(sources, "i32"))
      rows.keep(scope, picked)
      rows.close(state)
      state = picked
    end
  end
  session.close()
  return results_of(search, ends)
end

return beam
