--- The arrows between the folders: what each may include or require. A new arrow is a change of design.
local check = require "check"
local files = require "files"

local T = {}

local C = {
  core = {}, device = {"core"}, tensor = {"core", "device"}, gemm = {"core", "device", "tensor"},
  autograd = {"core", "device", "tensor", "gemm"}, ops = {"core", "device", "tensor", "gemm", "autograd"},
  layers = {"core", "device", "tensor", "gemm", "autograd", "ops"},
  sparse = {"core", "device", "tensor", "gemm", "autograd", "ops"}, io = {"core", "device", "tensor"},
  text = {"core", "io"},
  bind = {"core", "device", "tensor", "gemm", "autograd", "ops", "layers", "sparse", "io", "text"},
  cli = {"core", "bind"},
}

local LUA = {
  core = {}, nn = {"lac", "core"}, models = {"lac", "core", "nn"}, optim = {"lac", "core"}, data = {"lac", "core"},
  metrics = {"lac", "core"}, prune = {"lac", "core", "nn", "optim"},
  train = {"lac", "core", "nn", "models", "optim", "data", "metrics", "prune"},
  cli = {"lac", "core", "models", "optim", "data", "metrics", "train", "nn", "prune"},
}

local function list(pattern)
  local pipe = assert(io.popen("ls " .. check.settings.root .. "/" .. pattern .. " 2>/dev/null"))
  local found = {}
  for line in pipe:lines() do found[#found + 1] = line end
  pipe:close()
  check.yes(#found > 0, "nothing matches " .. pattern)
  return found
end

local function allows(arrows, from, to, path)
  check.yes(arrows[from], "the folder " .. from .. " has no row in this test")
  if from == to then return end
  for _, name in ipairs(arrows[from]) do
    if name == to then return end
  end
  error(path .. " must not use " .. to)
end

function T.c_files_include_only_what_lies_below_them()
  for _, path in ipairs(list "runtime/*/*.[ch]*") do
    local from = path:match("/runtime/(%l+)/")
    for to in files.read(path):gmatch('#include "(%l+)/') do allows(C, from, to, path) end
  end
end

function T.lua_headers_stay_in_bind_and_cli_and_opencl_headers_in_device_and_clblast()
  for _, path in ipairs(list "runtime/*/*.[ch]*") do
    local text, from = files.read(path), path:match("/runtime/(%l+)/")
    if text:find('#include [<"]lua') or text:find('#include <lauxlib') then
      check.yes(from == "bind" or from == "cli", path .. " includes Lua's headers")
    end
    if text:find("#include <CL/", 1, true) then
      check.yes(from == "device" or path:find("gemm/clblast%.c$"), path .. " includes OpenCL's headers")
    end
  end
end

function T.lua_modules_require_only_what_lies_below_them()
  for _, pattern in ipairs {"lua/*/*.lua", "lua/*/*/*.lua"} do
    for _, path in ipairs(list(pattern)) do
      local from = path:match("/lua/(%l+)/")
      for line in files.read(path):gmatch("[^\n]+") do
        local to = not line:find("^%s*%-%-") and line:match('require%s*%(?%s*"([%l_]+)')
        if to then allows(LUA, from, to, path) end
      end
    end
  end
end

function T.no_file_is_longer_than_600_lines()
  for _, pattern in ipairs {"runtime/*/*.[ch]*", "cl/*.cl", "lua/*/*.lua", "lua/*/*/*.lua"} do
    for _, path in ipairs(list(pattern)) do
      local lines = select(2, files.read(path):gsub("\n", "\n"))
      check.yes(lines <= 600, path .. " has " .. lines .. " lines")
    end
  end
end

function T.every_kernel_program_has_its_c_file()
  local without = {prelude = true, matmul = "gemm/tiled.c"} -- the prelude serves all; products are a provider's
  for _, path in ipairs(list "cl/*.cl") do
    local stem = path:match("([^/]+)%.cl$")
    if not without[stem] then check.equal(#list("runtime/*/" .. stem .. ".c"), 1) end
  end
end

return T
