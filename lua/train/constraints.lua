--- What a caption must not say: which words are left out of a row's choice at a step.
--
-- A caption says no word twice in a row (no_repeat), does not say the unknown word, and does not end in certain words
-- (bad_endings): after one of these its end is left out, and they are left out of the last step, which is an end
-- without one. Where a row would have no word left, all of them are allowed.
-- @module train.constraints
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"

local Constraints = class("Constraints")

--- no_repeat: the word just said is forbidden; unknown: the id of the unknown word, which is not said then;
-- bad_endings: ids of words in which no caption ends.
Constraints.defaults = {no_repeat = false, unknown = config.optional("number"), bad_endings = config.optional("table")}

--- Words that captions end in when they were cut off.
Constraints.BAD_ENDINGS = {"a", "an", "the", "in", "for", "at", "of", "with", "on", "to", "his", "her", "this", "that"}

--- @tparam[opt] table cfg see defaults
-- @tparam integer length steps at most
-- @tparam integer eos
function Constraints:init(cfg, length, eos)
  cfg = config.merge(Constraints.defaults, cfg, "constraints")
  self.no_repeat, self.unknown, self.length, self.eos = cfg.no_repeat, cfg.unknown, length, eos
  self.endings, self.is_ending = cfg.bad_endings or {}, {}
  for _, id in ipairs(self.endings) do self.is_ending[id] = true end
end

--- Whether nothing is ever forbidden.
function Constraints:is_empty()
  return not self.no_repeat and not self.unknown and #self.endings == 0
end

--- The words that a row must not say.
-- @tparam[opt] integer previous its last word; nil at the first step
-- @tparam integer t the step, from 1
-- @treturn table ids, none twice
function Constraints:words(previous, t)
  local list, listed = {}, {}
  local function forbid(id)
    if id and not listed[id] then list[#list + 1], listed[id] = id, true end
  end
  forbid(self.unknown)
  if self.no_repeat then forbid(previous) end
  if previous and self.is_ending[previous] then forbid(self.eos) end
  if t == self.length then
    for _, id in ipairs(self.endings) do forbid(id) end
  end
  return list
end

--- Lists of ids of any lengths as lac.draw and lac.allowed take them.
-- @tparam table lists one per row
-- @treturn ?tensor i32 [rows, longest], -1 behind the end of a list; nil where all are empty
function Constraints.tensor(lists)
  local longest, padded = 0, {}
  for _, list in ipairs(lists) do longest = math.max(longest, #list) end
  if longest == 0 then return nil end
  for r, list in ipairs(lists) do
    padded[r] = {}
    for j = 1, longest do padded[r][j] = list[j] or -1 end
  end
  return lac.tensor(padded, "i32")
end

--- The same for rows by their last words.
-- @tparam table previous the last word of each row
-- @tparam integer t the step, from 1, at which nothing was said before
-- @treturn ?tensor
function Constraints:forbidden(previous, t)
  if self:is_empty() then return nil end
  local lists = {}
  for r, word in ipairs(previous) do lists[r] = self:words(t > 1 and word or nil, t) end
  return Constraints.tensor(lists)
end

return Constraints
