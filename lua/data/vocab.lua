--- The word tokenizer: words <-> ids, as SentencePiece's model type "word" has them.
-- Kudo and Richardson 2018, "SentencePiece: A simple and language independent subword tokenizer".
-- A piece is a word behind the boundary mark U+2581, see data.pieces.
-- @module data.vocab
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local Pieces = require "data.pieces"
local tally = require "data.tally"

local Vocab = class("Vocab", Pieces)

Vocab.kind, Vocab.unit, Vocab.usual_length = "word", "words", 18

local MARK = tally.MARK

function Vocab:ids_of(text)
  local ids = {}
  for word in text:gmatch("[^ ]+") do ids[#ids + 1] = self:id(MARK .. word) end
  return ids
end

--- As of any pieces, with a space before <unk>, which has no mark.
-- @tparam table ids array of integers >= 0
-- @treturn string
function Vocab:decode(ids)
  return (Pieces.decode(self, ids):gsub("<unk>", " %0"):gsub("^ ", ""))
end

local vocab = {pad = Vocab.pad, unk = Vocab.unk, bos = Vocab.bos, eos = Vocab.eos}

--- From pieces and scores in the order of their ids.
function vocab.new(pieces, scores)
  return Vocab(pieces, scores)
end

--- Read the text of a word.vocab file.
-- @tparam string text
-- @tparam[opt=1] integer first number of its first line, for messages
-- @treturn Vocab
-- @raise on a line without a tab, a number, or with a piece twice
function vocab.parse(text, first)
  if type(text) ~= "string" then blame("vocab.parse: needs the text of a vocabulary, got a " .. type(text)) end
  local pieces, scores = Pieces.lines(text, first)
  return Vocab(pieces, scores, first or 1)
end

--- From words in the order of their ids, without specials and marks.
-- @tparam table words array of strings
-- @treturn Vocab scores are 0
function vocab.from_words(words)
  local pieces, scores = Pieces.start()
  for _, word in ipairs(words) do
    if type(word) ~= "string" or word == "" or word:find("[%s]") then
      blame(('vocab.from_words: a word must be text without spaces, got "%s"'):format(tostring(word)))
    end
    pieces[#pieces + 1], scores[#scores + 1] = MARK .. word, 0
  end
  return Vocab(pieces, scores)
end

-- Building -------------------------------------------------------------------------------------------

local function is_covered(word, covered)
  for character in word:gmatch(utf8.charpattern) do
    if not covered[character] then return false end
  end
  return true
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
  Pieces.check(cfg, "vocab.build")
  local counts, total = tally.words(cfg.captions)
  local covered = tally.characters(counts, cfg.coverage)
  local pieces, scores = Pieces.start()
  for _, word in ipairs(tally.by_count(counts)) do
    if #pieces >= cfg.size then break end
    if is_covered(word, covered) then
      pieces[#pieces + 1], scores[#scores + 1] = MARK .. word, tally.score(counts[word], total)
    end
  end
  return Vocab(pieces, scores)
end

return vocab
