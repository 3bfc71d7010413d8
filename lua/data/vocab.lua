--- The word tokenizer: words <-> ids, as SentencePiece's model type "word" has them.
-- Kudo and Richardson 2018, "SentencePiece: A simple and language independent subword tokenizer".
-- A piece is a word behind the boundary mark U+2581; ids 0 to 3 are <pad>, <unk>, <bos>, <eos>.
-- @module data.vocab
local lac = require "lac"
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"

local Vocab = class("Vocab")

local MARK = "\u{2581}"
local SPECIALS = {"<pad>", "<unk>", "<bos>", "<eos>"}
local UNK = "<unk>"

--- Ids of the special pieces, the same in every vocabulary.
Vocab.pad, Vocab.unk, Vocab.bos, Vocab.eos = 0, 1, 2, 3

-- The one place where a vocabulary takes shape. pieces[1] has id 0; scores are text or numbers.
function Vocab:init(pieces, scores)
  self.pieces, self.scores, self.ids = pieces, scores, {}
  for i, name in ipairs(SPECIALS) do
    if pieces[i] ~= name then
      blame(('vocab: line %d must be %s, got "%s"'):format(i, name, tostring(pieces[i])))
    end
  end
  for i, piece in ipairs(pieces) do
    if self.ids[piece] then
      blame(('vocab: line %d repeats "%s" of line %d'):format(i, piece, self.ids[piece] + 1))
    end
    self.ids[piece] = i - 1
  end
end

function Vocab:__tostring()
  return ("Vocab of %d pieces"):format(self:size())
end

--- Number of ids, the four specials included.
function Vocab:size()
  return #self.pieces
end

--- The piece of an id ("<bos>", "▁man"), or nil outside 0 .. size - 1.
function Vocab:piece(id)
  return self.pieces[id + 1]
end

--- The id of a piece, unk for one that is not there. "man" without its mark is not there; the special
-- pieces are, except <unk>, which is unk in any case.
function Vocab:id(piece)
  return self.ids[piece] or Vocab.unk
end

--- A caption's ids: bos, words, eos. A run of unknown words is one unk. Special names in the text are
-- unknown words. Case stays.
-- @tparam string text UTF-8
-- @tparam[opt] integer max_len keep this many ids at most; eos goes first
-- @treturn table array of integers
-- @raise text is not UTF-8
function Vocab:encode(text, max_len)
  local ids = {Vocab.bos}
  for word in lac.text.normalise(text):gmatch("[^ ]+") do
    local id = self:id(MARK .. word)
    if id ~= Vocab.unk or ids[#ids] ~= Vocab.unk then ids[#ids + 1] = id end
  end
  ids[#ids + 1] = Vocab.eos
  for i = #ids, (max_len or #ids) + 1, -1 do ids[i] = nil end
  return ids
end

--- The text of ids. pad, bos and eos are skipped wherever they stand (decoding does not stop at eos);
-- ids from size() on, which older models may produce, are unk.
-- @tparam table ids array of integers >= 0
-- @treturn string
function Vocab:decode(ids)
  local words = {}
  for _, id in ipairs(ids) do
    if math.type(id) ~= "integer" or id < 0 then
      blame(("vocab.decode: an id must be an integer >= 0, got %s"):format(tostring(id)))
    end
    if id ~= Vocab.pad and id ~= Vocab.bos and id ~= Vocab.eos then
      words[#words + 1] = self:piece(id) or UNK
    end
  end
  local text = table.concat(words):gsub(MARK, " "):gsub("^ ", "")
  return (text:gsub(UNK, " " .. UNK):gsub("^ ", ""))
end

--- The text of a word.vocab file: a line per id, piece TAB score.
-- @treturn string
function Vocab:text()
  local lines = {}
  for i, piece in ipairs(self.pieces) do
    local score = self.scores[i]
    lines[i] = ("%s\t%s\n"):format(piece, type(score) == "number" and ("%g"):format(score) or score)
  end
  return table.concat(lines)
end

local vocab = {pad = Vocab.pad, unk = Vocab.unk, bos = Vocab.bos, eos = Vocab.eos}

--- Read the text of a word.vocab file.
-- @tparam string text
-- @treturn Vocab
-- @raise on a line without a tab, a number, or with a piece twice
function vocab.parse(text)
  if type(text) ~= "string" then blame("vocab.parse: needs the text of a vocabulary, got a " .. type(text)) end
  local pieces, scores = {}, {}
  for line in text:gmatch("([^\n]*)\n?") do
    local piece, score = line:match("^(.-)\t([^\t\r]+)\r?$")
    if piece and tonumber(score) then
      pieces[#pieces + 1], scores[#scores + 1] = piece, score
    elseif line ~= "" then
      blame(('vocab: line %d is not "piece TAB score": "%s"'):format(#pieces + 1, line:sub(1, 60)))
    end
  end
  return Vocab(pieces, scores)
end

--- From words in the order of their ids, without specials and marks.
-- @tparam table words array of strings
-- @treturn Vocab scores are 0
function vocab.from_words(words)
  local pieces, scores = table.move(SPECIALS, 1, #SPECIALS, 1, {}), {0, 0, 0, 0}
  for _, word in ipairs(words) do
    if type(word) ~= "string" or word == "" or word:find("[%s]") then
      blame(('vocab.from_words: a word must be text without spaces, got "%s"'):format(tostring(word)))
    end
    pieces[#pieces + 1], scores[#scores + 1] = MARK .. word, 0
  end
  return Vocab(pieces, scores)
end

-- Building -------------------------------------------------------------------------------------------

local function count_words(captions)
  local counts, total = {}, 0
  for caption in captions do
    for word in lac.text.normalise(caption):gmatch("[^ ]+") do
      counts[word] = (counts[word] or 0) + 1
      total = total + 1
    end
  end
  return counts, total
end

-- By count, descending; ties in code-point order, which for UTF-8 is byte order.
local function by_count(counts)
  local keys = {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return keys
end

-- The characters that together make up `coverage` of the text, one boundary mark per word counted.
local function covered_characters(word_counts, total_words, coverage)
  local counts, total = {[MARK] = total_words}, total_words
  for word, count in pairs(word_counts) do
    for character in word:gmatch(utf8.charpattern) do
      counts[character] = (counts[character] or 0) + count
      total = total + count
    end
  end
  local covered, sum = {}, 0
  for _, character in ipairs(by_count(counts)) do
    if coverage < 1 and sum >= coverage * total then break end
    covered[character] = true
    sum = sum + counts[character]
  end
  return covered
end

local function is_covered(word, covered)
  for character in word:gmatch(utf8.charpattern) do
    if not covered[character] then return false end
  end
  return true
end

-- SentencePiece keeps its scores in single precision, which shows in the sixth digit of a file.
local function round_to_single(x)
  return (string.unpack("f", string.pack("f", x)))
end

local defaults = {
  captions = config.optional("function"), -- iterator: one caption, a string, per call
  size = 10001,                           -- ids at most, specials included
  coverage = 0.9995, -- share of all characters kept; words with any other go. Below 1 this drops every
                     -- word with a "q" and every digit from MS-COCO; 1 keeps all
}

--- Build a vocabulary as SentencePiece does: the most frequent words, score ln(count / all words).
-- @tparam table cfg see defaults; captions is required
-- @treturn Vocab
function vocab.build(cfg)
  cfg = config.merge(defaults, cfg, "vocab.build")
  if not cfg.captions then blame("vocab.build: captions, an iterator over strings, is missing") end
  if cfg.size < #SPECIALS then blame(("vocab.build: size must be >= 4, got %s"):format(cfg.size)) end
  if not (cfg.coverage > 0 and cfg.coverage <= 1) then
    blame(("vocab.build: coverage must be above 0 and at most 1, got %s"):format(cfg.coverage))
  end
  local counts, total = count_words(cfg.captions)
  local covered = covered_characters(counts, total, cfg.coverage)
  local log_total = round_to_single(math.log(total))
  local pieces, scores = table.move(SPECIALS, 1, #SPECIALS, 1, {}), {0, 0, 0, 0}
  for _, word in ipairs(by_count(counts)) do
    if #pieces >= cfg.size then break end
    if is_covered(word, covered) then
      pieces[#pieces + 1] = MARK .. word
      scores[#scores + 1] = round_to_single(round_to_single(math.log(counts[word])) - log_total)
    end
  end
  return Vocab(pieces, scores)
end

return vocab
