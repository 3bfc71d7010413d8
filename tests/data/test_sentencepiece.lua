local lac = require "lac"
local check = require "check"
local files = require "files"
local sentencepiece = require "data.sentencepiece"
local tokenizer = require "data.tokenizer"

local T = {}

local TINY3 = "TINY3_UpDownLSTM__supermask__0.975__wg_120.0"

local function published(ending)
  local zip <close> = lac.zip.open(check.shared("data/checkpoints/" .. TINY3 .. ".zip"))
  return zip:read(TINY3 .. "/tokenizer/word." .. ending)
end

function T.published_model_files_hold_the_same_as_their_vocabularies()
  local small = check.shared "golden/scst_tokenizer/word.model":gsub("%.model$", "")
  for _, pair in ipairs {{published "model", published "vocab"},
                         {files.read(small .. ".model"), files.read(small .. ".vocab")}} do
    local t = tokenizer.read(pair[1])
    check.equal(t.kind, "word")
    check.yes(t:text() == pair[2])
    check.yes(tokenizer.read(pair[2]):text() == pair[2])
  end
end

-- A model file by hand. Fields are numbers and their values: integers, floats or bytes.
local function message(fields)
  local out = {}
  for _, field in ipairs(fields) do
    local number, value = field[1], field[2]
    if math.type(value) == "integer" then
      out[#out + 1] = number < 16 and string.char(number << 3, value)
        or string.char(number << 3 & 0x7f | 0x80, number >> 4, value)
    elseif math.type(value) == "float" then
      out[#out + 1] = string.pack("<Bf", number << 3 | 5, value)
    else
      out[#out + 1] = string.pack("<Bs1", number << 3 | 2, value)
    end
  end
  return table.concat(out)
end

local function model(cfg)
  local fields = {}
  for i, text in ipairs {"<pad>", "<unk>", "<bos>", "<eos>", "\u{2581}a", cfg.last or "b"} do
    local score, kind = i == 6 and cfg.score or -i / 2, cfg.types and cfg.types[i] or ({3, 2, 3, 3})[i] or 1
    fields[i] = {1, message {{1, text}, {2, score}, {3, kind}}}
  end
  fields[#fields + 1] = {2, message(cfg.trainer or {{3, 2}})}
  fields[#fields + 1] = {3, message(cfg.normalizer or {{1, "nmt_nfkc"}, {2, "tables"}})}
  return message(fields)
end

function T.every_type_is_read_with_its_pieces_and_scores()
  for number, kind in ipairs {"unigram", "bpe", "word", "char"} do
    local got, pieces, scores = sentencepiece.read(model {trainer = {{3, number}}})
    check.equal({got, pieces, scores}, {kind, {"<pad>", "<unk>", "<bos>", "<eos>", "\u{2581}a", "b"},
      {-0.5, -1.0, -1.5, -2.0, -2.5, -3.0}})
  end
  check.equal((sentencepiece.read(model {trainer = {}})), "unigram") -- its default
  check.equal(tokenizer.read(model {}):text(),
    "bpe\n<pad>\t-0.5\n<unk>\t-1\n<bos>\t-1.5\n<eos>\t-2\n\u{2581}a\t-2.5\nb\t-3\n")
end

function T.what_is_not_known_is_refused()
  local function refused(cfg, pattern) check.fails(pattern, tokenizer.read, model(cfg)) end
  refused({trainer = {{3, 9}}}, "it is of an unknown type, 9")
  refused({trainer = {{3, 2}, {24, 1}}}, "it puts spaces behind words")
  refused({trainer = {{3, 2}, {35, 1}}}, "splits characters into bytes")
  refused({normalizer = {{1, "nmt_nfkc_cf"}}}, 'its text is prepared by "nmt_nfkc_cf"; only nmt_nfkc is known')
  refused({normalizer = {{1, "nmt_nfkc"}, {3, 0}}}, "it treats spaces in another way")
  refused({types = {3, 2, 3, 3, 1, 4}}, "piece 6 %(b%) is of the type user%-defined")
  refused({types = {3, 2, 3, 3, 6, 1}}, "piece 5 .* is of the type byte")
  refused({types = {2, 3, 3, 3}}, "piece 1 %(<pad>%) is of the type 2")
end

function T.what_is_read_can_be_written_and_read_again()
  for number = 1, 4 do
    local trainer = {{3, number}}
    for _, score in ipairs {0x1.fffffep+127, -0x1.fffffep+127, 0x1p-149, -0.0} do
      local t = tokenizer.read(model {trainer = trainer, score = score, last = "b\tc\r"})
      check.equal(tokenizer.parse(t:text()):text(), t:text())
    end
    local function refused(cfg, pattern)
      cfg.trainer = trainer
      check.fails(pattern, tokenizer.read, model(cfg))
    end
    refused({score = 0 / 0}, "vocab: piece 6 has the score %-?nan; scores are finite numbers of single precision")
    refused({score = math.huge}, "vocab: piece 6 has the score inf")
    refused({score = -math.huge}, "vocab: piece 6 has the score %-inf")
    refused({last = "b\nc"}, "vocab: piece 6 is no text of one line")
    refused({last = "\u{2581}a"}, 'vocab: piece 6 repeats "\u{2581}a" of piece 5')
  end
end

function T.a_damaged_file_never_gets_past_a_sentence()
  local whole = model {}
  for cut = 1, #whole - 1 do
    local good, message_ = pcall(tokenizer.read, whole:sub(1, cut))
    check.yes(good or tostring(message_):find("SentencePiece model: ", 1, true) or
      tostring(message_):find("vocab: piece", 1, true), message_)
  end
  for at = 1, #whole do
    local byte = string.char((whole:byte(at) + 1 + at * 7 % 250) % 256)
    local good, message_ = pcall(tokenizer.read, whole:sub(1, at - 1) .. byte .. whole:sub(at + 1))
    check.yes(good or not tostring(message_):find("attempt to"), message_)
  end
  check.fails("damaged or cut short", sentencepiece.read, "\n" .. ("\xff"):rep(20))
  check.fails("damaged or cut short", sentencepiece.read, "\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
end

return T
