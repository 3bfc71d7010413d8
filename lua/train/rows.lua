--- Captions that are said word by word, a row each: the states of rows, and the walk from step to step of greedy and
-- random decoding, over any model with encode, begin, step and narrow.
-- @module train.rows
local lac = require "lac"
local Constraints = require "train.constraints"

local rows = {}

--- Some rows of every tensor of a state.
-- @tparam table state name -> tensor
-- @tparam tensor index i32
-- @treturn table
function rows.pick(state, index)
  local picked = {}
  for name, x in pairs(state) do picked[name] = lac.embedding(x, index) end
  return picked
end

--- Let a state outlive a scope.
function rows.keep(scope, state)
  for _, x in pairs(state) do scope:keep(x) end
end

--- Let go of a state.
function rows.close(state)
  for _, x in pairs(state) do x:close() end
end

-- Rows that have ended are taken out when so many are left of those there are: below that it saves more than it costs.
local WORTH = 0.75

local Walk = {}
Walk.__index = Walk

local function begin(model, seen, cfg)
  local walk = setmetatable({model = model, cfg = cfg, results = {}, numbers = {}, owners = {}, last = {}}, Walk)
  for r = 1, seen.images * cfg.each do
    walk.results[r] = {ids = {}, logprobs = {}}
    walk.numbers[r], walk.owners[r], walk.last[r] = r, (r - 1) // cfg.each, cfg.bos
  end
  walk.session, walk.state = model:begin(seen, cfg.each)
  walk.words = lac.tensor(walk.last, "i32")
  return walk
end

-- One step in a scope of its own: only the new state and the words survive it.
function Walk:advance(choose, forbidden)
  local scope <close> = lac.scope()
  local logits, new = self.model:step(self.session, self.state, self.words)
  local words, logprobs = choose(logits, forbidden, self.numbers)
  rows.keep(scope, new)
  rows.close(self.state)
  self.words:close()
  self.state, self.words, self.last = new, scope:keep(words), words:totable()
  return logprobs:totable()
end

-- Write down what the rows have said at step t; returns the places of those that go on.
function Walk:record(logprobs, t)
  local going = {}
  for at, number in ipairs(self.numbers) do
    local result = self.results[number]
    local before = result.ids[t - 1]
    if t == 1 or before and before ~= self.cfg.eos then
      result.ids[t], result.logprobs[t] = self.last[at], logprobs[at]
      if self.last[at] ~= self.cfg.eos then going[#going + 1] = at end
    end
  end
  return going
end

-- Go on with some of the rows.
function Walk:narrow(going)
  local index, numbers, owners, last = {}, {}, {}, {}
  for i, at in ipairs(going) do
    index[i], numbers[i], owners[i], last[i] = at - 1, self.numbers[at], self.owners[at], self.last[at]
  end
  index = lac.tensor(index, "i32")
  local picked = rows.pick(self.state, index)
  rows.close(self.state)
  self.words:close()
  self.model:narrow(self.session, index, owners)
  self.state, self.words = picked, lac.tensor(last, "i32")
  self.numbers, self.owners, self.last = numbers, owners, last
end

--- Say captions until all have ended.
-- @tparam nn.Module model
-- @tparam table seen from model:encode
-- @tparam table cfg each (captions per image), length, bos, eos, constraints
-- @tparam function choose (logits [rows, vocab], ?forbidden words as train.constraints has them, number of each row's
-- caption, from 1) -> words i32 [rows], their log-probabilities [rows]
-- @treturn table {ids = list, logprobs = list} for each caption, those of an image together; ids end with eos if it was
-- said
function rows.walk(model, seen, cfg, choose)
  local outer <close> = lac.scope()
  local constraints, walk = Constraints(cfg.constraints, cfg.length, cfg.eos), begin(model, seen, cfg)
  for t = 1, cfg.length do
    local forbidden = constraints:forbidden(walk.last, t)
    local going = walk:record(walk:advance(choose, forbidden), t)
    if forbidden then forbidden:close() end
    if #going == 0 then break end
    if #going <= WORTH * #walk.numbers and t < cfg.length then walk:narrow(going) end
  end
  walk.session.close()
  return walk.results
end

return rows
