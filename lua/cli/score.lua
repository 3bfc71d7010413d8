--- lacuna score: how close captions are to those that people wrote.
local lac = require "lac"
local annotations = require "data.annotations"
local meteor = require "metrics.meteor"
local native = require "cli.native"
local options = require "cli.options"
local references = require "data.references"
local spice = require "metrics.spice"
local standard = require "metrics.standard"

local score = {
  summary = "score captions against references",
  usage = "lacuna score --refs R.json --hyps H.json",
  options = {
    {name = "refs", value = "FILE", help = "references"},
    {name = "hyps", value = "FILE", help = 'captions: [{"image_id": ..., "caption": ...}, ...]'},
    {name = "frequencies", value = "FILE", help = "add CIDEr-D with the document frequencies of a data file, or JSON"},
    {name = "paraphrases", value = "FILE", help = "METEOR's paraphrase-en.gz, as coco-caption has it"},
    {name = "spice", value = "DIR", help = "add SPICE: the folder with spice-1.0.jar, as coco-caption has it"},
    {name = "spice-timeout", value = "SECONDS", type = "number", min = 1, max = 1e6,
     help = "stop SPICE after this long (default 3600)"},
    {name = "per-image", help = "print the scores of every image too"},
    {name = "json", help = "print JSON"},
  },
  details = "References are MS-COCO annotations, Karpathy's data set or {image id: [captions]}; those of images\n"
    .. "without a caption do not count. Both sides are written as people write; the PTB tokenizer splits them.\n"
    .. "CIDEr is CIDEr-D with document frequencies from the references, as in coco-caption; CIDEr-D has those of the\n"
    .. "training images. METEOR without a resource has another name: synonyms are WordNet 3.0 in /usr/share/wordnet\n"
    .. "or $LACUNA_WORDNET, paraphrases a file that $LACUNA_METEOR_PARAPHRASES may name. SPICE is another's program,\n"
    .. "which java runs. Scores depend on which images are scored, so compare complete splits only.",
}

-- Numbers before names.
local function before(a, b)
  if math.type(a.id) == math.type(b.id) then return a.id < b.id end
  return math.type(a.id) == "integer"
end

local function tokenise(texts)
  local tokens = {}
  for i, text in ipairs(texts) do tokens[i] = lac.text.ptb(text) end
  return tokens
end

-- The same number written otherwise among the images: 81 and "0081" are two.
local function near(id, known)
  for other in pairs(known) do
    if other ~= id and tonumber(other) and tonumber(other) == tonumber(id) then
      return ('; it has "%s", which is another name'):format(other)
    end
  end
  return ""
end

-- The rows in the order of their ids, their captions and the references of each, tokenised.
local function read(args)
  local rows, all = annotations.captions(args.hyps), annotations.references(args.refs)
  table.sort(rows, before)
  local captions, lists = {}, {}
  for i, row in ipairs(rows) do
    local list = all[row.id]
    if not list then
      error(("%s: image %s has a caption, but no references in %s%s"):format(args.hyps, row.id, args.refs,
        near(row.id, all)), 0)
    end
    if #list == 0 then error(("%s: image %s has an empty list of captions"):format(args.refs, row.id), 0) end
    captions[i], lists[i] = row.caption, tokenise(list)
  end
  return rows, tokenise(captions), lists
end

-- Put a score into the table of all, in front of the score named `place` or at the end.
local function add(result, name, scores, place)
  local at = #result.names + 1
  for i, other in ipairs(result.names) do
    if other == place then at = i end
  end
  table.insert(result.names, at, name)
  result.corpus[name] = scores.corpus
  for i, value in ipairs(scores.images) do result.images[i][name] = value end
end

local RESOURCES = {synonyms = "METEOR's synonyms ($LACUNA_WORDNET)",
                   paraphrases = "METEOR's paraphrases (--paraphrases)"}

-- All scores: their names in order, and what is missing for more.
local function measure(args, captions, lists, sources)
  local corpus <close> = lac.text.corpus(captions, lists)
  local result = standard.score(corpus, sources.frequencies)
  local names, absent = standard.names(sources.frequencies), {}
  result.names, result.absent = names, absent
  if sources.meteor then
    add(result, sources.meteor.name, sources.meteor:score(captions, lists), "ROUGE_L")
    for _, what in ipairs(sources.meteor.missing) do absent[#absent + 1] = RESOURCES[what] end
  else
    absent[#absent + 1] = ("METEOR (%s)"):format(sources.no_meteor)
  end
  if not sources.frequencies then absent[#absent + 1] = "CIDEr-D (--frequencies)" end
  if args.spice then
    local cfg = {folder = args.spice, timeout = args.spice_timeout, clock = native.clock}
    add(result, "SPICE", spice.score(captions, lists, cfg))
  else
    absent[#absent + 1] = "SPICE (--spice)"
  end
  return result
end

-- JSON has no NaN.
local function encodable(scores)
  for name, value in pairs(scores) do
    if value ~= value then scores[name] = lac.json.null end
  end
  return scores
end

local function print_json(rows, result)
  local out = encodable(result.corpus)
  out.images, out.absent = #rows, result.absent
  for _, scores in ipairs(result.images or {}) do encodable(scores) end
  out.per_image = result.images
  print(lac.json.encode(out))
end

local function print_table(rows, result)
  if result.images then
    print("image_id\t" .. table.concat(result.names, "\t"))
    for i, row in ipairs(rows) do
      local cells = {tostring(row.id)}
      for _, name in ipairs(result.names) do cells[#cells + 1] = ("%.4f"):format(result.images[i][name]) end
      print(table.concat(cells, "\t"))
    end
    print()
  end
  for _, name in ipairs(result.names) do print(("%-10s %.4f"):format(name, result.corpus[name])) end
  print(("%-10s %d"):format("images", #rows))
  if #result.absent > 0 then print(("%-10s %s"):format("absent", table.concat(result.absent, ", "))) end
end

-- What scores need besides captions; what may be wrong with it is found before the work begins.
local function open_sources(args)
  for _, name in ipairs {"refs", "hyps"} do
    if not args[name] then options.wrong("--%s FILE is missing; see lacuna score --help", name) end
  end
  if args.spice then
    spice.check(args.spice)
  elseif args.spice_timeout then
    options.wrong("--spice-timeout has no effect without --spice")
  end
  local sources = {frequencies = args.frequencies and references.open_frequencies(args.frequencies)}
  sources.meteor, sources.no_meteor = meteor.open {paraphrases = args.paraphrases}
  return sources
end

function score.run(args)
  local sources = open_sources(args)
  local rows, captions, lists = read(args)
  local result = measure(args, captions, lists, sources)
  for i, row in ipairs(rows) do result.images[i].image_id = row.id end
  if not args.per_image then result.images = nil end
  if args.json then print_json(rows, result) else print_table(rows, result) end
end

return score
