--- What the commands that run recipes share: the environment of a recipe, and the terminal, clock and signals of the
-- training that follows.
-- @module cli.recipes
local lac = require "lac"
local bar = require "cli.bar"
local native = require "cli.native"
local sandbox = require "core.sandbox"
local schedule = require "optim.schedule"
local standard = require "metrics.standard"
local suggest = require "core.suggest"

local recipes = {}

local MIB = 1024 * 1024
local GUARD_STEPS = 10000000 -- Lua instructions that a function of a recipe may take, each time it is called

-- The schedules, and a sentence for those that do not exist.
local function schedules()
  local out, names = {}, {}
  for name, make in pairs(schedule) do
    out[name] = make
    if name ~= "at" then names[#names + 1] = name end
  end
  table.sort(names)
  return setmetatable(out, {__index = function(_, name)
    error(('there is no schedule "%s"%s; there are %s'):format(tostring(name), suggest.hint(tostring(name), names),
      table.concat(names, ", ")), 2)
  end})
end

--- The globals of a script or recipe.
-- @tparam boolean trusted all of Lua
-- @tparam table globals to offer besides lac
function recipes.environment(trusted, globals)
  globals.schedule = schedules()
  if not trusted then
    return sandbox.environment {folder = native.lua_dir, lac = lac, globals = globals}
  end
  rawset(_G, "lac", lac)
  for name, value in pairs(globals) do rawset(_G, name, value) end
  return _G
end

-- Which modules a part of a recipe may name.
local FITS = {
  data = function(m) return m.open and m.defaults end,
  model = function(m) return m.defaults and m.forward end,
  encoder = function(m) return m.defaults and m.forward end,
  optim = function(m) return m.rule and m.new end,
  prune = function(m) return m.defaults and m.new end,
  loss = function(m) return m.defaults and m.new end,
}
local FOLDERS = {model = "models", encoder = "models/encoders", loss = "train/losses"}

local function find(part, name)
  local folder = FOLDERS[part] or part
  if name then
    if not name:find("^[%l_%d]+$") then return nil end
    local path = folder:gsub("/", ".") .. "." .. name
    if not package.searchpath(path, native.lua_dir .. "/?.lua") then return nil end
    local module = require(path)
    return type(module) == "table" and FITS[part](module) and module or nil
  end
  local names = {}
  for _, file in ipairs(assert(native.list(native.lua_dir .. "/" .. folder))) do
    local known = file:match("^(.+)%.lua$")
    if known and find(part, known) then names[#names + 1] = known end
  end
  table.sort(names)
  return names
end

-- A recipe's function that cannot run for ever.
local function guard(fn)
  return function(...)
    native.steps(GUARD_STEPS)
    local results = table.pack(pcall(fn, ...))
    native.steps(0)
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end
end

--- What train.recipe and train.run want to know of the program.
-- @tparam table cfg trusted; overrides, list of "key=value"; globals to offer besides those of every recipe; memory
-- that Lua values may take, in MiB
-- @treturn table how
function recipes.how(cfg)
  native.memory((cfg.memory or 4096) * MIB)
  local env = recipes.environment(cfg.trusted, cfg.globals or {clock = native.clock})
  return {
    script = function(text, name) return sandbox.compile(text, name, env) end,
    compile = function(text, name)
      local chunk, why = sandbox.compile(text, name, env)
      return chunk and (cfg.trusted and chunk or guard(chunk)), why
    end,
    find = find, guard = not cfg.trusted and guard or nil, overrides = cfg.overrides or {}, trusted = cfg.trusted,
    installed = native.lua_dir .. "/../recipes",
  }
end

-- A bar that is made when the number of steps is known.
local function late_bar()
  local shown
  return {
    start = function(_, done, total)
      shown = bar(total)
      shown:update(done)
    end,
    update = function(_, done, fields) shown:update(done, fields) end,
    note = function(_, text) shown:note(text) end,
    finish = function() if shown then shown:finish() end end,
  }
end

--- The terminal, clock and signals for train.run.
function recipes.host()
  return {
    clock = native.clock, time = os.time, stop = native.interrupted, list = native.list, progress = late_bar(),
    print = function(text) io.stderr:write(text, "\n") end,
    device = function()
      local device = lac.device.info()
      device.lacuna = native.version
      return device
    end,
  }
end

local function percent(x)
  return ("%.2f %%"):format(100 * x)
end

--- Run to the end, or to Ctrl-C, and say what came out. From now on the first Ctrl-C only asks to stop; a second one
-- ends the process.
-- @tparam train.run run
-- @treturn integer exit status
function recipes.go(run)
  local folder = run.folder.path
  native.watch()
  local result = run:go()
  run:close()
  if not result then
    io.stderr:write(("lacuna: stopped and saved; lacuna resume %s goes on\n"):format(folder))
    return 130
  end
  recipes.report(folder, result)
  return 0
end

--- The result of a finished run.
function recipes.report(folder, result)
  print(("%s/%s: %d of %d weights left (sparsity %s)"):format(folder, result.model, result.nonzeros,
    result.weights, percent(result.sparsity)))
  local scores = result.test
  if not scores then return print("there is no test split") end
  local words = {}
  for i, name in ipairs {"Bleu_1", "Bleu_4", "ROUGE_L", "CIDEr"} do
    words[i] = ("%s %.3f"):format(standard.label(name), scores[name])
  end
  print("test split: " .. table.concat(words, ", "))
end

return recipes
