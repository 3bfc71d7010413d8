--- lacuna info: what can compute here, or what is in a model file.
local lac = require "lac"
local disk = require "core.disk"
local checkpoint = require "train.checkpoint"
local sizes = require "train.sizes"
local storage = require "train.storage"
local suggest = require "core.suggest"
local native = require "cli.native"

local GIB = 1024 * 1024 * 1024

local info = {
  summary = "show the version and the OpenCL devices, or what is in a model file",
  usage = "lacuna info [devices | MODEL]",
  arguments = {name = "devices | MODEL", max = 1},
  details = "devices: the number, or P:D, or a word of the name is what LACUNA_DEVICE takes.\n"
    .. "MODEL: per tensor the non-zeros, the bytes now, and what lacuna export would make of it: dense float32 and\n"
    .. "float16, packed float32, float16 and int8, and the published COO format (20 bytes per non-zero). Sparsity is\n"
    .. "the share of zeros among the weights that pruning may touch; biases (no sparsity shown) are not. ~ is an\n"
    .. "estimate from the first rows of a large dense tensor, - a form that cannot hold the values. A file named\n"
    .. "devices is ./devices.",
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

local function settings(config)
  local names, parts = {}, {}
  for name in pairs(config) do if name ~= "name" then names[#names + 1] = name end end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = ("%s %s"):format(name, tostring(config[name])) end
  return table.concat(parts, ", ")
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
  local sparsity = row.maskable and ("%.2f %%"):format(100 * (1 - row.nonzeros / math.max(row.size, 1))) or ""
  local cells = {row.name, table.concat(row.shape, "x"), tostring(row.nonzeros), sparsity,
                 table.concat(now.parts, " + "), tostring(now.bytes)}
  for _, form in ipairs(sizes.FORMS) do
    local about = row.estimated and form:find("^packed") and "~" or ""
    cells[#cells + 1] = row[form] and about .. row[form] or "-"
  end
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

local function print_model(path)
  local file <close> = checkpoint.open(path)
  local found = checkpoint.read(file, path)
  local now, rows = stored(storage.records(file, path)), sizes.of(found.model)
  local head = {"tensor", "shape", "non-zeros", "sparsity", "stored", "bytes"}
  for _, form in ipairs(sizes.FORMS) do head[#head + 1] = TITLES[form] end
  local lines, sum = {head}, {bytes = 0, parts = {}}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = cells_of(row, now[row.name])
    sum.bytes = sum.bytes + now[row.name].bytes
  end
  local total = cells_of(rows.total, sum)
  total[4] = ("%.2f %%"):format(100 * rows.total.sparsity)
  lines[#lines + 1] = total
  print(("%s: %s, %d bytes"):format(path, found.config.model.name, disk.size(path)))
  print("  model       " .. settings(found.config.model))
  print("  decoding    " .. settings(found.config.decode))
  print("  vocabulary  " .. (found.vocab and found.vocab:size() .. " words" or "none") .. "\n")
  print_table(lines)
end

local function check_is_there(path)
  local file = io.open(path, "rb")
  if file then return file:close() end
  error(('info shows "devices" or a model file, and there is no file %s%s'):format(path,
    suggest.hint(path, {"devices"})), 0)
end

function info.run(args)
  local what = args[1]
  if what and what ~= "devices" then
    check_is_there(what)
    return print_model(what)
  end
  if not what then print(("lacuna %s, %s"):format(native.version, _VERSION)) end
  print_devices()
end

return info
