--- lacuna eval: decode a split of a data file with models and score the captions, side by side.
local lac = require "lac"
local disk = require "core.disk"
local checkpoint = require "train.checkpoint"
local decoding = require "cli.decoding"
local evaluate = require "train.evaluate"
local native = require "cli.native"
local options = require "cli.options"
local plural = require "core.plural"
local sight = require "train.sight"
local standard = require "metrics.standard"
local stats = require "prune.stats"

local eval = {
  summary = "caption a split of a data file and score it, models side by side",
  usage = "lacuna eval MODEL.h5... --data D.h5 [--split test]",
  options = decoding.options({
    {name = "data", value = "FILE", help = "a data file, see lacuna data"},
    {name = "images", value = "DIR", help = "where the pictures of a data file of pictures are"},
    {name = "skip-missing", help = "leave images out whose pictures are not there or cannot be read"},
    {name = "split", value = "NAME", default = "test", choices = {"train", "val", "test"}, help = "which images"},
    {name = "batch", value = "N", type = "integer", min = 1, default = 50, help = "images at once"},
  }, {
    {name = "samples", value = "N", type = "integer", min = 0, default = 0, help = "captions to print"},
    {name = "majority", help = "also score the commonest training caption, given to every image"},
    {name = "captions", short = "o", value = "FILE", help = "write the (last model's) captions as JSON"},
    {name = "json", help = "print JSON"},
  }),
  arguments = {name = "MODEL", min = 1},
  details = "Scores are those of lacuna score. Images per second include encoding, decoding and words. A model\n"
    .. "RUN/best.h5 is called by the name of its run. With --sample scores are the mean over the N draws, and\n"
    .. "captions those of the first; with --groups an image's caption is the best that any group has found.",
}

-- Scores over several sets of captions.
local function mean_scores(judge, draws)
  local mean = {}
  for _, rows in ipairs(draws) do
    for name, value in pairs(judge(rows)) do mean[name] = (mean[name] or 0) + value / #draws end
  end
  return mean
end

-- One model's column.
local function judge_model(path, dataset, judge, args)
  local found = checkpoint.load(path)
  if not found.vocab then error(path .. ": there is no vocabulary in this model file", 0) end
  sight(found.model, dataset, path)
  local cfg = {decode = decoding.settings(args, found, path), batch = args.batch}
  local words = dataset.vocab
  dataset.vocab = found.vocab -- what the ids mean is the model's
  do -- the first batch builds kernels: not part of the time
    local scope <close> = lac.scope()
    local once = false
    evaluate.captions(found.model, dataset, args.split, {decode = cfg.decode, batch = cfg.batch,
      stop = function() local again = once; once = true; return again end})
  end
  local start = native.clock()
  cfg.decode = decoding.settings(args, found, path) -- the draws from their beginning
  local rows, draws = evaluate.captions(found.model, dataset, args.split, cfg)
  local seconds = native.clock() - start
  if #rows == 0 then error(("%s: no picture of the split %s can be read"):format(dataset.path, args.split), 0) end
  dataset.vocab = words
  local sparsity = stats.of(found.model)
  found.model:close()
  return {name = path, rows = rows, scores = mean_scores(judge, draws), sparsity = sparsity.sparsity,
          nonzeros = sparsity.kept, bytes = disk.size(path), images_per_second = #rows / seconds}
end

-- Of the images that the models have captioned.
local function majority_column(dataset, judge, captioned)
  local ids = {}
  for i, row in ipairs(captioned) do ids[i] = row.image_id end
  local rows = evaluate.majority(dataset, ids)
  return {name = "majority caption", rows = rows, scores = judge(rows)}
end

-- What the table calls each model: the run's folder for RUN/best.h5 and the like, else the file; the paths where
-- that would call two alike.
local function labels(paths)
  local list, seen = {}, {}
  for i, path in ipairs(paths) do
    local folder, file = path:match("([^/]+)/+([^/]+)$")
    local stem = (file or path):gsub("%.h5$", "")
    local of_run = stem:gsub("_sparse$", "")
    list[i] = folder and (of_run == "best" or of_run == "last") and folder:find("[^.]") and folder or stem
    if seen[list[i]] then return paths end
    seen[list[i]] = true
  end
  return list
end

-- Text in so many columns: the end of a name tells more than its beginning.
local function fit(text, room)
  local length = utf8.len(text)
  if not length then text, length = text:gsub("[\x80-\xff]", "?"), #text end
  if length <= room then return (" "):rep(room - length) .. text end
  return "..." .. text:sub(utf8.offset(text, length - room + 4))
end

local ROWS = {
  {"sparsity", function(c) return c.sparsity and ("%.2f %%"):format(100 * c.sparsity) end},
  {"non-zeros", function(c) return c.nonzeros and ("%d"):format(c.nonzeros) end},
}
for _, name in ipairs(standard.NAMES) do
  ROWS[#ROWS + 1] = {standard.label(name), function(c) return ("%.3f"):format(c.scores[name]) end}
end
ROWS[#ROWS + 1] = {"file size", function(c) return c.bytes and ("%.1f kB"):format(c.bytes / 1000) end}
ROWS[#ROWS + 1] = {"images/s", function(c) return c.images_per_second and ("%.0f"):format(c.images_per_second) end}

local NARROWEST, WIDEST = 10, 30

-- Columns as wide as the widest cell.
local function print_table(columns, title)
  local widths = {}
  for i, column in ipairs(columns) do
    widths[i] = math.min(WIDEST, math.max(NARROWEST, utf8.len(column.label) or #column.label))
  end
  local function line(label, cell)
    local out = {("%-18s"):format(label)}
    for i, column in ipairs(columns) do out[#out + 1] = fit(cell(column) or "-", widths[i]) end
    print(table.concat(out, "  "))
  end
  line(title, function(c) return c.label end)
  for _, row in ipairs(ROWS) do line(row[1], row[2]) end
end

-- A few of the images that were captioned, evenly over them: what was said beside what people said.
local function print_samples(columns, dataset, args)
  local references, rows, width = {}, columns[1].rows, #"reference"
  for _, image in ipairs(dataset:references(args.split)) do references[image.id] = image.captions[1] end
  local step = math.max(1, #rows // args.samples)
  for _, column in ipairs(columns) do width = math.max(width, math.min(WIDEST, utf8.len(column.label) or 0)) end
  for i = 1, math.min(args.samples, #rows) do
    local at = (i - 1) * step + 1
    local id = rows[at].image_id
    print(("\nimage %s"):format(id))
    print(("  %s  %s"):format(fit("reference", width), references[id]:gsub("%c", " ")))
    for _, column in ipairs(columns) do
      if column.bytes then print(("  %s  %s"):format(fit(column.label, width), column.rows[at].caption)) end
    end
  end
end

local function print_json(columns, args)
  local out = {}
  for i, column in ipairs(columns) do
    out[i] = column
    if not args.captions then column.rows = nil end
  end
  print(lac.json.encode(out))
end

function eval.run(args)
  decoding.check(args)
  if not args.data then options.wrong("--data FILE is missing; see lacuna eval --help") end
  local dataset <close> = require("data.captions").open {path = args.data, images = args.images,
    missing = args.skip_missing and "skip" or nil}
  if dataset:size(args.split) == 0 then
    error(("%s: there is no image in the split %s"):format(args.data, args.split), 0)
  end
  function dataset.note(_, text) io.stderr:write("lacuna: ", text, "\n") end
  local judge, columns = evaluate.judge(dataset, args.split), {}
  for i, path in ipairs(args) do columns[i] = judge_model(path, dataset, judge, args) end
  if args.captions then lac.files.write(args.captions, lac.json.encode(columns[#args].rows) .. "\n") end
  if args.majority then columns[#columns + 1] = majority_column(dataset, judge, columns[1].rows) end
  if args.json then return print_json(columns, args) end
  local names = labels(args)
  for i, column in ipairs(columns) do column.label = names[i] or "majority" end
  print_table(columns, ("%s, %s"):format(args.split, plural(#columns[1].rows, "image")))
  if args.samples > 0 then print_samples(columns, dataset, args) end
end

return eval
