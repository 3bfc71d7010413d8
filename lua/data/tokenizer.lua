--- Tokenizers by name: captions <-> ids. What every one of them can do is in data.pieces.
--
--     local words = tokenizer.build {kind = "radix", captions = captions, base = 768}
--     local ids = words:encode("a man on a horse", 26)
--     local again = tokenizer.parse(words:text())
-- @module data.tokenizer
local blame = require "core.blame"
local characters = require "data.characters"
local config = require "core.config"
local radix = require "data.radix"
local sentencepiece = require "data.sentencepiece"
local subwords = require "data.subwords"
local suggest = require "core.suggest"
local vocab = require "data.vocab"

local KINDS = {word = vocab, radix = radix, char = characters, bpe = subwords.bpe, unigram = subwords.unigram}

local tokenizer = {NAMES = {"word", "radix", "char", "bpe", "unigram"}, BASE = radix.BASE,
                   LARGEST_BASE = radix.LARGEST}

local defaults = {
  kind = "word",                          -- one of NAMES
  captions = config.optional("function"), -- iterator: one caption, a string, per call
  size = config.optional("number"),       -- words or pieces at most, the four specials included (10001)
  coverage = config.optional("number"),   -- share of all characters kept (0.9995)
  base = config.optional("number"),       -- of radix digits (768)
}

local function known(kind)
  if KINDS[kind] then return KINDS[kind] end
  blame(('there is no tokenizer "%s"%s; there are %s'):format(tostring(kind),
    suggest.hint(tostring(kind), tokenizer.NAMES), table.concat(tokenizer.NAMES, ", ")))
end

--- Build a tokenizer on captions.
-- @tparam table cfg see defaults; captions is required
-- @treturn table
function tokenizer.build(cfg)
  cfg = config.merge(defaults, cfg, "tokenizer.build")
  local kind, own = known(cfg.kind), {captions = cfg.captions, size = cfg.size, coverage = cfg.coverage}
  if cfg.base and cfg.kind ~= "radix" then
    blame(("tokenizer.build: base goes with radix, not with %s"):format(cfg.kind))
  end
  if cfg.kind == "radix" then own.base = cfg.base end
  return kind.build(own)
end

--- Read what a tokenizer's text() wrote, or a word.vocab file.
-- @tparam string text
-- @treturn table
-- @raise one sentence
function tokenizer.parse(text)
  if type(text) ~= "string" then blame("tokenizer.parse: needs a text, got a " .. type(text)) end
  local line, rest = text:match("^([^\n\t]*)\n(.*)$")
  if not line then return vocab.parse(text) end
  local name, base = line:match("^(%l+) ?(%d*)\r?$")
  if not KINDS[name] or name == "word" or (base ~= "") ~= (name == "radix") then
    blame(('vocab: line 1 names no tokenizer: "%s"; it is "radix" and a base, char, bpe, unigram or, for words, the '
      .. "first piece"):format(line:sub(1, 60)))
  end
  return KINDS[name].parse(rest, math.tointeger(tonumber(base)))
end

--- Read a tokenizer of the published program: a .vocab file, a SentencePiece .model file, or what text() wrote.
-- @tparam string bytes
-- @treturn table
-- @raise one sentence
function tokenizer.read(bytes)
  if not sentencepiece.is_model(bytes) then return tokenizer.parse(bytes) end
  local kind, pieces, scores = sentencepiece.read(bytes)
  return KINDS[kind].new(pieces, scores)
end

--- A word tokenizer's words as digits.
-- @function tokenizer.digits
-- @tparam Vocab words
-- @tparam[opt=768] integer base
tokenizer.digits = radix.new

return tokenizer
