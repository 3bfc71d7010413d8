--- The radix tokenizer: a word is a few digits, so that a small classifier speaks a large vocabulary.
-- Tan, Chan and Chuah 2019, "COMIC: Towards a compact image captioning model with attention": radix encoding.
--
-- Word id w >= 4 is the number w - 4 in base R, most significant digit first, with as many digits as the count of
-- numbers has; that is one more than the largest needs where the count is a power of R, as in the published program.
-- Digit d has the id d + 1; 0 is pad, R + 1 bos, R + 2 eos. The unknown word is the number behind the last word's.
-- @module data.radix
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local vocab = require "data.vocab"

local Radix = class("Radix")

Radix.kind, Radix.unit, Radix.specials, Radix.pad = "radix", "digits", 3, 0

local FIRST = 4 -- the word id that is the number 0
local WORDS = 12 -- in a caption of the usual length
local LARGEST = 1 << 24 -- base that a model could have classes for

local function check_base(base)
  if math.type(base) ~= "integer" or base < 2 or base > LARGEST then
    blame(("radix: the base must be a whole number from 2 to %d, got %s"):format(LARGEST, tostring(base)))
  end
end

function Radix:init(words, base)
  check_base(base)
  self.words, self.base, self.bos, self.eos = words, base, base + 1, base + 2
  local numbers = words:size() - FIRST + 1 -- unk's included
  self.digits = 1
  while base ^ self.digits <= numbers do self.digits = self.digits + 1 end
  self.unknown = numbers - 1
  self.usual_length = WORDS * self.digits + 2
end

function Radix:__tostring()
  return ("Radix %d of %d words"):format(self.base, self.words:size())
end

--- Number of ids: the digits, pad, bos and eos.
function Radix:size()
  return self.base + self.specials
end

function Radix:is_empty()
  return self.words:is_empty()
end

--- For people: "771 digits for 10001 words".
function Radix:describe()
  return ("%d digits for %d words"):format(self:size(), self.words:size())
end

--- The ids that a word id becomes: pad, bos and eos one, every other `digits` many.
-- @tparam integer id of the words, 0 to their size - 1
-- @treturn table
function Radix:digits_of(id)
  if id == vocab.pad then return {self.pad} end
  if id == vocab.bos then return {self.bos} end
  if id == vocab.eos then return {self.eos} end
  local number, ids = id == vocab.unk and self.unknown or id - FIRST, {}
  for i = self.digits, 1, -1 do
    ids[i] = number % self.base + 1
    number = number // self.base
  end
  return ids
end

-- Word ids at most, bos and eos included, where `max_len` ids are allowed.
local function word_slots(self, max_len)
  return (max_len - 2) // self.digits + 2
end

--- A caption's ids: bos, the digits of its words, eos.
-- @tparam string text UTF-8
-- @tparam[opt] integer max_len keeps (max_len - 2) // digits + 2 of bos, words and eos, which may be more or fewer
-- ids than max_len; eos goes first
-- @treturn table array of integers
-- @raise text is not UTF-8
function Radix:encode(text, max_len)
  local ids = {}
  for _, word in ipairs(self.words:encode(text, max_len and word_slots(self, max_len))) do
    local digits = self:digits_of(word)
    table.move(digits, 1, #digits, #ids + 1, ids)
  end
  return ids
end

--- How many of a caption's `count` ids are left where `max_len` are allowed, see encode.
function Radix:kept(count, max_len)
  local words, slots = (count - 2) // self.digits, word_slots(self, max_len)
  return words + 2 <= slots and count or 1 + (slots - 1) * self.digits
end

-- The word id of the digits from ids[first] on; what is missing is zero. Special ids are taken for numbers too, and
-- an id that there is not makes the word unknown.
local function word_at(self, ids, first)
  local number = 0
  for i = first, first + self.digits - 1 do
    local id = ids[i] or 1
    if id >= self:size() then return vocab.unk end
    number = number * self.base + math.max(id - 1, 0)
  end
  local word = number + FIRST
  return word < self.words:size() and word or vocab.unk
end

--- The text of ids up to the first eos.
-- @tparam table ids array of integers >= 0, without bos in front
-- @treturn string
function Radix:decode(ids)
  local digits, words = {}, {}
  for _, id in ipairs(ids) do
    if self.words.check_id(id) == self.eos then break end
    digits[#digits + 1] = id
  end
  for first = 1, #digits, self.digits do words[#words + 1] = word_at(self, digits, first) end
  return self.words:decode(words)
end

--- The base in a line of its own, then the words as theirs has them.
-- @treturn string
function Radix:text()
  return ("radix %d\n"):format(self.base) .. self.words:text()
end

local radix = {BASE = 768, LARGEST = LARGEST} -- the base where nobody says, and the largest there is

--- Digits for the words of a word tokenizer.
-- @tparam Vocab words
-- @tparam[opt=768] integer base
-- @treturn Radix
function radix.new(words, base)
  return Radix(words, base or radix.BASE)
end

--- Read what text() wrote, without its first line.
-- @tparam string text
-- @tparam integer base
-- @treturn Radix
function radix.parse(text, base)
  check_base(base)
  return Radix(vocab.parse(text, 2), base)
end

local defaults = {
  captions = config.optional("function"), size = config.optional("number"), coverage = config.optional("number"),
  base = radix.BASE,
}

--- Build it on a word tokenizer.
-- @tparam table cfg as for vocab.build, and base
-- @treturn Radix
function radix.build(cfg)
  cfg = config.merge(defaults, cfg, "radix.build")
  check_base(cfg.base)
  return Radix(vocab.build {captions = cfg.captions, size = cfg.size, coverage = cfg.coverage}, cfg.base)
end

return radix
