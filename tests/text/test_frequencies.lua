local lac = require "lac"
local check = require "check"

local T = {}

local frequencies = lac.text.frequencies

function T.an_n_gram_counts_once_for_an_image()
  local counted = frequencies.count {{"a b a b", "a"}, {"b c"}}
  check.equal(counted:table(), {ref_len = 2, document_frequency = {
    a = 1, b = 2, c = 1, ["<eos>"] = 2, ["a b"] = 1, ["b a"] = 1, ["b <eos>"] = 1, ["a <eos>"] = 1, ["b c"] = 1,
    ["c <eos>"] = 1, ["a b a"] = 1, ["b a b"] = 1, ["a b <eos>"] = 1, ["b c <eos>"] = 1, ["a b a b"] = 1,
    ["b a b <eos>"] = 1}})
  check.equal({#counted, counted:ngrams()}, {2, 16})
end

function T.unknown_words_are_one()
  local counted = frequencies.count({{"a x y"}, {"x a"}}, {a = true}):table().document_frequency
  check.equal({counted.UNK, counted["UNK UNK"], counted["a UNK"], counted["UNK a"], counted.x}, {2, 1, 1, 1})
  check.equal(frequencies.count({{"a"}}, {}):table().document_frequency, {UNK = 1, ["<eos>"] = 1, ["UNK <eos>"] = 1})
end

function T.a_text_keeps_what_two_images_have()
  local text = frequencies.count({{"c b a"}, {"c b"}, {"b a", "c"}}):text()
  check.equal(text, "3\n3 <eos>\n2 a\n2 a <eos>\n3 b\n2 b a\n2 b a <eos>\n3 c\n2 c b\n")
  check.equal(frequencies.parse(text):text(), text)
  check.equal({#frequencies.parse(text), frequencies.parse(text):ngrams()}, {3, 8})
  check.equal(frequencies.count({{}}):text(), "1\n")
end

function T.a_text_weighs_as_what_it_was_made_of()
  local references = {{"a dog on a street", "the dog"}, {"a cat on a street"}, {"a cat and a dog"}}
  local counted = frequencies.count(references)
  local captions = {"a dog and a cat on a street", "the cat", "a dog"}
  local function score(given)
    local rewards <close> = lac.text.rewards(references, {cider = 1, frequencies = given})
    return rewards:score({1, 2, 3}, captions)
  end
  local want = score(counted)
  check.close(score(frequencies.parse(counted:text())), want, 1e-12)
  check.close(score(counted:table()), want, 1e-12)
  check.close(score(frequencies.of(counted:table())), want, 1e-12)
  for i = 1, 3 do check.yes(want[i] > 0.1, ("caption %d has a reward of %g"):format(i, want[i])) end
end

function T.damaged_texts_are_refused_by_their_line()
  local function fails(number, text)
    check.fails(("document frequencies: line %d is "):format(number), frequencies.parse, text)
  end
  fails(1, "")
  fails(1, "x")
  fails(1, "0\n")
  fails(1, "3 a\n")
  fails(1, "-1\n")
  fails(1, ("9"):rep(400) .. "\n")
  fails(2, "3\na\n")
  fails(2, "3\n2\n")
  fails(2, "3\n2 \n")
  fails(2, "3\n2  \n")
  fails(2, "3\n2\ta\n")
  fails(3, "3\n2 a\n2 a b c d e\n")
  fails(3, "3\n2 a\n\n2 b")
  check.equal(#frequencies.parse("3\n2 a"), 3)
end

function T.wrong_tables_are_refused()
  local function fails(text, ...) check.fails(text, frequencies.of, ...) end
  fails("are a table or lac.text.frequencies, not a number", 1)
  fails("ref_len must be a number, it is a nil", {})
  fails("the number of images must be at least 1, it is 0", {ref_len = 0})
  fails("the number of images must be at least 1, it is inf", {ref_len = math.huge})
  fails("document_frequency must be a table, it is a nil", {ref_len = 1})
  fails("holds a string for a string", {ref_len = 1, document_frequency = {a = "1"}})
  fails("holds a number for a number", {ref_len = 1, document_frequency = {1}})
  fails("an n%-gram cannot be in %-1 images", {ref_len = 1, document_frequency = {a = -1}})
  fails("an n%-gram cannot be in %-?nan images", {ref_len = 1, document_frequency = {a = 0 / 0}})
  fails('"a b c d e" has more than 4 words', {ref_len = 1, document_frequency = {["a b c d e"] = 1}})
  fails("there is an n%-gram without a word", {ref_len = 1, document_frequency = {[" "] = 1}})
  check.fails("the references of image 2 are a string, not a list", frequencies.count, {{}, "a"})
  check.fails("a reference of image 1 is a number, not a text", frequencies.count, {{1}})
  check.fails("a known word is a number, not a text", frequencies.count, {{"a"}}, {"a"})
end

function T.texts_may_hold_any_bytes()
  local counted = frequencies.count {{"a\0b \xff\xe2"}, {"\xff\xe2 a\0b"}, {"a\0b"}}
  check.equal(counted:text(), "3\n3 <eos>\n3 a\0b\n2 a\0b <eos>\n2 \xff\xe2\n")
  check.equal(frequencies.parse(counted:text()):text(), counted:text())
end

return T
