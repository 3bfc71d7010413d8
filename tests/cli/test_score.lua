local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local COCO = "data/coco-captions/"
local NAMES = {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"}

local function score(refs, hyps, options)
  local status, text = check.run(("score --refs '%s' --hyps '%s' %s"):format(refs, hyps, options or ""))
  return status, text
end

local function scores(refs, hyps, options)
  local status, text = score(refs, hyps, "--json " .. (options or ""))
  check.yes(status == 0, text)
  return lac.json.decode(text)
end

-- Published numbers -------------------------------------------------------------------------------------

-- The rows of a .tsv file as tables by the names in its first line.
local function read_tsv(path)
  local rows, names = {}, nil
  for line in io.lines(path) do
    local cells, row = {}, {}
    for cell in (line .. "\t"):gmatch("(.-)\t") do cells[#cells + 1] = cell end
    names = names or cells
    for i, name in ipairs(names) do row[name] = cells[i] end
    rows[#rows + 1] = row
  end
  return table.move(rows, 2, #rows, 1, {})
end

local COLUMNS = {Bleu_1 = "BLEU1", Bleu_2 = "BLEU2", Bleu_3 = "BLEU3", Bleu_4 = "BLEU4", ROUGE_L = "ROUGE_L",
                 CIDEr = "CIDEr"}

-- Recomputed with another version of the tokenizer, which splits the "doesnt" of one of the 25,010 references.
local RECOMPUTED = 1e-5

function T.eight_published_runs_have_their_published_scores()
  local refs = check.shared(COCO .. "karpathy_test.json")
  local rows = read_tsv(check.shared(COCO .. "published/scores.tsv"))
  check.equal(#rows, 8)
  for _, row in ipairs(rows) do
    local got = scores(refs, check.shared(COCO .. "published/" .. row.file))
    check.equal(got.images, 5000)
    for _, name in ipairs(NAMES) do
      local where = row.file .. ", " .. name
      check.equal(where .. " " .. ("%.3f"):format(got[name]), where .. " " .. row["pub_" .. COLUMNS[name]])
      check.close(got[name], tonumber(row["re_" .. COLUMNS[name]]), RECOMPUTED)
    end
  end
end

local TINY3 = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0"
function T.two_published_checkpoints_have_their_published_scores()
  local refs = check.shared(COCO .. "karpathy_test.json")
  for _, path in ipairs {TINY3 .. ".zip", TINY3 .. "__SCST_random_sample_s60_e10_C1B0001.zip"} do
    local zip <close> = lac.zip.open(check.shared(path))
    local captions, want
    for _, name in ipairs(zip:names()) do
      if name:find("test_beam_2/caption_%d+%.json$") then captions = zip:read(name) end
      if name:find("test_beam_2/score_%d+%.json$") then want = lac.json.decode(zip:read(name)) end
    end
    files.with_folder(function(folder)
      local got = scores(refs, files.write(folder .. "/h.json", captions))
      for _, name in ipairs(NAMES) do check.close(got[name], want[name], 1e-12) end
    end)
  end
end

-- METEOR's name with what is on this machine.
local scorer = require("metrics.meteor").open {paraphrases = false}
local METEOR = scorer and scorer.name or "METEOR"
if scorer then scorer:close() end

-- Small files of our own --------------------------------------------------------------------------------

local ANNOTATIONS = [[{"annotations": [
  {"image_id": 7, "caption": "A man's dog."}, {"image_id": 9, "caption": "Two cats, asleep"},
  {"image_id": 7, "caption": "A dog"}, {"image_id": 11, "caption": "nobody says this"}]}]]
local KARPATHY = [[{"images": [
  {"filename": "COCO_val2014_000000000007.jpg", "sentences": [{"raw": "A man's dog."}, {"raw": "A dog"}]},
  {"filename": "x.jpg", "cocoid": 9, "sentences": [{"raw": "Two cats, asleep"}]}]}]]
local PLAIN = [[{"9": ["Two cats, asleep"], "7": ["A man's dog.", "A dog"]}]]
local CAPTIONS = '[{"image_id": 9, "caption": "two cats"}, {"image_id": "7", "caption": "a man \'s dog"}]'

-- Write both files, call fn(refs, hyps).
local function with_files(refs, hyps, fn)
  return files.with_folder(function(folder)
    return fn(files.write(folder .. "/r.json", refs), files.write(folder .. "/h.json", hyps), folder)
  end)
end

function T.references_may_come_in_three_forms_and_ids_as_numbers_or_text()
  local all = {}
  for i, refs in ipairs {ANNOTATIONS, KARPATHY, PLAIN} do
    all[i] = with_files(refs, CAPTIONS, function(r, h) return scores(r, h, "--per-image") end)
  end
  check.equal(all[2], all[1])
  check.equal(all[3], all[1])
  check.equal({all[1].per_image[1].image_id, all[1].per_image[2].image_id, all[1].images}, {7, 9, 2})
  check.close(all[1].per_image[1].Bleu_3, 1, 1e-8) -- the tokenizer splits man's
  check.close(all[1].per_image[2].Bleu_1, math.exp(1 - 3 / 2), 1e-8)
end

function T.the_table_has_a_line_per_score_and_on_request_per_image()
  with_files(ANNOTATIONS, CAPTIONS, function(refs, hyps)
    local _, text = score(refs, hyps)
    check.yes(text:find("^Bleu_1     0%.8465\nBleu_2 .*\nMETEOR.*CIDEr      %d%.%d%d%d%d\nimages     2\n"
      .. "absent     .*CIDEr%-D %(%-%-frequencies%), "
      .. "SPICE %(%-%-spice%)\n$"), text)
    _, text = score(refs, hyps, "--per-image")
    check.yes(text:find("^image_id\tBleu_1\t.-\n7\t1%.0000\t.-\n9\t0%.6065\t.-\n\nBleu_1     0%.8465\n"), text)
  end)
end

function T.names_are_ids_too()
  with_files('{"007": ["a dog"], "a": ["a cat"], "7": ["a bus"]}',
    '[{"image_id": "a", "caption": "a cat"}, {"image_id": "007", "caption": "a dog"}]', function(refs, hyps)
    local got = scores(refs, hyps, "--per-image")
    check.equal({got.per_image[1].image_id, got.per_image[2].image_id}, {"007", "a"})
    check.close(got.Bleu_1, 1, 1e-8)
  end)
end

function T.an_empty_caption_scores_nothing_and_counts()
  with_files(PLAIN, '[{"image_id": 7, "caption": ""}, {"image_id": 9, "caption": "Two cats asleep"}]',
    function(refs, hyps)
      local got = scores(refs, hyps, "--per-image")
      local meteor = got.per_image[1][METEOR] -- nil in a build without a stemmer
      got.per_image[1][METEOR] = nil
      check.yes(meteor == nil or meteor == 0, meteor)
      check.equal(got.per_image[1], {image_id = 7, Bleu_1 = 0.0, Bleu_2 = 0.0, Bleu_3 = 0.0, Bleu_4 = 0.0,
                                     ROUGE_L = 0.0, CIDEr = 0.0})
      check.close(got.ROUGE_L, 0.5, 1e-12)
    end)
end

local function refused(refs, hyps, ...)
  local status, text = with_files(refs, hyps, function(r, h) return score(r, h) end)
  check.yes(status == 1, text)
  check.equal(select(2, text:gsub("\n", "\n")), 1) -- one sentence
  for _, pattern in ipairs {...} do check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text) end
end

function T.what_is_nothing_but_punctuation_is_empty()
  with_files('{"7": ["...", "!"], "9": ["A dog."]}',
    '[{"image_id": 7, "caption": "."}, {"image_id": 9, "caption": "a dog"}]', function(refs, hyps)
    local got = scores(refs, hyps, "--per-image")
    check.close(got.per_image[1].CIDEr, 0, 1e-12)
    check.close(got.per_image[1].ROUGE_L, 1, 1e-12) -- as published: two empty texts share an empty word
    check.close(got.per_image[2].ROUGE_L, 1, 1e-12)
  end)
end

function T.ids_as_text_and_as_number_are_one_image_and_its_references_one_list()
  with_files('{"annotations": [{"image_id": "391895", "caption": "a dog"}, {"image_id": 391895, "caption": "a cat"}]}',
    '[{"image_id": 391895.0, "caption": "a cat"}]', function(refs, hyps)
    local got = scores(refs, hyps, "--per-image")
    check.equal({got.per_image[1].image_id, got.images}, {391895, 1})
    check.close(got.Bleu_1, 1, 1e-8)
  end)
end

function T.line_ends_and_odd_characters_in_a_caption_are_blanks_or_nothing()
  with_files('{"7": ["a man\\nriding\\u2028a bus\\u0000"]}',
    '[{"image_id": 7, "caption": "A\\tman\\r\\nriding a\\u200b bus \\ud83d\\ude00"}]', function(refs, hyps)
    check.close(scores(refs, hyps).Bleu_4, 1, 1e-8)
  end)
end

function T.meteor_has_the_name_of_what_it_was_computed_with()
  if not scorer then check.skip("a build without a stemmer") end
  local phrases = '[{"image_id": 9, "caption": "two cats"}, {"image_id": 7, "caption": "a canine"}]'
  with_files(PLAIN, phrases, function(refs, hyps, folder)
    local without = scores(refs, hyps, "--per-image")
    local file = files.write(folder .. "/table", "0.5\ndog\ncanine\n0.5\ncanine\ndog\n")
    local with = scores(refs, hyps, "--per-image --paraphrases " .. file)
    local name = METEOR:gsub("p$", ""):gsub("%-n$", "")
    check.equal({without[name], with[METEOR]}, {})
    check.yes(with[name] > without[METEOR], "paraphrases change nothing")
    check.equal(with.per_image[2][name], without.per_image[2][METEOR])
    check.yes(table.concat(without.absent, ", "):find("METEOR's paraphrases (--paraphrases)", 1, true))
    check.yes(not table.concat(with.absent, ", "):find("paraphrases", 1, true))
    local _, text = score(refs, hyps)
    check.yes(text:find("\nBleu_4 [^\n]*\n" .. METEOR:gsub("%-", "%%-") .. " +0%.%d%d%d%d\nROUGE_L "), text)
    local status
    status, text = score(refs, hyps, "--paraphrases /nosuchfile")
    check.equal(status, 1)
    check.yes(text:find("/nosuchfile", 1, true), text)
  end)
end

function T.frequencies_of_the_training_images_add_cider_d()
  with_files(PLAIN, CAPTIONS, function(refs, hyps, folder)
    local table_of = files.write(folder .. "/f.json",
      '{"ref_len": 100, "document_frequency": {"a": 90, "dog": 3, "two": 5, "two cats": 1}}')
    local got = scores(refs, hyps, "--per-image --frequencies " .. table_of)
    local all = {0, 0}
    for i, row in ipairs(got.per_image) do all[1], all[2] = all[1] + row.CIDEr_D, i end
    check.close(got.CIDEr_D, all[1] / all[2], 1e-12)
    check.yes(got.CIDEr_D > 0 and got.CIDEr_D ~= got.CIDEr)
    local captions = lac.text.corpus({"a man 's dog", "two cats"}, {{"a man 's dog", "a dog"}, {"two cats asleep"}})
    local own <close> = captions
    check.close(got.CIDEr_D, require("metrics.cider").score(own, lac.json.decode(files.read(table_of))).corpus, 1e-12)
    local _, text = score(refs, hyps, "--frequencies " .. table_of)
    check.yes(text:find("\nCIDEr_D +%d") and not text:find("--frequencies", 1, true), text)
    local status
    status, text = score(refs, hyps, "--frequencies " .. refs)
    check.equal(status, 1)
    check.yes(text:find("r%.json: "), text)
  end)
end

function T.a_caption_without_references_is_refused()
  refused('{"0081": ["a dog"]}', '[{"image_id": 81, "caption": "a dog"}]',
    'image 81 has a caption, but no references in .*r%.json; it has "0081", which is another name\n')
  refused(PLAIN, '[{"image_id": 8, "caption": "a dog"}]',
    "h%.json: image 8 has a caption, but no references in .*r%.json")
  refused('{"8": []}', '[{"image_id": 8, "caption": "a dog"}]', "r%.json: image 8 has an empty list of captions")
end

function T.two_captions_of_one_image_are_refused()
  local caption = '{"image_id": %s, "caption": "a"}'
  refused(PLAIN, "[" .. caption:format(7) .. "," .. caption:format(9) .. "," .. caption:format('"7"') .. "]",
    "h%.json: image 7 has two captions, numbers 1 and 3")
  refused('{"7": ["a"], "7": ["b"]}', CAPTIONS, "r%.json: not readable as JSON: .*duplicate object key")
  refused('{"images": [{"cocoid": 1, "sentences": []}, {"cocoid": 1, "sentences": []}]}', CAPTIONS,
    "r%.json: image 2 has the id 1, as one before it")
end

function T.a_byte_order_mark_before_json_is_passed_over()
  with_files("\xef\xbb\xbf" .. PLAIN, "\xef\xbb\xbf" .. CAPTIONS, function(refs, hyps)
    local status, text = score(refs, hyps)
    check.equal(status, 0)
    check.yes(text:find("CIDEr"), text)
  end)
end

function T.files_that_are_not_json_are_refused_with_the_place()
  refused(ANNOTATIONS:sub(1, 150), CAPTIONS, "r%.json: not readable as JSON: line 3, column")
  refused(ANNOTATIONS, CAPTIONS:sub(1, 30), "h%.json: not readable as JSON: line 1")
  refused(ANNOTATIONS, '[{"image_id": 7, "caption": "caf\xe9"}]',
    "h%.json: not readable as JSON: line 1, column 32: unable to decode byte 0xe9")
  refused('{"7": ["caf\xe9"]}', CAPTIONS,
    "r%.json: not readable as JSON: line 1, column %d+: unable to decode byte 0xe9")
  refused('{"7": ["\\ud800 a dog"]}', CAPTIONS, "r%.json: not readable as JSON: line 1, .*invalid Unicode")
  refused("", CAPTIONS, "r%.json: not readable as JSON")
  refused(("["):rep(100000), CAPTIONS, "r%.json: not readable as JSON")
end

function T.json_of_another_shape_is_refused()
  refused("[1, 2]", CAPTIONS, "r%.json: expected references as")
  refused("{}", CAPTIONS, "r%.json: expected references as")
  refused("3", CAPTIONS, "r%.json: expected references as")
  refused('{"7": "a dog"}', CAPTIONS, "r%.json: image 7: expected a list of captions, it is a string")
  refused('{"annotations": [{"image_id": 7, "caption": null}]}', CAPTIONS,
    "r%.json: annotation 1: the caption must be a text, it is null")
  refused('{"annotations": [{"caption": "a"}]}', CAPTIONS, "annotation 1: the image id must be .* it is missing")
  refused('{"annotations": [3]}', CAPTIONS, "annotation 1 is not an object")
  refused('{"images": [{"sentences": []}, {}]}', CAPTIONS, "image 1: the image id must be .* it is missing")
  refused('{"images": [{"imgid": 1, "sentences": []}, {}]}', CAPTIONS, "image 2 has no sentences")
  refused('{"images": [{"imgid": 1, "sentences": [{}]}]}', CAPTIONS,
    "image 1, sentence 1: the caption must be a text")
  refused(PLAIN, '{"7": "a dog"}', "h%.json: expected captions as")
  refused(PLAIN, "[]", "h%.json: expected captions as .*; there is none")
  refused(PLAIN, '[{"image_id": 7.5, "caption": "a"}]',
    "caption 1: the image id must be a whole number .* it is 7%.5")
  refused(PLAIN, '[{"image_id": 7}]', "caption 1: the caption must be a text, it is missing")
  refused(PLAIN, '[{"image_id": 7, "caption": 5}]', "caption 1: the caption must be a text, it is 5")
  refused(PLAIN, '[[]]', "caption 1: the image id")
  refused(PLAIN, '["a"]', "caption 1 is not an object")
end

function T.missing_files_and_options_are_named()
  with_files(PLAIN, CAPTIONS, function(refs, hyps, folder)
    local status, text = score(refs, folder .. "/none.json")
    check.equal(status, 1)
    check.yes(text:find("cannot open .*none%.json: No such file"), text)
    status, text = score(folder, hyps)
    check.equal(status, 1)
    check.yes(text:find("cannot read [^\n]*: Is a directory"), text)
    status, text = check.run("score --refs " .. refs)
    check.equal(status, 2)
    check.yes(text:find("--hyps FILE is missing", 1, true), text)
    status, text = check.run(("score --refs %s --hyps %s --spice-timeout 9"):format(refs, hyps))
    check.equal({status, text}, {2, "lacuna: --spice-timeout has no effect without --spice\n"})
  end)
end

return T
