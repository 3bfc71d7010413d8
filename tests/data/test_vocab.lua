local check = require "check"
local lac = require "lac"
local vocab = require "data.vocab"

local T = {}

local TINY3 = "TINY3_UpDownLSTM__supermask__0.975__wg_120.0"

local function published()
  local zip <close> = lac.zip.open(check.shared("data/checkpoints/" .. TINY3 .. ".zip"))
  local text = zip:read(TINY3 .. "/tokenizer/word.vocab")
  return vocab.parse(text), text
end

local function golden()
  local file <close> = assert(io.open(check.shared("golden/tokenizer_word.json"), "rb"))
  return lac.json.decode(file:read("a"))
end

function T.published_texts_encode_to_the_published_ids()
  local v, samples = published(), golden().encode
  check.yes(#samples > 30)
  for _, sample in ipairs(samples) do
    check.equal(v:encode(sample.text, 16), sample.ids)
    local ids = v:encode(sample.text)
    check.equal(ids, sample.ids_untruncated)
    check.equal(table.move(ids, 2, #ids - 1, 1, {}), sample.ids_no_bos_eos)
  end
end

function T.published_ids_decode_to_the_published_texts()
  local v, samples = published(), golden().decode
  check.yes(#samples > 10)
  for _, sample in ipairs(samples) do check.equal(v:decode(sample.ids), sample.text) end
end

function T.published_pieces_and_ids_are_found()
  local v, g = published(), golden()
  check.equal(v:size(), g.vocab_size)
  check.equal({v.pad, v.unk, v.bos, v.eos},
    {g.special_ids.pad, g.special_ids.unk, g.special_ids.bos, g.special_ids.eos})
  for _, sample in ipairs(g.id_to_token) do check.equal(v:piece(sample.id), sample.token) end
  for _, sample in ipairs(g.token_to_id) do check.equal(v:id(sample.token), sample.id) end
  for _, sample in ipairs(g.encode_tokenized) do
    local ids = {v.bos}
    for _, word in ipairs(sample.words) do ids[#ids + 1] = v:id(word) end
    ids[#ids + 1] = v.eos
    check.equal(ids, sample.ids)
  end
end

function T.a_published_vocabulary_is_written_as_it_was_read()
  local v, text = published()
  check.yes(v:text() == text)
end

local small = vocab.from_words{"a", "man", "hat"}

function T.a_run_of_unknown_words_is_one_unk()
  check.equal(small:encode("a x y man z"), {2, 4, 1, 5, 1, 3})
  check.equal(small:encode("A <unk> <eos> hat."), {2, 1, 3})
end

function T.text_without_words_is_bos_and_eos()
  check.equal(small:encode(""), {2, 3})
  check.equal(small:encode(" \t\u{200b}\n"), {2, 3})
end

function T.a_caption_that_is_too_long_loses_its_eos()
  check.equal(small:encode("a man", 4), {2, 4, 5, 3})
  check.equal(small:encode("a man", 3), {2, 4, 5})
end

function T.decoding_goes_on_after_eos_and_knows_old_rows()
  check.equal(small:decode{2, 4, 3, 5, 0, 7}, "a man <unk>")
  check.equal(small:decode{1, 4}, "<unk> a")
  check.equal(small:decode{}, "")
  check.fails("an id must be an integer >= 0, got %-1", small.decode, small, {-1})
end

function T.broken_utf8_is_named_by_its_byte()
  check.fails("text.normalise: not UTF%-8: byte 3 of 4 is 0xFF", small.encode, small, "a \xffb")
end

function T.a_damaged_file_is_refused_by_line()
  local head = "<pad>\t0\n<unk>\t0\n<bos>\t0\n<eos>\t0\n"
  check.equal(vocab.parse(head .. "\u{2581}a\t-1\r\n"):size(), 5)
  check.fails("line 5 is not", vocab.parse, head .. "a\n")
  check.fails("line 5 is not", vocab.parse, head .. "a\tx\n")
  check.fails('line 6 repeats "a" of line 5', vocab.parse, head .. "a\t0\na\t0\n")
  check.fails("line 1 must be <pad>, got \"nil\"", vocab.parse, "")
  check.fails("needs the text of a vocabulary, got a nil", vocab.parse)
end

-- Counts: a 4, dog 3, cat 3, quilt 1.
local function captions()
  local lines = {"a dog a cat", "a  dog\tcat", "a cat dog quilt"}
  local i = 0
  return function()
    i = i + 1
    return lines[i]
  end
end

local function words(v)
  return (v:text():gsub("\t[^\n]*\n", " "):gsub("^<pad> <unk> <bos> <eos> ", ""):gsub("\u{2581}", ""))
end

function T.building_orders_by_count_then_by_letters()
  local v = vocab.build{captions = captions(), coverage = 1}
  check.equal(words(v), "a cat dog quilt ")
  check.close(tonumber(v:text():match("\u{2581}cat\t([^\n]*)")), math.log(3 / 11), 1e-5)
end

function T.building_stops_at_the_size_wanted()
  check.equal(words(vocab.build{captions = captions(), size = 6}), "a cat ")
  check.fails("size must be >= 4", vocab.build, {captions = captions(), size = 3})
end

-- 38 characters with a boundary mark for each of the 11 words. Descending: mark 11, a 7, t 4, then c, d, g,
-- o 3 each, then i, l, q, u 1 each. Before i the share is 34/38 = 0.8947, before l 35/38 = 0.921.
function T.characters_beyond_the_coverage_take_their_words_with_them()
  check.equal(words(vocab.build{captions = captions(), coverage = 0.89}), "a cat dog ")
  check.equal(words(vocab.build{captions = captions(), coverage = 0.98}), "a cat dog quilt ")
  check.equal(words(vocab.build{captions = captions(), coverage = 0.7}), "a cat ")
end

function T.building_refuses_what_it_does_not_know()
  check.fails('unknown key "captoins"; did you mean "captions"', vocab.build, {captoins = captions()})
  check.fails("captions, an iterator over strings, is missing", vocab.build, {})
  check.fails("coverage must be above 0", vocab.build, {captions = captions(), coverage = 0})
end

return T
