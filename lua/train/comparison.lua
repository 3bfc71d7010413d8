--- The finished runs of a folder side by side: a row per method, a column per target, the mean over seeds.
--
-- A row's label is what the runs' overrides say besides the target and the seed, without what all of them say; where
-- they say nothing else, the recipe's name, or the method's where there is one recipe. Dense runs are a row "dense".
-- @module train.comparison
local chart = require "core.chart"
local disk = require "core.disk"
local keys = require "core.keys"
local Folder = require "train.folder"
local recipe = require "train.recipe"
local standard = require "metrics.standard"

local comparison = {}

local SCORE, SECOND = "CIDEr", "Bleu_4"
local APART = 0.005 -- a sparsity so far from the target is told

-- Collecting -----------------------------------------------------------------------------------------

local function has_scores(test)
  if type(test) ~= "table" then return false end
  for _, name in ipairs(standard.NAMES) do
    if type(test[name]) ~= "number" then return false end
  end
  return true
end

-- What a run's folder says, nil where it is none.
local function read_run(path, name)
  local folder = Folder(path .. "/" .. name)
  if not disk.exists(folder:at "config.json") then return nil end
  local config = folder:read_json "config.json"
  local cfg = type(config.recipe) == "table" and config.recipe or {}
  local prune = type(cfg.prune) == "table" and cfg.prune or nil
  local run = {name = name, words = folder:overrides(), seed = cfg.seed, method = prune and prune.method,
               recipe = recipe.name_of(type(config.path) == "string" and config.path or name)}
  if folder:has "result.json" then
    local result = folder:read_json "result.json"
    run.sparsity = tonumber(result.sparsity) or 0
    run.test = has_scores(result.test) and result.test or nil
    local came_to = math.floor(1000 * run.sparsity + 0.5) / 1000 -- where the target is a schedule
    run.target = prune and (tonumber(result.target) or tonumber(prune.target) or came_to) or 0
  end
  return run
end

--- The runs below a folder.
-- @tparam string path
-- @tparam table names of what is in it
-- @treturn table list of runs; test, sparsity and target are nil in one that is not finished
-- @raise names a file that is not readable
function comparison.read(path, names)
  local runs, sorted = {}, table.move(names, 1, #names, 1, {})
  table.sort(sorted)
  for _, name in ipairs(sorted) do runs[#runs + 1] = read_run(path, name) end
  return runs
end

-- Labels ---------------------------------------------------------------------------------------------

-- The overrides that may be part of a label; which weights a run keeps changes nothing in it.
local function telling(run, is_run)
  local words = {}
  for _, word in ipairs(run.words) do
    local key, text = recipe.split(word)
    local start = key == "prune.start" and is_run[text:match("[^/]+$") or text]
    local dense = not run.method and (key == "prune" or key:find("^prune%."))
    local apart = key == "seed" or key == "prune.target" or key == "save.keep"
    if not apart and not start and not dense then words[#words + 1] = word end
  end
  return words
end

-- Overrides that every run has which could have them: dense ones have none of prune.
local function common_words(runs)
  local count, pruned = {}, 0
  for _, run in ipairs(runs) do
    pruned = pruned + (run.method and 1 or 0)
    for _, word in ipairs(run.telling) do count[word] = (count[word] or 0) + 1 end
  end
  local common = {}
  for word, n in pairs(count) do
    local key = recipe.split(word)
    local all = key:find("^prune") and pruned or #runs
    common[word] = n == all and key ~= "prune.method"
  end
  return common
end

local function said(run, common)
  local parts = {}
  for _, word in ipairs(run.telling) do
    local key, text = recipe.split(word)
    if key == "prune.method" then
      table.insert(parts, 1, text)
    elseif not common[word] then
      parts[#parts + 1] = word:gsub("^prune%.", "")
    end
  end
  return table.concat(parts, ", ")
end

-- Give every run its row's label.
local function label(runs)
  local is_run, recipes, several = {}, {}, false
  for _, run in ipairs(runs) do
    is_run[run.name] = true
    several = several or (recipes[1] and recipes[1] ~= run.recipe)
    recipes[1] = recipes[1] or run.recipe
  end
  for _, run in ipairs(runs) do run.telling = telling(run, is_run) end
  local common, owners = common_words(runs), {}
  for _, run in ipairs(runs) do
    local text = said(run, common)
    if not run.method then
      run.label = "dense" .. (text ~= "" and ", " .. text or "")
    else
      run.label = text ~= "" and text or several and run.recipe or run.method
    end
    owners[run.label] = owners[run.label] or {}
    owners[run.label][run.recipe] = true
  end
  for _, run in ipairs(runs) do
    local owner = owners[run.label]
    if next(owner, next(owner)) then run.label = ("%s (%s)"):format(run.label, run.recipe) end
  end
end

-- Statistics -----------------------------------------------------------------------------------------

--- Mean and spread of some numbers.
-- @tparam table values at least one
-- @treturn number mean
-- @treturn ?number standard deviation (of a sample) of three and more, half the range of two, nil of one
function comparison.spread(values)
  local n, sum, squares = #values, 0, 0
  for _, v in ipairs(values) do sum = sum + v end
  local mean = sum / n
  if n == 1 then return mean, nil end
  if n == 2 then return mean, math.abs(values[1] - values[2]) / 2 end
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
  return mean, math.sqrt(squares / (n - 1))
end

local function cell_of(runs)
  local cell = {runs = #runs, seeds = {}, mean = {}, spread = {}}
  local sparsity = {}
  for i, run in ipairs(runs) do cell.seeds[i], sparsity[i] = run.seed, run.sparsity end
  for _, name in ipairs(standard.NAMES) do
    local values = {}
    for i, run in ipairs(runs) do values[i] = run.test[name] end
    cell.mean[name], cell.spread[name] = comparison.spread(values)
  end
  cell.sparsity = comparison.spread(sparsity)
  table.sort(cell.seeds)
  return cell
end

--- Rows, columns and cells of the table.
-- @tparam table runs from read
-- @treturn table targets, ascending; rows = list of {label, dense, cells = target -> {runs, seeds, sparsity, mean =
-- score -> number, spread = score -> number or nil}}, dense ones last; seeds = how many different ones there are;
-- without = finished runs that have no scores of a test split
function comparison.of(runs)
  label(runs)
  local groups, targets, seeds, out = {}, {}, {}, {rows = {}, without = 0}
  for _, run in ipairs(runs) do
    if run.seed then seeds[run.seed] = true end
    if run.sparsity and not run.test then out.without = out.without + 1 end
    if run.test then
      local group = groups[run.label] or {dense = not run.method}
      groups[run.label], targets[run.target] = group, true
      group[run.target] = group[run.target] or {}
      table.insert(group[run.target], run)
    end
  end
  out.targets, out.seeds = keys(targets), #keys(seeds)
  for _, dense in ipairs {false, true} do
    for _, name in ipairs(keys(groups)) do
      local row = {label = name, dense = dense, cells = {}}
      for _, target in ipairs(out.targets) do
        row.cells[target] = groups[name][target] and cell_of(groups[name][target])
      end
      if groups[name].dense == dense then out.rows[#out.rows + 1] = row end
    end
  end
  return out
end

-- Text -----------------------------------------------------------------------------------------------

local function percent(x)
  return ("%.4g %%"):format(100 * x)
end

local function cell_text(cell, target, seeds)
  if not cell then return "-" end
  local spread = cell.spread[SCORE]
  local text = ("%.3f%s (%.3f)"):format(cell.mean[SCORE], spread and (" ± %.3f"):format(spread) or "",
    cell.mean[SECOND])
  if math.abs(cell.sparsity - target) > APART then text = text .. (" at %.1f %%"):format(100 * cell.sparsity) end
  if cell.runs < seeds then text = text .. (" [%d of %d seeds]"):format(cell.runs, seeds) end
  return text
end

local function caption(table_, marked)
  local most = 0
  for _, row in ipairs(table_.rows) do
    for _, cell in pairs(row.cells) do most = math.max(most, cell.runs) end
  end
  local text = {"CIDEr (BLEU-4) on the test split by the share of weights pruned"}
  if most > 1 then
    text[1] = text[1] .. ", means over seeds; ± is " .. (most == 2 and "half the range of two seeds"
      or "the standard deviation over seeds (half the range where there are two)")
  end
  if marked then text[#text + 1] = '"at" gives the sparsity reached where it is not the one asked for' end
  if table_.without > 0 then text[#text + 1] = ("Left out for want of test scores: %d"):format(table_.without) end
  return table.concat(text, ". ") .. "."
end

-- Cells of one width, as Markdown wants a table and a reader too.
local function aligned(lines)
  local widths, out = {}, {}
  for _, cells in ipairs(lines) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 3, utf8.len(cell) or #cell) end
  end
  for n, cells in ipairs(lines) do
    local padded, rule = {}, {}
    for i, cell in ipairs(cells) do
      padded[i] = cell .. (" "):rep(widths[i] - (utf8.len(cell) or #cell))
      rule[i] = ("-"):rep(widths[i])
    end
    out[#out + 1] = "| " .. table.concat(padded, " | ") .. " |"
    if n == 1 then out[#out + 1] = "| " .. table.concat(rule, " | ") .. " |" end
  end
  return table.concat(out, "\n") .. "\n"
end

--- The table as Markdown, its caption below it.
-- @tparam table table_ from of
-- @treturn string
function comparison.markdown(table_)
  local lines, marked = {{"method"}}, false
  for _, target in ipairs(table_.targets) do table.insert(lines[1], percent(target)) end
  for _, row in ipairs(table_.rows) do
    local line = {(row.label:gsub("|", "\\|"))}
    for _, target in ipairs(table_.targets) do
      local text = cell_text(row.cells[target], target, table_.seeds)
      marked = marked or text:find(" at ", 1, true) ~= nil
      line[#line + 1] = text
    end
    lines[#lines + 1] = line
  end
  return aligned(lines) .. "\n" .. caption(table_, marked) .. "\n"
end

local function field(value)
  if value == nil then return "" end
  if type(value) ~= "string" then return math.type(value) == "float" and ("%.6g"):format(value) or tostring(value) end
  return value:find('[,"\n]') and '"' .. value:gsub('"', '""') .. '"' or value
end

--- The table for other programs: a line per cell, with all scores.
-- @tparam table table_ from of
-- @treturn string comma-separated values (RFC 4180)
function comparison.csv(table_)
  local head = {"method", "target", "sparsity", "runs", "seeds"}
  for _, name in ipairs(standard.NAMES) do
    head[#head + 1] = name
    head[#head + 1] = name .. "_spread"
  end
  local lines = {table.concat(head, ",")}
  for _, row in ipairs(table_.rows) do
    for _, target in ipairs(table_.targets) do
      local cell = row.cells[target]
      if cell then
        local fields = {field(row.label), field(target), field(cell.sparsity), field(cell.runs),
                        table.concat(cell.seeds, " ")}
        for _, name in ipairs(standard.NAMES) do
          fields[#fields + 1] = field(cell.mean[name])
          fields[#fields + 1] = field(cell.spread[name])
        end
        lines[#lines + 1] = table.concat(fields, ",")
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Picture --------------------------------------------------------------------------------------------

-- Where a sparsity is along the axis: equal steps halve what is left.
local function place(sparsity)
  return -math.log(math.max(1e-6, 1 - sparsity), 2)
end

--- CIDEr against sparsity, a line per row, dense rows level lines.
-- @tparam table table_ from of
-- @treturn string SVG
function comparison.chart(table_)
  local picture = {title = "CIDEr on the test split by the share of weights pruned",
                   x = {label = "weights pruned (the axis counts halvings of what is left)", ticks = {}},
                   y = {label = "CIDEr"}, lines = {}, levels = {}}
  for _, target in ipairs(table_.targets) do
    local pruned = false
    for _, row in ipairs(table_.rows) do pruned = pruned or (not row.dense and row.cells[target]) end
    if pruned then table.insert(picture.x.ticks, {at = place(target), text = percent(target)}) end
  end
  for _, row in ipairs(table_.rows) do
    local points = {}
    for _, target in ipairs(table_.targets) do
      local cell = row.cells[target]
      if cell then
        local spread = cell.spread[SCORE] or 0
        points[#points + 1] = {x = place(cell.sparsity), y = cell.mean[SCORE], spread = spread}
      end
    end
    local list = row.dense and picture.levels or picture.lines
    list[#list + 1] = {label = row.label, points = points, y = points[1].y, spread = points[1].spread}
  end
  return chart.svg(picture)
end

--- Write table.md, table.csv and chart.svg into the folder of the runs.
-- @tparam string path
-- @tparam table names of what is in it
-- @treturn ?string the table as Markdown; nil where no run has scores yet
function comparison.write(path, names)
  local table_ = comparison.of(comparison.read(path, names))
  if #table_.rows == 0 then return nil end
  local folder, text = Folder(path), comparison.markdown(table_)
  folder:write("table.md", text)
  folder:write("table.csv", comparison.csv(table_))
  folder:write("chart.svg", comparison.chart(table_))
  return text
end

return comparison
