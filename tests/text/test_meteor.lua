local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local EMPTY = {"index.noun", "index.verb", "index.adj", "index.adv", "noun.exc", "verb.exc", "adj.exc", "adv.exc"}

-- A folder of WordNet's files, empty but for those that are given.
local function write_wordnet(folder, contents)
  for _, name in ipairs(EMPTY) do files.write(folder .. "/" .. name, contents[name] or "") end
  return folder
end

-- A scorer that knows no synonyms and no paraphrases.
local function plain()
  local meteor, message = lac.meteor {wordnet = false, paraphrases = false}
  if not meteor then check.skip(message) end
  return meteor
end

-- A scorer with a table of the lines that are given.
local function with_table(folder, ...)
  plain():close()
  return lac.meteor {wordnet = false, paraphrases = files.write(folder .. "/table", table.concat({...}, "\n") .. "\n")}
end

-- Alignments as texts: "exact 1-1:2-2" is word 1 of the reference and word 2 of the hypothesis.
local function align(meteor, hypothesis, reference)
  local pairs_of, chunks = meteor:align(hypothesis, reference)
  local texts = {}
  for i, p in ipairs(pairs_of) do
    texts[i] = ("%s %d-%d:%d-%d"):format(p.stage, p.reference[1], p.reference[2], p.hypothesis[1], p.hypothesis[2])
  end
  return table.concat(texts, ", "), chunks
end

-- ---- words ----

-- What the published program's Normalizer prints, in lower case.
function T.texts_are_split_into_words_as_the_published_program_does()
  local cases = {
    {"a man 's hat", "a man ' s hat"}, {"a man's hat", "a man 's hat"}, {"isn't", "isn 't"},
    {"cars' 5's", "cars ' 5 's"}, {"o'clock 5'x", "o 'clock 5'x"},
    {"half-eaten a-b-c-d", "half eaten a b-c d"}, {"-rrb- a- -b", "-rrb- a- -b"},
    {"a -- b a--b a – b", "a - b a b a - b"}, {"---", "--"}, {".-a a.-b", ". a a. b"},
    {"u.s. e.g. 3.5", "us eg 3.5"}, {"cut. the", "cut. the"}, {"cut. 5", "cut . 5"}, {"the end.", "the end ."},
    {"v. 5 vs. rev. pp. 5 pp.", "v. 5 vs. rev. pp. 5 pp ."}, {"a .. b... c", "a .. b ... c"}, {"....", "...."},
    {"3,000 a,b 3,b ,", "3,000 a , b 3 , b ,"}, {"“x” ''y'' `z`", '" x " " y " \' z \''}, {"'''a", '" \' a'},
    {"<unk> w/o 10%", "< unk > w / o 10 %"}, {"3\u{A0}1/2", "3 1 / 2"}, {"café × Ünder", "café × ünder"}, {"", ""},
    {"A Man", "a man"}, {" \t\n", ""},
  }
  for _, case in ipairs(cases) do check.equal(lac.text.meteor_words(case[1]), case[2]) end
  check.fails("not UTF%-8: byte 3 of 3 is 0xFF", lac.text.meteor_words, "ab\xFF")
end

-- ---- matching ----

function T.words_match_exactly_or_by_their_stem()
  local meteor <close> = plain()
  check.equal({align(meteor, "two cats running", "a cat runs")}, {"stem 2-2:2-2, stem 3-3:3-3", 1})
  check.equal({align(meteor, "a cat", "the dog")}, {"", 0})
end

function T.words_match_by_synonyms_of_their_own_and_of_their_base_forms()
  files.with_folder(function(folder)
    plain():close()
    write_wordnet(folder, {
      ["index.noun"] = "  1 the licence\nsofa n 1 1 @ 1 0 00000011  \ncouch n 2 2 @ ~ 2 0 00000099 00000011  \n"
        .. "mouse n 1 0 1 0 00000021\nrodent n 1 0 1 0 00000021\nfly n 1 0 1 0 00000031\nbug n 1 0 1 0 00000031\n",
      ["index.verb"] = "say v 1 0 1 0 00000041\nutter v 1 0 1 0 00000041\n",
      ["noun.exc"] = "mice mouse\n", ["verb.exc"] = "said utter say\n"})
    local meteor <close> = lac.meteor {wordnet = folder, paraphrases = false}
    local function stage(a, b) return (align(meteor, a, b)) end
    check.equal(stage("sofa", "couch"), "synonym 1-1:1-1")
    check.equal(stage("couches", "sofa"), "synonym 1-1:1-1") -- detached "es" gives "couche" first, which is no word
    check.equal(stage("mice", "rodents"), "synonym 1-1:1-1")
    check.equal(stage("flies", "bug"), "synonym 1-1:1-1")
    check.equal(stage("said", "uttering"), "synonym 1-1:1-1")
    check.equal(stage("sofa", "bug"), "")
    check.equal(stage("sofa", "sofa"), "exact 1-1:1-1")
  end)
end

-- The published program tells sets apart by their place in the file alone, so that a verb's may be a noun's; in
-- Debian's index.verb those from 613036 on have moved by 18.
function T.sets_have_the_numbers_of_the_original_files()
  plain():close()
  files.with_folder(function(folder)
    local function stage(verbs)
      local nouns = "cat n 1 0 1 0 00700000\ndog n 1 0 1 0 00600000\n"
      write_wordnet(folder, {["index.verb"] = verbs, ["index.noun"] = nouns})
      local meteor <close> = lac.meteor {wordnet = folder, paraphrases = false}
      return (align(meteor, "run jump", "cat dog"))
    end
    check.equal(stage "jump v 1 0 1 0 00600000\nrun v 1 0 1 0 00700000\n", "synonym 1-1:1-1, synonym 2-2:2-2")
    check.equal(stage "jump v 1 0 1 0 00600000\nrun v 1 0 1 0 00700018\n", "synonym 2-2:2-2")
    check.equal(stage "go v 1 0 1 0 00613036\njump v 1 0 1 0 00600000\nrun v 1 0 1 0 00700018\n",
      "synonym 1-1:1-1, synonym 2-2:2-2")
  end)
end

function T.phrases_match_their_paraphrases_in_both_directions()
  files.with_folder(function(folder)
    local meteor <close> = with_table(folder, "0.5", "in front of", "before")
    check.equal({align(meteor, "a man in front of it", "a dog before it")},
      {"exact 1-1:1-1, paraphrase 3-3:3-5, exact 4-4:6-6", 2})
    check.equal({align(meteor, "a dog before it", "a man in front of it")},
      {"exact 1-1:1-1, paraphrase 3-5:3-3, exact 6-6:4-4", 2})
    check.equal(align(meteor, "in front", "before"), "")
  end)
end

function T.same_captions_match_exactly_only()
  files.with_folder(function(folder)
    local meteor <close> = with_table(folder, "0.5", "cat", "dog")
    check.equal({align(meteor, "cat dog cat", "cat dog cat")}, {"exact 1-1:1-1, exact 2-2:2-2, exact 3-3:3-3", 1})
    check.equal(align(meteor, "cat dog", "dog"), "exact 1-1:2-2")
  end)
end

-- ---- the search ----

function T.words_that_are_there_twice_match_in_few_chunks()
  local meteor <close> = plain()
  check.equal({align(meteor, "the cat", "the dog saw the cat")}, {"exact 4-4:1-1, exact 5-5:2-2", 1})
  check.equal({align(meteor, "a b a c", "a c x a b")},
    {"exact 1-1:3-3, exact 2-2:4-4, exact 4-4:1-1, exact 5-5:2-2", 2})
  check.equal({align(meteor, "a a a", "a")}, {"exact 1-1:1-1", 1}) -- the nearest
end

function T.a_phrase_is_preferred_where_it_covers_more()
  files.with_folder(function(folder)
    local meteor <close> = with_table(folder, "0.5", "a couple of", "two", "0.5", "couple", "pair")
    check.equal({align(meteor, "two dogs", "a couple of dogs")}, {"paraphrase 1-3:1-1, exact 4-4:2-2", 1})
    check.equal({align(meteor, "pair two", "a couple of")}, {"paraphrase 1-3:2-2", 1})
  end)
end

function T.captions_beyond_a_machine_word_are_aligned()
  local meteor <close> = plain()
  local words = {}
  for i = 1, 200 do words[i] = "w" .. i end
  local pairs_of, chunks = meteor:align(table.concat(words, " "), "x " .. table.concat(words, " ") .. " w1")
  check.equal({#pairs_of, chunks}, {200, 1})
  check.equal(pairs_of[200].reference, {201, 201})
  local many = ("a "):rep(999)
  check.equal(#meteor:align(many, many .. "b"), 999)
  check.fails("a caption has 1001 words, more than 1000", meteor.align, meteor, many .. "a a", "a")
end

-- ---- scores ----

-- By hand: content words weigh 0.75, function words 0.25; P = R = F.
function T.scores_are_those_of_the_formula()
  local meteor <close> = plain()
  local function score(hypothesis, ...) return (meteor:score({hypothesis}, {{...}})) end
  check.close(score("a cat sat", "a dog sat"), (1 / 1.75) * (1 - 0.6), 1e-12) -- 2 chunks, 2 words
  check.close(score("a cat sat", "a cat sat"), 1, 1e-12)
  check.close(score("big cat", "big cat sat"), (1 / (0.15 / 1 + 0.85 / (1.5 / 2.25))) * (1 - 0.6 * 0.5 ^ 0.2), 1e-12)
  check.close(score("cats", "cat"), 0.6, 1e-12) -- a stem weighs 0.6, and all words match in one chunk
  check.equal({score("", "a cat"), score("a cat", ""), score("", ""), score("x", "y")}, {0, 0, 0, 0})
end

function T.the_best_reference_counts_and_sums_make_the_score_of_all()
  local meteor <close> = plain()
  local corpus, images = meteor:score({"a cat sat", "a cat sat"}, {{"no", "a dog sat", "nothing"}, {"a cat sat"}})
  check.close(images, {(1 / 1.75) * (1 - 0.6), 1}, 1e-12)
  -- Sums: 2.75 of 3.5 words by weight; 5 matched words; the one chunk of the second image is left out.
  check.close(corpus, (2.75 / 3.5) * (1 - 0.6 * (2 / 5) ^ 0.2), 1e-12)
end

function T.scores_do_not_depend_on_the_threads()
  local meteor <close> = plain()
  local hypotheses, references, words = {}, {}, {"a", "cat", "cats", "on", "the", "dog", "sat", "sits"}
  local rng = lac.rng(3)
  for i = 1, 500 do
    local texts = {}
    for j = 1, 3 do
      local text = {}
      for k = 1, rng:below(12) do text[k] = words[1 + rng:below(#words)] end
      texts[j] = table.concat(text, " ")
    end
    hypotheses[i], references[i] = texts[1], {texts[2], texts[3]}
  end
  local _, together = meteor:score(hypotheses, references)
  for i = 1, 500, 7 do check.equal(meteor:score({hypotheses[i]}, {references[i]}), together[i]) end
end

-- ---- bad input ----

function T.bad_captions_are_named()
  local meteor <close> = plain()
  check.fails("there are 1 hypotheses, but references of 2 images", meteor.score, meteor, {"a"}, {{"a"}, {"b"}})
  check.fails("meteor: there is no caption", meteor.score, meteor, {}, {})
  check.fails("meteor: image 1 has no reference", meteor.score, meteor, {"a"}, {{}})
  check.fails("meteor: a reference of image 1 is a table, not a text", meteor.score, meteor, {"a"}, {{{}}})
  check.fails("meteor: not UTF%-8", meteor.score, meteor, {"a"}, {{"\xC3"}})
  meteor:close()
  check.fails("closed meteor", meteor.score, meteor, {"a"}, {{"a"}})
end

function T.bad_tables_of_paraphrases_are_named()
  plain():close()
  files.with_folder(function(folder)
    local path = folder .. "/table"
    local function refused(pattern, bytes)
      if bytes then files.write(path, bytes) end
      check.fails(pattern, lac.meteor, {wordnet = false, paraphrases = path})
    end
    refused("cannot open .*/table: No such file", nil)
    refused("line 1 must be a probability, as every third line, but is \"a cat\"", "a cat\nb\nc\n")
    refused("line 4 must be a probability", "0.5\na\nb\n\n0.5\n")
    refused("line 1 must be a probability", "-1\na\nb\n")
    refused("ends inside a pair", "0.5\na cat\n")
    refused("line 2 must be a phrase of 1 to 64 words", "0.5\n\nb\n")
    refused("line 3 must be a phrase of 1 to 64 words", "0.5\na\n" .. ("b "):rep(65) .. "\n")
    refused("line 3 has more than 4096 bytes", "0.5\na\n" .. ("b"):rep(300000))
    refused("cannot read on behind line %d+: .*/table: unexpected end of file",
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x33\xd0\x33")
    check.fails("must be a path or false, got a nil", lac.meteor, {wordnet = false})
    lac.meteor {wordnet = false, paraphrases = files.write(path, "0.5\r\na\r\nb c\r\n")}:close()
    lac.meteor {wordnet = false, paraphrases = files.write(path, "")}:close()
  end)
end

function T.bad_files_of_wordnet_are_named()
  plain():close()
  files.with_folder(function(folder)
    local function refused(pattern, name, bytes)
      write_wordnet(folder, {[name] = bytes})
      check.fails(pattern, lac.meteor, {wordnet = folder, paraphrases = false})
    end
    for _, line in ipairs {"cat", "cat n", "cat n 1", "cat n x 0 1 0 00000001", "cat n 2 0 1 0 00000001",
                           "cat n 0 0 1 0", "cat n 1 2 @ 1 0 1", "cat n 1 0 1 0 123456789", "cat noun 1 0 1 0 00000001",
                           "cat n 99999999 0 1 0 1", "cat n 1 99999999 1 0 1"} do
      refused("index.noun: line 2 is not one of WordNet's: \"" .. line, "index.noun", "  licence\n" .. line .. "\n")
    end
    refused("verb.exc: line 1 is not one of WordNet's: \"went\"", "verb.exc", "went\n")
    os.remove(write_wordnet(folder, {}) .. "/adv.exc")
    check.fails("/adv.exc", lac.meteor, {wordnet = folder, paraphrases = false})
    check.fails("/nowhere/index.noun", lac.meteor, {wordnet = folder .. "/nowhere", paraphrases = false})
  end)
end

return T
