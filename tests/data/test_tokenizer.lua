local lac = require "lac"
local captions = require "data.captions"
local check = require "check"
local files = require "files"
local tokenizer = require "data.tokenizer"
local runs = require "runs"
local toy = require "toy"

local T = {}

local SENTENCES = {"a man riding a horse", "a man on a horse", "two horses and a man", "the man rides",
                   "a dog and two cats", "cats and dogs", "a red bus on the street"}

local function sentences(list)
  local i = 0
  return function()
    i = i + 1
    return (list or SENTENCES)[i]
  end
end

-- Whether the program has SentencePiece.
local function has_subwords()
  local good, message = pcall(lac.text.train_subwords, "bpe", 10, 1, {"a"})
  return good or not message:find("built without SentencePiece", 1, true)
end

local function needs_subwords()
  if not has_subwords() then check.skip "built without SentencePiece" end
end

local function build(kind, more)
  local cfg = {kind = kind, captions = sentences(), coverage = 1, size = 60, base = kind == "radix" and 7 or nil}
  for key, value in pairs(more or {}) do cfg[key] = value end
  return tokenizer.build(cfg)
end

local KINDS = has_subwords() and tokenizer.NAMES or {"word", "radix", "char"}

-- bos and eos of a radix tokenizer are its own.
local function inner(ids)
  return table.move(ids, 2, #ids - 1, 1, {})
end

-- What holds for all of them ------------------------------------------------------------------------------

function T.every_tokenizer_gives_back_the_training_captions()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    for _, text in ipairs(SENTENCES) do
      local ids = t:encode(text)
      check.equal({ids[1], ids[#ids]}, {t.bos, t.eos})
      check.equal(t:decode(inner(ids)), text)
      for _, id in ipairs(ids) do check.yes(id >= 0 and id < t:size(), kind) end
    end
  end
end

function T.every_tokenizer_is_the_same_after_it_was_written_and_read()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    local again = tokenizer.parse(t:text())
    check.equal({again.kind, again:size(), again.bos, again.eos, again:describe()},
      {kind, t:size(), t.bos, t.eos, t:describe()})
    check.yes(again:text() == t:text(), kind)
    for _, text in ipairs {"two men on a bus", "man\u{fc}", "a"} do check.equal(again:encode(text), t:encode(text)) end
  end
end

function T.every_tokenizer_takes_text_without_words()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    for _, text in ipairs {"", " \t\u{200b}\n"} do check.equal(t:encode(text), {t.bos, t.eos}) end
    check.equal(t:decode {}, "")
    check.equal(t:decode {t.pad, t.pad}, kind == "radix" and "a" or "") -- pad is the digit 0 there
  end
end

function T.every_tokenizer_puts_text_into_its_normal_form()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    check.equal(t:encode "\u{ff41}  man\ton a\u{a0}horse ", t:encode "a man on a horse")
    check.fails("not UTF%-8: byte 3 of 4 is 0xFF", t.encode, t, "a \xffb")
  end
end

function T.every_tokenizer_makes_a_run_of_unknown_one_unk()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    local ids, count = t:encode "\u{4e00}\u{4e01} \u{4e02}", 0
    for _, id in ipairs(ids) do count = count + (id == t.unk and 1 or 0) end
    local wanted = {word = 1, radix = 0} -- of others the mark between two words is known, and digits have no unk
    check.equal({kind, count}, {kind, wanted[kind] or 2})
    if kind == "radix" then check.equal(#ids, 2 + t.digits) end
    check.yes(t:decode(inner(ids)):find("<unk>", 1, true))
  end
end

function T.every_tokenizer_keeps_what_it_says_of_a_long_caption()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    local ids = t:encode "a man riding a horse and a dog"
    for most = 2, #ids + 3 do
      local cut = t:encode("a man riding a horse and a dog", most)
      check.equal(cut, table.move(ids, 1, t:kept(#ids, most), 1, {}))
      check.yes(kind == "radix" or #cut == math.min(most, #ids))
    end
  end
end

function T.no_tokenizer_decodes_what_is_no_id()
  for _, kind in ipairs(KINDS) do
    local t = build(kind)
    check.fails("an id must be an integer >= 0, got %-1", t.decode, t, {-1})
    check.fails("an id must be an integer >= 0, got 4.5", t.decode, t, {4.5})
    check.yes(t:decode {1 << 40}:find("<unk>", 1, true))
  end
end

function T.building_twice_gives_the_same_text()
  for _, kind in ipairs(KINDS) do check.yes(build(kind):text() == build(kind):text(), kind) end
end

function T.building_without_a_word_gives_an_empty_one()
  for _, kind in ipairs(KINDS) do
    check.yes(build(kind, {captions = sentences {"", " "}}):is_empty())
    check.yes(not build(kind):is_empty())
  end
end

function T.building_refuses_what_it_does_not_know()
  check.fails('there is no tokenizer "wrod"; did you mean "word"', tokenizer.build, {kind = "wrod"})
  check.fails("base goes with radix, not with word", tokenizer.build, {base = 9, captions = sentences()})
  for _, kind in ipairs(KINDS) do
    check.fails("captions, an iterator over strings, is missing", tokenizer.build, {kind = kind})
    check.fails("coverage must be above 0", tokenizer.build, {kind = kind, captions = sentences(), coverage = 0})
    check.fails("size must be >= 4, got 3", tokenizer.build, {kind = kind, captions = sentences(), size = 3})
  end
end

-- Damaged texts -------------------------------------------------------------------------------------------

local HEAD = "<pad>\t0\n<unk>\t0\n<bos>\t0\n<eos>\t0\n"

function T.a_damaged_text_is_refused_by_line()
  local function refused(text, pattern) check.fails(pattern, tokenizer.parse, text) end
  refused(nil, "needs a text, got a nil")
  refused("radxi 7\n" .. HEAD, 'line 1 names no tokenizer: "radxi 7"; it is "radix" and a base')
  refused("radix\n" .. HEAD, "line 1 names no tokenizer")
  refused("radix 7x\n" .. HEAD, "line 1 names no tokenizer")
  refused("char 7\n" .. HEAD, "line 1 names no tokenizer")
  refused("word\n" .. HEAD, "line 1 names no tokenizer")
  refused("\n" .. HEAD, "line 1 names no tokenizer")
  refused("radix 1\n" .. HEAD, "the base must be a whole number from 2 to 16777216, got 1")
  refused("radix 99999999999999999999\n" .. HEAD, "the base must be a whole number")
  for _, line in ipairs {"radix 7", "char", "bpe", "unigram"} do
    refused(line .. "\n", 'line 2 must be <pad>, got "nil"')
    refused(line .. "\n" .. HEAD:sub(1, -9) .. "x\t0\n", 'line 5 must be <eos>, got "x"')
    refused(line .. "\n" .. HEAD .. "a\n", 'line 6 is not "piece TAB score": "a"')
    refused(line .. "\n" .. HEAD .. "a\t1e99\n", "line 6 is not")
    refused(line .. "\n" .. HEAD .. "a\tnan\n", "line 6 is not")
    refused(line .. "\n" .. HEAD .. "a\t0\na\t0\n", 'line 7 repeats "a" of line 6')
    refused(line .. "\n" .. HEAD .. "\xff\t0\n", "line 6 has a piece that is no text")
    refused(line .. "\n" .. HEAD .. "\t0\n", "line 6 has a piece that is no text")
  end
end

-- Characters and subwords ---------------------------------------------------------------------------------

local function as_list(t)
  return table.move(t.pieces, 1, t:size(), 1, {})
end

function T.words_and_characters_are_those_that_sentencepiece_finds()
  needs_subwords()
  for _, kind in ipairs {"word", "char"} do
    for _, size in ipairs {9, 500} do
      for _, coverage in ipairs {0.98, 1} do
        local t = build(kind, {size = size, coverage = coverage})
        local pieces, scores = lac.text.train_subwords(kind, size, coverage, SENTENCES)
        check.equal(as_list(t), pieces)
        check.close(t.scores, scores, 1e-6)
        local other = lac.text.subwords(kind, t.pieces, t.scores)
        for _, text in ipairs {"a man", "the xylophone is on q q", "bus"} do
          check.equal(inner(t:encode(text)), other:encode(text))
        end
      end
    end
  end
end

function T.characters_come_by_count_and_the_mark_is_one()
  local t = build("char", {captions = sentences {"ab a", "ca"}})
  check.equal(as_list(t), {"<pad>", "<unk>", "<bos>", "<eos>", "a", "\u{2581}", "b", "c"})
  check.equal(t:encode "ab c", {2, 5, 4, 6, 5, 7, 3})
  check.equal(t:decode {5, 4, 6, 5, 7}, "ab c")
  check.close(t.scores[5], math.log(3 / 8), 1e-6)
  check.equal(t:describe(), "8 characters")
end

function T.frequent_words_are_whole_pieces_and_rare_ones_are_not()
  needs_subwords()
  for _, kind in ipairs {"bpe", "unigram"} do
    local t = build(kind)
    check.yes(#t:encode "a man and a horse" < #"a man and a horse")
    check.yes(t:size() <= 60)
    check.equal(t:decode(t:encode "hats on dogs"), "hats on dogs")
    check.equal(t:describe(), ("%d %s pieces"):format(t:size(), kind))
  end
end

function T.a_coverage_that_sentencepiece_does_not_take_is_refused()
  for _, kind in ipairs {"bpe", "unigram"} do
    check.fails(kind .. ": coverage must be at least 0.98, got 0.9", tokenizer.build,
      {kind = kind, captions = sentences(), coverage = 0.9})
  end
end

function T.a_vocabulary_without_room_for_the_characters_is_refused()
  for _, kind in ipairs {"bpe", "unigram"} do
    needs_subwords()
    check.fails(kind .. ": a vocabulary of 12 has no room for all characters of the captions; it takes at least 22",
      tokenizer.build, {kind = kind, captions = sentences {"abcdefghijklmnopq"}, coverage = 1, size = 12})
  end
end

function T.subwords_decode_before_they_encode()
  needs_subwords()
  local t = tokenizer.parse("bpe\n" .. HEAD .. "\u{2581}a\t-0\nb\t-1\n\u{2581}\t-2\na\t-3\n")
  check.equal(t:decode {4, 5, 1, 6, 7}, "ab<unk> a")
  check.equal(t:encode "ab a", {2, 4, 5, 4, 3})
end

function T.pieces_of_wrong_types_are_refused()
  needs_subwords()
  check.fails("subwords: the kind is bpe or unigram, got \"x\"", lac.text.subwords, "x", {}, {})
  check.fails("subwords: text 1 is a number", lac.text.subwords, "bpe", {7}, {0})
  check.fails("subwords: the score of text 2 must be a number, got a nil", lac.text.subwords, "bpe",
    {"<pad>", "<unk>"}, {0})
  check.fails("subwords: SentencePiece says: [^\n]*", lac.text.subwords, "bpe", {}, {})
  check.fails("there are at least 4 pieces", lac.text.train_subwords, "bpe", 0, 1, {"a"})
  local t = lac.text.subwords("bpe", {"<pad>", "<unk>", "<bos>", "<eos>", "a"}, {0, 0, 0, 0, 0})
  t:close()
  t:close()
  check.fails("closed subwords", t.encode, t, "a")
end

-- In a data file ------------------------------------------------------------------------------------------

local function with_data(kind, fn)
  files.with_folder(function(folder)
    local path = folder .. "/toy.h5"
    require("data.build").write(path, toy.source(), {coverage = 1, tokenizer = kind, vocab_size = 60,
      base = kind == "radix" and 5 or nil})
    fn(path)
  end)
end

function T.a_data_file_keeps_any_tokenizer_and_its_usual_length()
  for _, kind in ipairs(KINDS) do
    with_data(kind, function(path)
      local d <close> = captions.open {path = path, batch = 5}
      check.equal({d.vocab.kind, d.length}, {kind, d.vocab.usual_length})
      local scope <close> = lac.scope()
      local batch = d:batch(1, 0, 1)
      check.equal(batch.words:totable()[1], d.vocab.bos)
      for _, id in ipairs(batch.targets:totable()) do check.yes(id < d.vocab:size()) end
      local file <close> = lac.hdf5.open(path)
      check.equal(file:attr("", "version"), kind == "word" and 1 or 2)
    end)
  end
end

function T.a_model_trained_on_digits_speaks_words()
  files.with_folder(function(folder)
    local data = folder .. "/digits.h5"
    require("data.build").write(data, toy.source(), {coverage = 1, tokenizer = "radix", base = 5})
    local recipe = toy.recipe(folder, data)
    runs.start(recipe, folder .. "/run", {"data.length=14", "stages.1.epochs=2"})
    local status, text = check.run(("eval %s/run/last.h5 --data %s --beam 2 --json -o %s/c.json"):format(folder, data,
      folder))
    check.yes(status == 0, text)
    local said = lac.json.decode(files.read(folder .. "/c.json"))
    check.equal(#said, 5)
    for _, row in ipairs(said) do check.yes(row.caption:find("^[%l <>]+$"), row.caption) end
    status, text = check.run("info " .. folder .. "/run/last.h5")
    check.yes(status == 0 and text:find("vocabulary  8 digits for %d+ words\n"), text)
  end)
end

function T.long_captions_in_batches_are_cut_as_encoding_cuts_them()
  for _, kind in ipairs {"word", "radix"} do
    with_data(kind, function(path)
      local d <close> = captions.open {path = path, batch = 1, captions_per_image = 5, length = 5}
      local scope <close> = lac.scope()
      local batch = d:batch(1, 0, 1)
      local at = 0
      for _, image in ipairs(d:references "train") do
        if image.id == batch.ids[1] then
          for _, text in ipairs(image.captions) do at = math.max(at, #d.vocab:encode(text, 5)) end
        end
      end
      check.equal(#batch.counts, at - 1)
    end)
  end
end

return T
