local lac = require "lac"
local check = require "check"

local T = {}

local function corpus(hypothesis, ...)
  return lac.text.corpus({hypothesis}, {{...}})
end

function T.captions_are_found_by_image_and_reference()
  local captions <close> = lac.text.corpus({"a b c", "d"}, {{"a b", "c"}, {"d e f g"}})
  check.equal(#captions, 2)
  check.equal({captions:references(1), captions:references(2)}, {2, 1})
  check.equal({captions:words(1, 0), captions:words(1, 1), captions:words(1, 2), captions:words(2, 1)}, {3, 2, 1, 4})
end

-- A plain second opinion: n-grams as texts.
local function correct(hypothesis, references, n)
  local function grams(text)
    local words, counts = {}, {}
    for word in text:gmatch("%S+") do words[#words + 1] = word end
    for i = 1, #words - n + 1 do
      local gram = table.concat(words, " ", i, i + n - 1)
      counts[gram] = (counts[gram] or 0) + 1
    end
    return counts
  end
  local total = 0
  for gram, count in pairs(grams(hypothesis)) do
    local most = 0
    for _, reference in ipairs(references) do most = math.max(most, grams(reference)[gram] or 0) end
    total = total + math.min(count, most)
  end
  return total
end

local function random_text(rng)
  local words = {}
  for i = 1, rng:below(12) do words[i] = ("abcd"):sub(1 + rng:below(4)):sub(1, 1) end
  return table.concat(words, " ")
end

function T.correct_n_grams_are_those_of_plain_counting()
  local rng = lac.rng(3)
  local hypotheses, references = {}, {}
  for i = 1, 200 do
    hypotheses[i], references[i] = random_text(rng), {}
    for j = 1, 1 + rng:below(3) do references[i][j] = random_text(rng) end
  end
  local captions <close> = lac.text.corpus(hypotheses, references)
  for i = 1, 200 do
    local want = {}
    for n = 1, 4 do want[n] = correct(hypotheses[i], references[i], n) end
    check.equal({captions:correct(i)}, want)
  end
end

local function common(a, b)
  if #a == 0 or #b == 0 then return 0 end
  if a:sub(-1) == b:sub(-1) then return 1 + common(a:sub(1, -2), b:sub(1, -2)) end
  return math.max(common(a:sub(1, -2), b), common(a, b:sub(1, -2)))
end

function T.the_longest_common_subsequence_is_that_of_its_definition()
  local rng = lac.rng(4)
  for _ = 1, 100 do
    local a, b = random_text(rng):sub(1, 13), random_text(rng):sub(1, 13)
    if a ~= "" and b ~= "" then
      local captions <close> = corpus(a, b)
      check.equal((captions:common(1, 1)), common(a:gsub(" ", ""), b:gsub(" ", "")))
    end
  end
end

function T.words_are_split_at_any_white_space_and_pieces_at_single_spaces()
  local captions <close> = corpus(" a\u{a0}b\u{3000}\tc\u{2003}\u{e9} ", "", "a  b")
  check.equal({captions:words(1, 0), captions:words(1, 1), captions:words(1, 2)}, {4, 0, 2})
  check.equal({select(2, captions:common(1, 1))}, {3, 1})
  check.equal({select(2, captions:common(1, 2))}, {3, 3})
end

function T.texts_may_hold_any_bytes()
  local captions <close> = corpus("a\0b \xff\xe2", "a\0c \xff\xe2 \xe2\x80")
  check.equal({captions:correct(1)}, {1, 0, 0, 0})
  check.equal(captions:words(1, 1), 3)
end

function T.wrong_arguments_are_refused()
  check.fails("2 hypotheses, but references of 1 images", lac.text.corpus, {"a", "b"}, {{"a"}})
  check.fails("there is no caption", lac.text.corpus, {}, {})
  check.fails("image 1 has no reference", lac.text.corpus, {"a"}, {{}})
  check.fails("the references of image 1 are a string, not a list", lac.text.corpus, {"a"}, {"a"})
  check.fails("a hypothesis of image 1 is a number, not a text", lac.text.corpus, {1}, {{"a"}})
  check.fails("a reference of image 1 is a table, not a text", lac.text.corpus, {"a"}, {{{}}})
  local captions <close> = corpus("a", "b")
  check.fails("there is no such image", captions.correct, captions, 2)
  check.fails("there is no such reference", captions.common, captions, 1, 2)
  check.fails("must be weighed before", captions.similarity, captions, 1, 1)
  check.fails("ref_len must be a number", captions.weigh, captions, {})
  check.fails("document_frequency must be a table", captions.weigh, captions, {ref_len = 1})
  captions:close()
  check.fails("closed corpus", captions.correct, captions, 1)
end

return T
