--- lacuna info: what can compute here, or what is in a model file or a run.
local lac = require "lac"
local disk = require "core.disk"
local Folder = require "train.folder"
local Sweep = require "train.sweep"
local checkpoint = require "train.checkpoint"
local ledger = require "train.ledger"
local sizes = require "train.sizes"
local sorted_keys = require "core.keys"
local standard = require "metrics.standard"
local state = require "train.state"
local storage = require "train.storage"
local suggest = require "core.suggest"
local native = require "cli.native"

local GIB = 1024 * 1024 * 1024

local info = {
  summary = "show the version and the OpenCL devices, or what is in a model file or a run",
  usage = "lacuna info [devices | MODEL | RUN] [--regions N] [--words N]",
  options = {
    {name = "regions", value = "N", type = "number", min = 1,
      help = "of the image that multiply-accumulates are counted for (36, or the mean of the run's data)"},
    {name = "words", value = "N", type = "number", min = 1,
      help = "of its caption, with one for the end (10, or the mean of the run's data)"},
  },
  arguments = {name = "devices | MODEL | RUN", max = 1},
  details = "devices: the number, or P:D, or a word of the name is what LACUNA_DEVICE takes.\n"
    .. "MODEL: per tensor the non-zeros, the bytes now, and what lacuna export would make of it: dense float32 and\n"
    .. "float16, packed float32, float16 and int8, and the published COO format (20 bytes per non-zero). Sparsity is\n"
    .. "the share of zeros among the weights that pruning may touch; biases (no sparsity shown) are not, nor what is\n"
    .. "not trained but measured, such as the means of a normalisation. ~ is an estimate from the first rows of a\n"
    .. "large dense tensor, - a form that cannot hold the values. MACs are the multiply-accumulates for an image with\n"
    .. "one caption: all, and those with weights that are not 0.\n"
    .. "RUN: a run's folder: how far it is, and the same of its best model, or the last.\n"
    .. "A file named devices is ./devices.",
}

-- Opens the device, since only then it is known which product it gets.
local function provider(spec)
  local ok, name = pcall(function()
    lac.device.use(spec)
    return lac.device.gemm()
  end)
  return ok and name or "unusable: " .. tostring(name)
end

local function describe(number, caps)
  local rows = {
    {"platform", ("%s (%s)"):format(caps.platform, caps.platform_version)},
    {"driver", caps.driver},
    {"kind", caps.kind},
    {"compute units", tostring(caps.compute_units)},
    {"memory", ("%.1f GiB, largest buffer %.1f GiB"):format(caps.global_bytes / GIB,
      caps.max_alloc_bytes / GIB)},
    {"native kernels", caps.native_kernels and "yes" or "no"},
    {"matrix products", provider(caps.spec)},
  }
  print(("device %d (%s): %s"):format(number, caps.spec, caps.name))
  for _, row in ipairs(rows) do print(("  %-15s  %s"):format(row[1], row[2])) end
end

local function print_devices()
  local list = lac.device.list()
  for i, caps in ipairs(list) do describe(i - 1, caps) end
  if #list == 0 then error("there is no OpenCL device; a CPU device comes with the package pocl-opencl-icd", 0) end
end

-- Models ---------------------------------------------------------------------------------------------

local TITLES = {dense32 = "dense f32", dense16 = "dense f16", packed32 = "packed f32", packed16 = "packed f16",
                packed8 = "packed int8", coo = "COO"}

-- A setting as text, lists with commas.
local function show(value)
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = tostring(item) end
  return table.concat(items, ", ")
end

local function settings(config)
  local parts = {}
  for _, name in ipairs(sorted_keys(config)) do
    local listed = name == "layers" and config.share_layer_encoder and config.share_layer_decoder
    if name ~= "name" and name ~= "encoder" and not listed then
      parts[#parts + 1] = ("%s %s"):format(name, show(config[name]))
    end
  end
  return table.concat(parts, ", ")
end

-- What is to be known of an encoder of pictures.
local function print_encoder(title, encoder, config)
  local seen = encoder.pictures
  print(("  %-10s  %s"):format(title, settings(config)))
  print(("  pictures    %dx%d, cut from %d; %dx%d positions of %d features"):format(seen.size, seen.size, seen.resize,
    encoder.positions[1], encoder.positions[2], encoder.features))
end

-- Per parameter the bytes in the file and how they are stored.
local function stored(records)
  local out = {}
  for _, r in ipairs(records) do
    local kind, name = r.name:match("^(%l+)/(.+)$")
    local at = out[name] or {bytes = 0, parts = {}}
    out[name], at.bytes = at, at.bytes + r.bytes
    at.parts[#at.parts + 1] = kind == "masks" and r.mask .. " mask" or r.values and r.form .. " " .. r.values or r.form
  end
  return out
end

local function cells_of(row, now)
  local sparsity = row.maskable and ("%.2f %%"):format(100 * (1 - row.nonzeros / math.max(row.size, 1)))
    or row.buffer and "not trained" or ""
  local cells = {row.name, table.concat(row.shape, "x"), tostring(row.nonzeros), sparsity,
                 table.concat(now.parts, " + "), tostring(now.bytes)}
  for _, form in ipairs(sizes.FORMS) do
    local about = row.estimated and form:find("^packed") and "~" or ""
    cells[#cells + 1] = row[form] and about .. row[form] or "-"
  end
  cells[#cells + 1] = row.macs_dense and tostring(row.macs_dense) or "-"
  cells[#cells + 1] = row.macs_sparse and tostring(row.macs_sparse) or "-"
  return cells
end

local LEFT = {[1] = true, [5] = true} -- columns of words

local function print_table(lines)
  local widths = {}
  for _, cells in ipairs(lines) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, cells in ipairs(lines) do
    local out = {}
    for i, cell in ipairs(cells) do
      local gap = (" "):rep(widths[i] - #cell)
      out[i] = LEFT[i] and cell .. gap or gap .. cell
    end
    print((table.concat(out, "  "):gsub(" +$", "")))
  end
end

local function print_layers(path, records, rows)
  local now = stored(records)
  local head = {"tensor", "shape", "non-zeros", "sparsity", "stored", "bytes"}
  for _, form in ipairs(sizes.FORMS) do head[#head + 1] = TITLES[form] end
  table.move({"MACs dense", "MACs sparse"}, 1, 2, #head + 1, head)
  local lines, sum = {head}, {bytes = 0, parts = {}}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = cells_of(row, now[row.name])
    sum.bytes = sum.bytes + now[row.name].bytes
  end
  local total = cells_of(rows.total, sum)
  total[4] = ("%.2f %%"):format(100 * rows.total.sparsity)
  lines[#lines + 1] = total
  print_table(lines)
  local macs = rows.total.macs_dense
  if macs and macs > 0 and not rows.image.regions then
    print(("\n%s: MACs for a picture, %.2f %% of them left by zeros"):format(path,
      100 * rows.total.macs_sparse / macs))
  elseif macs and macs > 0 then
    print(("\n%s: MACs for an image of %.4g regions and %.4g words, %.2f %% of them left by zeros"):format(path,
      rows.image.regions, rows.image.words, 100 * rows.total.macs_sparse / macs))
  end
end

-- The image that is asked for, or the usual one; the regions of a model with an encoder are its positions.
local function image_of(args, usual, model)
  local positions = model.encoder and model.encoder.positions
  return {regions = args.regions or positions and positions[1] * positions[2] or usual.regions,
          words = args.words or usual.words}
end

local function print_encoder_file(path, found, records)
  print(("%s: %s, an encoder of pictures, %d bytes"):format(path, found.config.model.name, disk.size(path)))
  print_encoder("settings", found.model, found.config.model)
  print()
  print_layers(path, records, ledger.of(found.model, {}))
end

local function print_model(path, args, usual)
  local file <close> = checkpoint.open(path)
  local found = checkpoint.read(file, path, "any")
  if found.config.kind == "encoder" then return print_encoder_file(path, found, storage.records(file, path)) end
  local rows = ledger.of(found.model, image_of(args, usual, found.model))
  print(("%s: %s, %d bytes"):format(path, found.config.model.name, disk.size(path)))
  print("  model       " .. settings(found.config.model))
  local encoder = found.config.model.encoder
  if encoder then print_encoder("encoder", found.model.encoder, encoder) end
  print("  decoding    " .. settings(found.config.decode))
  print("  vocabulary  " .. (found.vocab and found.vocab:describe() or "none") .. "\n")
  print_layers(path, storage.records(file, path), rows)
end

-- Runs -----------------------------------------------------------------------------------------------

-- Steps done and the best score so far, from the last checkpoint.
local function progress_of(folder)
  if not folder:has "last.h5" then return nil end
  local scope <close> = lac.scope()
  local tree = state.read(folder:at "last.h5")
  return tree and tree.loop.step, tree and tree.best
end

local WORDS = {running = ", a process works on it", failed = ", it failed: "}

local function describe_state(folder)
  local now, why = Sweep.look {path = folder.path}
  if now == "done" then return "finished" end
  local step = progress_of(folder)
  return (step and ("at step %d"):format(step) or "not one step is saved") .. (WORDS[now] or "") .. (why or "")
end

local function describe_best(folder, config)
  local _, best = progress_of(folder)
  if not best or best.step == 0 then return "none yet" end
  local eval = config.recipe.eval
  local keep = type(eval) == "table" and standard.GROUPS[eval.keep] and eval.keep or "cider"
  return ("%s %.3f on the validation split, at step %d"):format(standard.label(standard.main(keep)),
    best.score, best.step)
end

local function describe_test(folder)
  local test = folder:has "result.json" and folder:read_json("result.json").test
  if type(test) ~= "table" then return nil end
  local words = {}
  for _, name in ipairs(standard.NAMES) do
    if type(test[name]) == "number" then words[#words + 1] = ("%s %.3f"):format(standard.label(name), test[name]) end
  end
  return table.concat(words, ", ")
end

-- The model that speaks for the run.
local function model_of(folder)
  for _, name in ipairs {"best_sparse.h5", "last_sparse.h5", "best.h5", "last.h5"} do
    if folder:has(name) then return folder:at(name) end
  end
end

local function print_run(path, args)
  local folder = Folder(path)
  local config = folder:read_json "config.json"
  if type(config.recipe) ~= "table" then error(folder:at "config.json" .. ": there is no recipe in it", 0) end
  print(("%s: a run of %s"):format(path, tostring(config.path)))
  local overrides, test = table.concat(folder:overrides(), " "), describe_test(folder)
  if overrides ~= "" then print("  overrides   " .. overrides) end
  print("  state       " .. describe_state(folder))
  print("  best        " .. describe_best(folder, config))
  if test then print("  test        " .. test) end
  print()
  local model, typical = model_of(folder), type(config.typical) == "table" and config.typical or {}
  if not model then return print "there is no model yet" end
  print_model(model, args, {regions = tonumber(typical.regions) or ledger.USUAL.regions,
                            words = tonumber(typical.words) or ledger.USUAL.words})
end

local function check_is_there(path)
  local file = io.open(path, "rb")
  if file then return file:close() end
  error(('info shows "devices", a model file or a run, and there is no file %s%s'):format(path,
    suggest.hint(path, {"devices"})), 0)
end

function info.run(args)
  local what = args[1]
  if what and what ~= "devices" then
    check_is_there(what)
    what = what:gsub("(.)/+$", "%1")
    if Folder(what):has "config.json" then return print_run(what, args) end
    return print_model(what, args, ledger.USUAL)
  end
  if not what then print(("lacuna %s, %s"):format(native.version, _VERSION)) end
  print_devices()
end

return info
