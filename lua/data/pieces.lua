--- What tokenizers have in common that look pieces of text up in a list: the word tokenizer, characters, subwords.
--
-- A piece that begins a word has the mark U+2581 in front; ids 0 to 3 are <pad>, <unk>, <bos>, <eos>. A subclass
-- splits text: `ids_of`, which gets it in its normal form. Every tokenizer, data.radix too, has
--
-- * kind, its name; unit, what its ids are called; specials, how many of them mean no text
-- * pad, bos, eos: ids; usual_length: ids at most of a caption, where nobody says
-- * size(), encode(text [, max_len]), kept(count, max_len), decode(ids), text(), describe(), is_empty()
-- @module data.pieces
local lac = require "lac"
local blame = require "core.blame"
local class = require "core.class"
local tally = require "data.tally"

local Pieces = class("Pieces")

local MARK = tally.MARK
local TOO_LARGE = 0x1.ffffffp+127 -- what is below is a finite number in single precision

--- The first pieces of every list.
Pieces.SPECIALS = {"<pad>", "<unk>", "<bos>", "<eos>"}

--- Ids of the special pieces, the same in every list.
Pieces.pad, Pieces.unk, Pieces.bos, Pieces.eos = 0, 1, 2, 3
Pieces.specials = #Pieces.SPECIALS

-- The line of text() before the pieces; none for words.
function Pieces.header()
  return ""
end

-- Whether a score, a number or a text, is a number that files and single precision can hold.
local function is_score(score)
  local value = tonumber(score)
  return value ~= nil and value > -TOO_LARGE and value < TOO_LARGE
end

--- The one place where a list takes shape; what it takes, text() writes and `lines` reads.
-- @tparam table pieces the first has id 0
-- @tparam table scores text or numbers
-- @tparam[opt] integer first number of the first piece's line, for messages; without it they count pieces
function Pieces:init(pieces, scores, first)
  self.pieces, self.scores, self.ids = pieces, scores, {}
  local function place(i)
    return first and ("line %d"):format(i + first - 1) or ("piece %d"):format(i)
  end
  for i, name in ipairs(Pieces.SPECIALS) do
    if pieces[i] ~= name then
      blame(('vocab: %s must be %s, got "%s"'):format(place(i), name, tostring(pieces[i])))
    end
  end
  for i, piece in ipairs(pieces) do
    if self.ids[piece] then
      blame(('vocab: %s repeats "%s" of %s'):format(place(i), piece, place(self.ids[piece] + 1)))
    end
    if piece == "" or piece:find("[%z\n]") or not utf8.len(piece) then
      blame(("vocab: %s %s no text of one line"):format(place(i), first and "has a piece that is" or "is"))
    end
    if not is_score(scores[i]) then
      blame(("vocab: %s has the score %s; scores are finite numbers of single precision"):format(place(i),
        tostring(scores[i])))
    end
    self.ids[piece] = i - 1
  end
end

function Pieces:__tostring()
  return ("%s of %d pieces"):format(getmetatable(self).__name, self:size())
end

--- Number of ids, the specials included.
function Pieces:size()
  return #self.pieces
end

--- Whether there are no pieces but the special ones.
function Pieces:is_empty()
  return #self.pieces == self.specials
end

--- For people: "10001 words".
function Pieces:describe()
  return ("%d %s"):format(self:size(), self.unit)
end

--- The piece of an id ("<bos>", "▁man"), or nil outside 0 .. size - 1.
function Pieces:piece(id)
  return self.pieces[id + 1]
end

--- The id of a piece, unk for one that is not there. "man" without its mark is not there; the special
-- pieces are, except <unk>, which is unk in any case.
function Pieces:id(piece)
  return self.ids[piece] or Pieces.unk
end

--- A caption's ids: bos, pieces, eos. A run of unknown ones is one unk. Special names in the text are
-- unknown words. Case stays.
-- @tparam string text UTF-8
-- @tparam[opt] integer max_len keep this many ids at most; eos goes first
-- @treturn table array of integers
-- @raise text is not UTF-8
function Pieces:encode(text, max_len)
  local ids, unk = {Pieces.bos}, Pieces.unk
  for _, id in ipairs(self:ids_of(lac.text.normalise(text))) do
    if id ~= unk or ids[#ids] ~= unk then ids[#ids + 1] = id end
  end
  ids[#ids + 1] = Pieces.eos
  for i = #ids, self:kept(#ids, max_len or #ids) + 1, -1 do ids[i] = nil end
  return ids
end

--- How many of a caption's `count` ids are left where `max_len` are allowed.
function Pieces.kept(_, count, max_len)
  return math.min(count, max_len)
end

--- An id as decoding takes it.
-- @raise for anything but an integer >= 0
function Pieces.check_id(id)
  if math.type(id) ~= "integer" or id < 0 then
    blame(("vocab.decode: an id must be an integer >= 0, got %s"):format(tostring(id)))
  end
  return id
end

--- The text of ids. pad, bos and eos are skipped wherever they stand (decoding does not stop at eos);
-- ids from size() on, which older models may produce, are unk.
-- @tparam table ids array of integers >= 0
-- @treturn string
function Pieces:decode(ids)
  local found = {}
  for _, id in ipairs(ids) do
    Pieces.check_id(id)
    if id ~= Pieces.pad and id ~= Pieces.bos and id ~= Pieces.eos then
      found[#found + 1] = self:piece(id) or self:piece(Pieces.unk)
    end
  end
  return (table.concat(found):gsub(MARK, " "):gsub("^ ", ""))
end

--- The text of a SentencePiece .vocab file, a line per id, piece TAB score; but for words under a line that names
-- the tokenizer.
-- @treturn string
function Pieces:text()
  local lines = {}
  for i, piece in ipairs(self.pieces) do
    local score = self.scores[i]
    lines[i] = ("%s\t%s\n"):format(piece, type(score) == "number" and ("%g"):format(score) or score)
  end
  return self:header() .. table.concat(lines)
end

--- The pieces and scores of lines as text() writes them, without the header.
-- @tparam string text
-- @tparam[opt=1] integer first number of the first line, for messages
-- @treturn table pieces
-- @treturn table scores as texts
-- @raise on a line without a tab or a number
function Pieces.lines(text, first)
  local pieces, scores = {}, {}
  for line in text:gmatch("([^\n]*)\n?") do
    local piece, score = line:match("^(.-)\t([^\t\r]+)\r?$")
    if is_score(score) then
      pieces[#pieces + 1], scores[#scores + 1] = piece, score
    elseif line ~= "" then
      blame(('vocab: line %d is not "piece TAB score": "%s"'):format(#pieces + (first or 1), line:sub(1, 60)))
    end
  end
  return pieces, scores
end

--- Lists with only the special pieces, to be filled.
-- @treturn table pieces
-- @treturn table scores, zeros
function Pieces.start()
  local pieces, scores = table.move(Pieces.SPECIALS, 1, Pieces.specials, 1, {}), {}
  for i = 1, Pieces.specials do scores[i] = 0 end
  return pieces, scores
end

--- What building any list needs.
-- @tparam table cfg captions, size, coverage
-- @tparam string name of the function, for messages
-- @raise at what is missing or out of its range
function Pieces.check(cfg, name)
  if not cfg.captions then blame(name .. ": captions, an iterator over strings, is missing") end
  if cfg.size < Pieces.specials then blame(("%s: size must be >= 4, got %s"):format(name, cfg.size)) end
  if not (cfg.coverage > 0 and cfg.coverage <= 1) then
    blame(("%s: coverage must be above 0 and at most 1, got %s"):format(name, cfg.coverage))
  end
end

return Pieces
