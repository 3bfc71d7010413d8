--- Read a SentencePiece model file: which tokenizer it is, its pieces and scores.
-- The format is the protobuf message ModelProto of sentencepiece_model.proto; what can be in one but is not known
-- here is refused, not passed over: pieces of other types and other ways to prepare text.
--
-- Its tables for the normal form nmt_nfkc stay behind: lac.text.normalise is that form.
-- @module data.sentencepiece

local KINDS = {"unigram", "bpe", "word", "char"} -- TrainerSpec.model_type
local VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

local function fail(text, ...)
  error("SentencePiece model: " .. text:format(...), 0)
end

local function varint(bytes, at)
  local value = 0
  for shift = 0, 63, 7 do
    local byte = bytes:byte(at)
    if not byte then break end
    value, at = value | (byte & 0x7f) << shift, at + 1
    if byte < 0x80 then return value, at end
  end
  fail "it is damaged or cut short"
end

-- A value of a wire type and where the next field is.
local function value_at(bytes, at, wire)
  if wire == VARINT then return varint(bytes, at) end
  local size
  if wire == BYTES then
    size, at = varint(bytes, at)
  else
    size = wire == FIXED32 and 4 or wire == FIXED64 and 8 or -1
  end
  if size < 0 or size > #bytes - at + 1 then fail "it is damaged or cut short" end
  local value = bytes:sub(at, at + size - 1)
  return wire == FIXED32 and string.unpack("<f", value) or value, at + size
end

-- The fields of a message, in turn: number, value.
local function fields(bytes)
  local at = 1
  return function()
    if at > #bytes then return nil end
    local tag, value
    tag, at = varint(bytes, at)
    value, at = value_at(bytes, at, tag & 7)
    return tag >> 3, value
  end
end

-- Fields of a message by name; `names` has number -> {name, type}.
local function read_message(bytes, names)
  local found = {}
  for number, value in fields(bytes) do
    local field = names[number]
    if field and math.type(value) ~= field[2] and type(value) ~= field[2] then fail "it is damaged or cut short" end
    if field then found[field[1]] = value end
  end
  return found
end

local PIECE = {{"text", "string"}, {"score", "float"}, {"type", "integer"}}
local TRAINER = {[3] = {"model_type", "integer"}, [24] = {"suffix", "integer"}, [35] = {"bytes", "integer"}}
local NORMALIZER = {{"name", "string"}, [3] = {"prefix", "integer"}, [4] = {"extra", "integer"},
                    [5] = {"escape", "integer"}}
local TYPES = {[4] = "user-defined", [5] = "unused", [6] = "byte"}

local function add_piece(found, bytes)
  local piece = read_message(bytes, PIECE)
  local id = #found.pieces
  local wanted = id == 1 and 2 or id < 4 and 3 or 1 -- unknown, control, normal
  if (piece.type or 1) ~= wanted then
    fail("piece %d (%s) is of the type %s; known are <pad>, <unk>, <bos>, <eos> as the first four, and after them "
      .. "plain ones", id + 1, tostring(piece.text), TYPES[piece.type] or tostring(piece.type or 1))
  end
  found.pieces[id + 1], found.scores[id + 1] = piece.text or "", piece.score or 0.0
end

local function check_text(trainer, normalizer)
  if trainer.suffix == 1 or trainer.bytes == 1 then
    fail("it puts spaces behind words or splits characters into bytes, which is not known here")
  end
  if normalizer.name and normalizer.name ~= "nmt_nfkc" then
    fail('its text is prepared by "%s"; only nmt_nfkc is known here', normalizer.name)
  end
  if normalizer.prefix == 0 or normalizer.extra == 0 or normalizer.escape == 0 then
    fail("it treats spaces in another way than is usual, which is not known here")
  end
end

local sentencepiece = {}

--- Whether bytes begin as such a file does: with the first piece.
function sentencepiece.is_model(bytes)
  return bytes:sub(1, 1) == "\n"
end

--- @tparam string bytes of the file
-- @treturn string kind: "word", "char", "bpe" or "unigram"
-- @treturn table pieces in the order of their ids
-- @treturn table scores
-- @raise one sentence
function sentencepiece.read(bytes)
  local found, trainer, normalizer = {pieces = {}, scores = {}}, "", ""
  for number, value in fields(bytes) do
    if number <= 3 and type(value) ~= "string" then fail "it is damaged or cut short" end
    if number == 1 then add_piece(found, value) end
    if number == 2 then trainer = value end
    if number == 3 then normalizer = value end
  end
  trainer, normalizer = read_message(trainer, TRAINER), read_message(normalizer, NORMALIZER)
  local kind = KINDS[trainer.model_type or 1]
  if not kind then fail("it is of an unknown type, %s", tostring(trainer.model_type)) end
  check_text(trainer, normalizer)
  return kind, found.pieces, found.scores
end

return sentencepiece
