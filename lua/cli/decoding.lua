--- Options that say how captions are found, the same for every command that finds some, and what they come to.
-- @module cli.decoding
local lac = require "lac"
local options = require "cli.options"
local Constraints = require "train.constraints"

local decoding = {}

local BEAM = 2 -- unless told
local STEEPEST = 20 -- power of a length penalty

local ROWS = {
  {name = "beam", value = "N", type = "integer", min = 1, max = 64,
   help = ("beams; 1 is greedy (default %d)"):format(BEAM)},
  {name = "length", value = "N", type = "integer", min = 1, max = 1000, help = "tokens per caption at most"},
  {name = "sample", value = "N", type = "integer", min = 1, max = 1000, help = "draw N captions per image"},
  {name = "seed", value = "N", type = "integer", help = "of the draws (default 1)"},
  {name = "temperature", value = "X", type = "number", help = "divides the scores of draws and beams (default 1)"},
  {name = "top-k", value = "N", type = "integer", min = 1, help = "draw from the N likeliest words"},
  {name = "nucleus", value = "P", type = "number",
   help = "draw from the likeliest words that have probability P together"},
  {name = "groups", value = "N", type = "integer", min = 2, max = 64,
   help = "beams in N groups that avoid each other's words"},
  {name = "diversity", value = "X", type = "number", help = "how much they avoid them (default 0.5)"},
  {name = "length-penalty", value = "HOW", help = "rank beams by wu:X (Wu et al. 2016) or avg (the mean)"},
  {name = "no-repeat", help = "no word twice in a row"},
  {name = "no-unknown", help = "never the unknown word"},
  {name = "no-bad-endings", help = "no caption that ends in " .. table.concat(Constraints.BAD_ENDINGS, ", ")},
}

--- Rows of options with those of decoding among them.
-- @tparam table before, after rows of the command's own
-- @treturn table
function decoding.options(before, after)
  local rows = table.move(before, 1, #before, 1, {})
  table.move(ROWS, 1, #ROWS, #rows + 1, rows)
  return table.move(after, 1, #after, #rows + 1, rows)
end

-- What has no effect without something else: the option, whether that is there, and what it is.
local function needs(args, names, given, what)
  for _, name in ipairs(names) do
    local key = name:gsub("-", "_")
    if args[key] ~= nil and not given then options.wrong("--%s has no effect without %s", name, what) end
  end
end

local function read_penalty(text)
  if not text then return nil end
  local power = tonumber(text:match("^wu:(.+)$"))
  if power and math.abs(power) <= STEEPEST then return {"wu", power} end
  if text == "avg" then return {"avg"} end
  options.wrong('--length-penalty must be wu:X with a number X of -%d .. %d, such as wu:0.9, or avg, got "%s"',
    STEEPEST, STEEPEST, text)
end

local function check_ranges(args)
  local t, p, d = args.temperature, args.nucleus, args.diversity
  if t and not (t > 0 and t <= 1e6) then options.wrong("--temperature must be above 0 and at most 1e6, got %s", t) end
  if p and not (p > 0 and p <= 1) then options.wrong("--nucleus must be above 0 and at most 1, got %s", p) end
  if d and not (d >= 0 and d < math.huge) then options.wrong("--diversity must be 0 or more, got %s", d) end
end

--- Refuse what has no effect or no meaning, before anything is read.
-- @tparam table args as options.parse gives them
-- @raise wrong usage
function decoding.check(args)
  check_ranges(args)
  local width = args.beam or BEAM
  if args.sample and args.beam then options.wrong("--sample draws captions and --beam searches them; leave one out") end
  needs(args, {"seed", "top-k", "nucleus"}, args.sample, "--sample")
  needs(args, {"temperature"}, args.sample or width > 1, "--sample or two beams")
  needs(args, {"length-penalty", "groups"}, not args.sample and width > 1, "two beams")
  needs(args, {"diversity"}, args.groups, "--groups")
  if args.groups and width % args.groups ~= 0 then
    options.wrong("--groups must divide --beam, got %d and %d", args.groups, width)
  end
  read_penalty(args.length_penalty)
end

-- What captions must not say, as ids of a tokenizer.
local function constraints_of(args, words, path)
  if not (args.no_repeat or args.no_unknown or args.no_bad_endings) then return nil end
  if words.kind ~= "word" then
    error(("%s: its ids are not whole words (they are %s); --no-repeat, --no-unknown and --no-bad-endings are about "
      .. "those"):format(path, words.unit or "pieces"), 0)
  end
  local endings = {}
  for _, word in ipairs(args.no_bad_endings and Constraints.BAD_ENDINGS or {}) do
    local id = words:ids_of(word)[1]
    if id ~= words.unk then endings[#endings + 1] = id end
  end
  return {no_repeat = args.no_repeat, unknown = args.no_unknown and words.unk or nil, bad_endings = endings}
end

--- What options say for a model.
-- @tparam table args
-- @tparam table found as train.checkpoint loads it, with a vocabulary
-- @tparam string path of it, for messages
-- @treturn table cfg for train.decode
function decoding.settings(args, found, path)
  return {
    beam = args.beam or BEAM, sample = args.sample, rng = args.sample and lac.rng(args.seed or 1):fork("captions"),
    length = args.length or found.config.decode.length, bos = found.vocab.bos, eos = found.vocab.eos,
    temperature = args.temperature, top_k = args.top_k, nucleus = args.nucleus, groups = args.groups,
    diversity = args.diversity, penalty = read_penalty(args.length_penalty),
    constraints = constraints_of(args, found.vocab, path),
  }
end

return decoding
