--- The test runner: finds tests/<area>/test_*.lua and the C test programs, runs each, counts.
--
--   lacuna run --trust tests/run.lua [PATTERN]
--
-- A test file returns a table of functions named as sentences. After every test all device bytes must be
-- back where they were. Modes (set by tests/run.sh): "all" and "asan" run everything; "oclgrind" and
-- "device" run the areas that test operators. Files under OPERATORS are the operator tests.
local root = (arg and arg[0] or "tests/run.lua"):match("^(.*)/[^/]*$") or "."
package.path = root .. "/?.lua;" .. package.path

local lac = require "lac"
local check = require "check"
local clock = clock -- luacheck: globals clock

local OPERATORS = {device = true, tensor = true, autograd = true, ops = true, layers = true, sparse = true}

local mode = os.getenv("LACUNA_TEST_MODE") or "all"
local build = os.getenv("LACUNA_TEST_BUILD") or "build"
local pattern = arg and arg[1]
check.settings.root = root .. "/.." -- of the source
check.settings.build = build
check.settings.mode = mode
check.settings.lacuna = build .. "/bin/lacuna"
check.settings.shared = os.getenv("LACUNA_SHARED") or root .. "/../../shared"

local passed, failed, skipped = 0, 0, 0
local SLOW = 10 -- seconds; slower tests are named, since the whole suite should stay short

local function list(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local function report_failure(name, message)
  failed = failed + 1
  print("FAILED  " .. name .. "\n        " .. tostring(message):gsub("\n", "\n        "))
end

local function used_bytes()
  collectgarbage()
  collectgarbage() -- objects freed by finalisers of the first round
  return lac.device.memory().used_bytes
end

local function run_test(name, test)
  local before, start = used_bytes(), clock()
  local good, message = xpcall(test, function(raised)
    if type(raised) == "table" then return raised end
    return (debug.traceback(raised, 2):gsub("\n%s*%[C%]: in function 'xpcall'.*", ""))
  end)
  local after = used_bytes()
  if clock() - start > SLOW then print(("slow    %s: %.1f s"):format(name, clock() - start)) end
  local reason = not good and check.skip_reason(message)
  if reason then
    skipped = skipped + 1
    print("skipped " .. name .. ": " .. reason)
  elseif not good then
    report_failure(name, message)
  elseif after ~= before then
    report_failure(name, string.format("%d device bytes before the test, %d after it", before, after))
  else
    passed = passed + 1
  end
end

local function run_lua_file(path)
  local chunk, problem = loadfile(path, "t")
  if not chunk then return report_failure(path, problem) end
  local good, tests = pcall(chunk)
  if not good or type(tests) ~= "table" then return report_failure(path, tests) end
  local names = {}
  for name in pairs(tests) do names[#names + 1] = name end
  table.sort(names)
  if #names == 0 then report_failure(path, "the file holds no test") end
  for _, name in ipairs(names) do
    run_test(path:match("([^/]+/[^/]+)%.lua$") .. "." .. name, tests[name])
  end
end

--- A C test prints its failures and ends with "N passed, N failed[, N skipped]".
local function run_program(path)
  local pipe = assert(io.popen(path .. " 2>&1; echo \"exit $?\""))
  local output = pipe:read("a")
  pipe:close()
  local good, bad = output:match("(%d+) passed, (%d+) failed")
  local status = tonumber(output:match("exit (%d+)\n$"))
  local name = path:match("[^/]+$")
  if not good then return report_failure(name, "no count at the end:\n" .. output:sub(-2000)) end
  passed = passed + tonumber(good)
  skipped = skipped + tonumber(output:match("(%d+) skipped") or 0)
  if tonumber(bad) > 0 then
    failed = failed + tonumber(bad)
    print("FAILED  " .. name .. "\n" .. output)
  elseif status ~= 0 then
    report_failure(name, "exit status " .. tostring(status) .. "\n" .. output:sub(-2000))
  end
end

local operators_only = mode == "oclgrind" or mode == "device"
print("device: " .. lac.device.info().name .. " (" .. lac.device.info().platform .. "), products: " ..
      lac.device.gemm())
for _, path in ipairs(list("find '" .. root .. "' -name 'test_*.lua' | sort")) do
  local area = path:match("([^/]+)/[^/]+$")
  if (not operators_only or OPERATORS[area]) and (not pattern or path:find(pattern, 1, true)) then
    run_lua_file(path)
  end
end
if not operators_only then
  for _, path in ipairs(list("find '" .. build .. "/tests' -maxdepth 1 -name 'test_*' -type f | sort")) do
    if not pattern or path:find(pattern, 1, true) then run_program(path) end
  end
end

if passed + failed == 0 then
  print("no test matches " .. tostring(pattern))
  failed = 1
end
if skipped > 0 then print(skipped .. " skipped") end
print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and 0 or 1, true)
