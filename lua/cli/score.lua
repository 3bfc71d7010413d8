--- lacuna score: how close captions are to those that people wrote.
local lac = require "lac"
local annotations = require "data.annotations"
local standard = require "metrics.standard"
local options = require "cli.options"

local score = {
  summary = "score captions against references",
  usage = "lacuna score --refs R.json --hyps H.json",
  options = {
    {name = "refs", value = "FILE", help = "references"},
    {name = "hyps", value = "FILE", help = 'captions: [{"image_id": ..., "caption": ...}, ...]'},
    {name = "per-image", help = "print the scores of every image too"},
    {name = "json", help = "print JSON"},
  },
  details = "References are MS-COCO annotations, Karpathy's data set or {image id: [captions]}; those of images\n"
    .. "without a caption do not count. Both sides are written as people write; the PTB tokenizer splits them.\n"
    .. "CIDEr is CIDEr-D with document frequencies from the references, as in coco-caption. Scores depend on which\n"
    .. "images are scored, so compare complete splits only.",
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

-- The captions in the order of their ids and the references of each, tokenised.
local function read(args)
  local rows, references = annotations.captions(args.hyps), annotations.references(args.refs)
  table.sort(rows, before)
  local captions, lists = {}, {}
  for i, row in ipairs(rows) do
    local list = references[row.id]
    if not list then
      error(("%s: image %s has a caption, but no references in %s"):format(args.hyps, row.id, args.refs), 0)
    end
    if #list == 0 then error(("%s: image %s has an empty list of captions"):format(args.refs, row.id), 0) end
    captions[i], lists[i] = row.caption, tokenise(list)
  end
  return rows, lac.text.corpus(tokenise(captions), lists)
end

local function print_json(rows, result)
  local out = result.corpus
  out.images = #rows
  out.per_image = result.images
  print(lac.json.encode(out))
end

local function print_table(rows, result)
  if result.images then
    print("image_id\t" .. table.concat(standard.NAMES, "\t"))
    for i, row in ipairs(rows) do
      local cells = {tostring(row.id)}
      for _, name in ipairs(standard.NAMES) do cells[#cells + 1] = ("%.4f"):format(result.images[i][name]) end
      print(table.concat(cells, "\t"))
    end
    print()
  end
  for _, name in ipairs(standard.NAMES) do print(("%-8s %.4f"):format(name, result.corpus[name])) end
  print(("%-8s %d"):format("images", #rows))
end

function score.run(args)
  for _, name in ipairs {"refs", "hyps"} do
    if not args[name] then options.wrong("--%s FILE is missing; see lacuna score --help", name) end
  end
  local rows, captions <close> = read(args)
  local result = standard.score(captions)
  for i, row in ipairs(rows) do result.images[i].image_id = row.id end
  if not args.per_image then result.images = nil end
  if args.json then print_json(rows, result) else print_table(rows, result) end
end

return score
