local lac = require "lac"
local check = require "check"
local tokenizer = require "data.tokenizer"
local vocab = require "data.vocab"

local T = {}

local TINY3 = "TINY3_UpDownLSTM__supermask__0.975__wg_120.0"

local function published()
  local zip <close> = lac.zip.open(check.shared("data/checkpoints/" .. TINY3 .. ".zip"))
  return vocab.parse(zip:read(TINY3 .. "/tokenizer/word.vocab"))
end

local function golden()
  local file <close> = assert(io.open(check.shared("golden/tokenizer_radix.json"), "rb"))
  return lac.json.decode(file:read("a")).cases
end

function T.published_words_are_the_published_digits()
  local words = published()
  for _, case in ipairs(golden()) do
    local t = tokenizer.digits(words, case.radix_base)
    check.equal({t:size(), t.digits, t.pad, t.bos, t.eos},
      {case.model_vocab_size, case.tokens_per_word, case.pad_id, case.bos_id, case.eos_id})
    check.equal(t:digits_of(vocab.unk), case.unk_digits)
    check.yes(#case.word_id_to_radix > 10)
    for _, sample in ipairs(case.word_id_to_radix) do check.equal(t:digits_of(sample.word_id), sample.radix) end
  end
end

function T.published_texts_become_the_published_digits_and_back()
  local words = published()
  for _, case in ipairs(golden()) do
    local t = tokenizer.digits(words, case.radix_base)
    check.yes(#case.encode > 10 and #case.decode > 7)
    for _, sample in ipairs(case.encode) do
      local ids = t:encode(sample.text, sample.max_seq_length)
      check.equal(ids, sample.ids)
      check.equal(#ids, t:kept(#t:encode(sample.text), sample.max_seq_length))
    end
    for _, sample in ipairs(case.decode) do check.equal(t:decode(sample.ids), sample.text) end
  end
end

-- Ten words are the numbers 0 to 9, unk is 10: three digits to base 3.
local small = tokenizer.digits(vocab.from_words {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, 3)

function T.digits_are_as_many_as_the_count_of_numbers_has()
  check.equal({small.digits, small:size(), small.bos, small.eos, small.usual_length}, {3, 6, 4, 5, 38})
  check.equal(small:encode "a j x", {4, 1, 1, 1, 2, 1, 1, 2, 1, 2, 5})
  check.equal(small:describe(), "6 digits for 14 words")
  local words = vocab.from_words {"a", "b", "c"} -- 4 numbers with unk
  for base, digits in pairs {[2] = 3, [3] = 2, [4] = 2, [5] = 1} do
    check.equal(tokenizer.digits(words, base).digits, digits)
  end
  check.equal(tokenizer.digits(words).base, 768)
end

function T.special_ids_within_a_word_are_numbers()
  check.equal(small:decode {0, 1, 2}, "b")       -- pad is the digit 0
  check.equal(small:decode {1, 1, 4}, "d")       -- bos is the digit 3
  check.equal(small:decode {1, 4, 4}, "<unk>")   -- 12: no word
  check.equal(small:decode {1, 1, 5, 1, 1}, "a") -- eos ends it, what is missing is 0
  check.equal(small:decode {5, 1, 1, 1}, "")
  check.equal(small:decode {1, 1, 6}, "<unk>")   -- no digit at all
end

function T.a_base_that_is_none_is_refused()
  local words = vocab.from_words {"a"}
  for _, base in ipairs {1, 0, -3, 2.5, 1 << 25} do
    check.fails("the base must be a whole number from 2 to 16777216", tokenizer.digits, words, base)
  end
end

return T
