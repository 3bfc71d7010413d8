--- Subword tokenizers, "bpe" and "unigram": frequent words are whole, others are put together of pieces.
-- Sennrich et al. 2016, "Neural machine translation of rare words with subword units"; Kudo 2018, "Subword
-- regularization".
--
-- SentencePiece trains them and splits text (lac.text.subwords); ids become text here, so that a build without that
-- library still speaks.
-- @module data.subwords
local lac = require "lac"
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local Pieces = require "data.pieces"
local tally = require "data.tally"

local Subwords = class("Subwords", Pieces)

Subwords.unit, Subwords.usual_length = "pieces", 26

-- Scores are in single precision, which nine digits keep.
function Subwords:init(pieces, scores, first)
  for i, score in ipairs(scores) do
    if type(score) == "number" then scores[i] = ("%.9g"):format(score) end
  end
  Pieces.init(self, pieces, scores, first)
end

function Subwords:header()
  return self.kind .. "\n"
end

--- For people: "10001 bpe pieces".
function Subwords:describe()
  return ("%d %s pieces"):format(self:size(), self.kind)
end

function Subwords:ids_of(text)
  if not self.splitter then -- made when it is first needed: decoding is without
    local scores = {}
    for i, score in ipairs(self.scores) do scores[i] = tonumber(score) end
    self.splitter = lac.text.subwords(self.kind, self.pieces, scores)
  end
  return self.splitter:encode(text)
end

local defaults = {
  captions = config.optional("function"), -- iterator: one caption, a string, per call
  size = 10001,                           -- ids at most, specials included
  coverage = 0.9995,                      -- share of all characters that get a piece; 1 keeps all
}

-- Every character that is covered is a piece.
local function check_room(counts, cfg, name)
  local least = Pieces.specials
  for _ in pairs(tally.characters(counts, cfg.coverage)) do least = least + 1 end
  if cfg.size >= least then return end
  error(("%s: a vocabulary of %d has no room for all characters of the captions; it takes at least %d, or a smaller "
    .. "coverage"):format(name, cfg.size, least), 0)
end

local LEAST = 0.98 -- coverage that SentencePiece takes

local function build(Kind, name, cfg)
  cfg = config.merge(defaults, cfg, name)
  Pieces.check(cfg, name)
  if cfg.coverage < LEAST then blame(("%s: coverage must be at least %s, got %s"):format(name, LEAST, cfg.coverage)) end
  local texts, next_caption = {}, cfg.captions
  local counts, total = tally.words(function()
    local text = next_caption()
    if not text then return nil end
    text = lac.text.normalise(text)
    if text ~= "" then texts[#texts + 1] = text end
    return text
  end)
  if total == 0 then return Kind(Pieces.start()) end
  check_room(counts, cfg, name)
  return Kind(lac.text.train_subwords(Kind.kind, math.tointeger(cfg.size), cfg.coverage, texts))
end

-- The module of one kind, as data.vocab is that of words.
local function kind_of(name)
  local Kind = class("Subwords", Subwords)
  Kind.kind = name
  return {
    new = function(pieces, scores) return Kind(pieces, scores) end,
    parse = function(text)
      local pieces, scores = Pieces.lines(text, 2)
      return Kind(pieces, scores, 2)
    end,
    build = function(cfg) return build(Kind, name, cfg) end,
  }
end

--- Both have new(pieces, scores), parse(text without its first line) and build(cfg: captions, size, coverage).
return {bpe = kind_of "bpe", unigram = kind_of "unigram"}
