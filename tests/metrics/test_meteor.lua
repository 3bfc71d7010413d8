local lac = require "lac"
local check = require "check"
local files = require "files"
local meteor = require "metrics.meteor"

local T = {}

local COCO = "data/coco-captions/"
local CHECKPOINT = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0"

-- What the published program gives with an empty table of paraphrases, and with its own.
local published = {
  {"gru_sparsity0800_cnnft.json", 0.24964301838906544, 0.25652630325425857},
  {"gru_sparsity0800_dec.json", 0.23971948100205429, 0.24647886112345235},
  {"gru_sparsity0975_cnnft.json", 0.2241091292079896, 0.2311098312763249},
  {"gru_sparsity0975_dec.json", 0.22980758195399245, 0.2364055723057452},
  {"lstm_sparsity0800_cnnft.json", 0.2517326293612091, 0.2589638333603939},
  {"lstm_sparsity0800_dec.json", 0.23990607366475034, 0.2464999057956305},
  {"lstm_sparsity0975_cnnft.json", 0.22441175418112494, 0.2310319850310461},
  {"lstm_sparsity0975_dec.json", 0.23059343447429848, 0.23693172117169373},
  -- The last numbers of these two are those that were published with the checkpoints, in full.
  {CHECKPOINT .. ".zip", 0.2329727602135767, 0.23956145737623483},
  {CHECKPOINT .. "__SCST_random_sample_s60_e10_C1B0001.zip", 0.2409789322623823, 0.24650598085088868},
}

local function open(options)
  local scorer, message = meteor.open(options)
  if not scorer then check.skip(message) end
  return scorer
end

local function references()
  local lists = {}
  for line in files.read(check.shared(COCO .. "karpathy_test_tokenized.tsv")):gmatch("[^\n]+") do
    local id, text = line:match("^(%d+)\t(.*)$")
    lists[id] = lists[id] or {}
    table.insert(lists[id], text)
  end
  return lists
end

local function captions(name)
  if not name:find("%.zip$") then return files.read(check.shared(COCO .. "published/" .. name)) end
  local zip <close> = lac.zip.open(check.shared(name))
  for _, entry in ipairs(zip:names()) do
    if entry:find("test_beam_2/caption_%d+%.json$") then return zip:read(entry) end
  end
end

-- Score all ten files and compare with a column of `published`.
local function compare(scorer, column)
  local lists = references()
  for _, row in ipairs(published) do
    local hypotheses, texts = {}, {}
    for i, caption in ipairs(lac.json.decode(captions(row[1]))) do
      hypotheses[i], texts[i] = lac.text.ptb(caption.caption), lists[tostring(caption.image_id)]
    end
    check.equal(#hypotheses, 5000)
    local got = scorer:score(hypotheses, texts).corpus
    check.yes(math.abs(got - row[column]) < 1e-9,
      ("%s: %.12f, the published program gives %.12f"):format(row[1], got, row[column]))
  end
end

function T.published_captions_score_as_by_the_published_program_without_paraphrases()
  local scorer <close> = open {paraphrases = false}
  if scorer.name ~= "METEOR-np" then check.skip("no WordNet: package wordnet-base, or $LACUNA_WORDNET") end
  compare(scorer, 2)
end

function T.published_captions_have_their_published_scores_with_paraphrases()
  if not os.getenv("LACUNA_METEOR_PARAPHRASES") then
    check.skip("no table of paraphrases: $LACUNA_METEOR_PARAPHRASES")
  end
  local scorer <close> = open()
  check.equal(scorer.name, "METEOR")
  compare(scorer, 3)
end

function T.the_name_says_what_is_missing()
  files.with_folder(function(folder)
    local file = files.write(folder .. "/table", "0.5\ncat\nfeline\n")
    local bare <close> = open {wordnet = false, paraphrases = false}
    check.equal({bare.name, bare.missing}, {"METEOR-nsp", {"synonyms", "paraphrases"}})
    local some <close> = open {wordnet = false, paraphrases = file}
    check.equal({some.name, some.missing}, {"METEOR-ns", {"synonyms"}})
    check.equal({bare:score({"cat"}, {{"feline"}}).images[1], some:score({"cat"}, {{"feline"}}).images[1]}, {0, 0.6})
    check.equal(some:align("a cat", "one feline")[1].stage, "paraphrase")
  end)
end

function T.unknown_options_are_refused()
  check.fails("unknown key \"wordnets\"", meteor.open, {wordnets = "x"})
  open({wordnet = false, paraphrases = false}):close()
  check.fails("/nowhere/index.noun", meteor.open, {wordnet = "/nowhere"})
end

return T
