--- METEOR 1.5: how well captions agree with their references in words, stems, synonyms and paraphrases.
-- Denkowski & Lavie 2014, "Meteor Universal: language specific translation evaluation for any target language".
--
--     local scorer <close> = assert(meteor.open{paraphrases = "paraphrase-en.gz"})
--     local result = scorer:score({"a man rides a bike"}, {{"a man riding a bike", "a man on a bicycle"}})
--     print(scorer.name, result.corpus, result.images[1])
--
-- With WordNet 3.0 and the paraphrase table of the published program its scores are equal to that program's. What is
-- missing changes the name: "METEOR-np" is without paraphrases (on MS-COCO 0.006 to 0.008 lower), "METEOR-ns" without
-- synonyms, "METEOR-nsp" without both. Scores of different names must not be compared.
-- @module metrics.meteor
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local disk = require "core.disk"

local meteor = {}

local WORDNET = "/usr/share/wordnet" -- where Debian's wordnet-base puts it

local defaults = {
  wordnet = config.optional("string", "boolean"), -- folder; false: no synonyms
  paraphrases = config.optional("string", "boolean"), -- file; false: none
}

-- The folder that is asked for, or the usual one where it is there.
local function find_wordnet(folder)
  if folder ~= nil then return folder end
  return os.getenv("LACUNA_WORDNET") or (disk.exists(WORDNET .. "/index.noun") and WORDNET)
end

local function find_paraphrases(file)
  if file ~= nil then return file end
  return os.getenv("LACUNA_METEOR_PARAPHRASES") or false
end

local Meteor = class "Meteor"

function Meteor:init(box, wordnet, paraphrases)
  self.box, self.missing = box, {}
  if not wordnet then table.insert(self.missing, "synonyms") end
  if not paraphrases then table.insert(self.missing, "paraphrases") end
  self.name = "METEOR"
  if #self.missing > 0 then self.name = "METEOR-n" .. (wordnet and "" or "s") .. (paraphrases and "" or "p") end
end

--- Score captions; all cores are used.
-- @tparam table hypotheses list of texts as lac.text.ptb gives them
-- @tparam table references list of lists of such texts
-- @treturn table {corpus = score of the sums over all images, images = list of numbers}
function Meteor:score(hypotheses, references)
  local corpus, images = self.box:score(hypotheses, references)
  return {corpus = corpus, images = images}
end

--- Which words of a hypothesis match which of a reference.
-- @treturn table list of {stage = "exact", "stem", "synonym" or "paraphrase", reference = {first word, last},
-- hypothesis = {first word, last}}
-- @treturn number chunks, runs of matches that follow each other on both sides
function Meteor:align(hypothesis, reference)
  return self.box:align(hypothesis, reference)
end

--- Give the memory back.
function Meteor:close()
  self.box:close()
end

Meteor.__close = Meteor.close

--- Read the resources.
-- @tparam[opt] table options wordnet: folder with the files of WordNet 3.0, by default $LACUNA_WORDNET or
-- /usr/share/wordnet where that is there; paraphrases: the published table paraphrase-en.gz, by default
-- $LACUNA_METEOR_PARAPHRASES; false for either does without
-- @treturn Meteor with `name`, and `missing`, a list of "synonyms" and "paraphrases"; nil and a message in a build
-- without the stemmer
-- @raise for resources that are asked for and cannot be read
function meteor.open(options)
  options = config.merge(defaults, options, "metrics.meteor")
  local wordnet, paraphrases = find_wordnet(options.wordnet), find_paraphrases(options.paraphrases)
  local box, message = lac.meteor {wordnet = wordnet, paraphrases = paraphrases}
  if not box then return nil, message end
  return Meteor(box, wordnet, paraphrases)
end

return meteor
