--- lacuna info: the version and what can compute here.
local lac = require "lac"
local native = require "cli.native"
local options = require "cli.options"

local GIB = 1024 * 1024 * 1024

local info = {
  summary = "show the version and the OpenCL devices",
  usage = "lacuna info [devices]",
  arguments = {name = "devices", max = 1},
  details = "The number, or P:D, or a word of the name is what LACUNA_DEVICE takes.",
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

function info.run(args)
  if args[1] and args[1] ~= "devices" then
    options.wrong('info knows "devices", not "%s"; see lacuna info --help', args[1])
  end
  if not args[1] then print(("lacuna %s, %s"):format(native.version, _VERSION)) end
  local list = lac.device.list()
  for i, caps in ipairs(list) do describe(i - 1, caps) end
  if #list == 0 then error("there is no OpenCL device; a CPU device comes with the package pocl-opencl-icd", 0) end
end

return info
