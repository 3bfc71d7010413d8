--- The character tokenizer, as SentencePiece's model type "char" has it: every character a piece, U+2581 the one
-- between words.
-- @module data.characters
local class = require "core.class"
local config = require "core.config"
local Pieces = require "data.pieces"
local tally = require "data.tally"

local Characters = class("Characters", Pieces)

Characters.kind, Characters.unit, Characters.usual_length = "char", "characters", 60

function Characters.header()
  return "char\n"
end

function Characters:ids_of(text)
  local ids = {}
  if text == "" then return ids end
  for character in (" " .. text):gsub(" ", tally.MARK):gmatch(utf8.charpattern) do
    ids[#ids + 1] = self:id(character)
  end
  return ids
end

local characters = {}

--- From pieces and scores in the order of their ids.
function characters.new(pieces, scores)
  return Characters(pieces, scores)
end

--- Read what text() wrote, without its first line.
-- @tparam string text
-- @treturn Characters
function characters.parse(text)
  local pieces, scores = Pieces.lines(text, 2)
  return Characters(pieces, scores, 2)
end

local defaults = {
  captions = config.optional("function"), -- iterator: one caption, a string, per call
  size = 10001,                           -- ids at most, specials included
  coverage = 0.9995,                      -- share of all characters kept; 1 keeps all
}

--- Build it as SentencePiece does: the most frequent characters, score ln(count / all that are covered).
-- @tparam table cfg see defaults; captions is required
-- @treturn Characters
function characters.build(cfg)
  cfg = config.merge(defaults, cfg, "characters.build")
  Pieces.check(cfg, "characters.build")
  local covered, total = tally.characters(tally.words(cfg.captions), cfg.coverage), 0
  for _, count in pairs(covered) do total = total + count end
  local pieces, scores = Pieces.start()
  for _, character in ipairs(tally.by_count(covered)) do
    if #pieces >= cfg.size then break end
    pieces[#pieces + 1], scores[#scores + 1] = character, tally.score(covered[character], total)
  end
  return Characters(pieces, scores)
end

return characters
