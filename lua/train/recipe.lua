--- Recipes: a base and its differences, overrides from the command line, and the keys that a recipe may have.
--
-- A recipe is a table. `base` names another one that it differs from: "ucm/updown" is ucm/updown.lua in the folder
-- of the recipe, in the one above it, or among the installed recipes. Parts are laid over each other key by key; a
-- list replaces a list, and a part with another `name` or `method` replaces the whole part.
--
-- What may be a number or a schedule (optim.schedule) may be any function of progress, f(t, at).
-- @module train.recipe
local disk = require "core.disk"
local config = require "core.config"
local schedule = require "optim.schedule"
local sorted_keys = require "core.keys"
local suggest = require "core.suggest"
local sizes = require "core.every"
local standard = require "metrics.standard"

local recipe = {}

local scheduled = config.optional("number", "function")

--- What a recipe may say, parts that name their own module aside.
recipe.defaults = {
  seed = 8888,
  data = {name = "captions"},
  model = {name = "updown"},
  optim = {name = "adam", lr = scheduled},
  stages = config.optional("table"),
  prune = config.optional("table"),
  methods = {}, -- settings that pruning methods have in this recipe when they are chosen: {supermask = {weight = 120}}
  eval = {
    every = config.either("1 epoch", "number"), -- of the validation split, see core.every
    beam = 1, -- width while training
    test_beam = 2, -- width for the test split at the end
    batch = 50, -- images at once
    length = config.optional("number"), -- tokens of a caption at most; data.length unless given
    metrics = {"bleu", "rouge", "cider"}, -- what is shown and logged
    keep = "cider", -- the best checkpoint is best by this
  },
  save = {
    every = config.either("5 minutes", "number"), -- besides every evaluation and the end
    keep = {}, -- steps whose weights stay in the run's folder, for lottery tickets
  },
  log = {every = 25}, -- steps
}

--- What an item of `stages` may say.
recipe.stage = {
  epochs = config.optional("number"), -- or steps
  steps = config.optional("number"),
  loss = {name = "xent"}, -- and what loss.<name> takes
  sampling = config.either(0, "function"), -- share of words taken from the model itself (scheduled sampling)
  lr = scheduled, -- in place of optim.lr
  freeze = {}, -- patterns of names (core.select) of weights that keep their values
  prune = {}, -- settings of the pruning method in this stage, where the method lets stages differ
  masks = config.either("trained", "table"), -- what pruning may change: "trained" (all), "frozen" (none), or patterns
}

-- Reading --------------------------------------------------------------------------------------------

-- Whether a part chooses another module than the one below it; `usual` is what silence chooses.
local function renamed(below, above, usual)
  for key, default in pairs {name = usual or false, method = false} do
    if above[key] ~= nil and above[key] ~= (below[key] or default) and (below[key] or default) then return true end
  end
  return false
end

-- `above` laid over `below`; `defaults` of this part tell which module silence chooses.
local function lay(below, above, defaults)
  defaults = type(defaults) == "table" and defaults or {}
  if not config.is_part(below) or not config.is_part(above) or renamed(below, above, defaults.name) then
    return config.copy(above)
  end
  local out = config.copy(below)
  for key, value in pairs(above) do
    if out[key] == nil then out[key] = config.copy(value) else out[key] = lay(out[key], value, defaults[key]) end
  end
  return out
end

local function folder_of(path)
  return path:match("^(.*)/[^/]*$") or "."
end

-- The file that `base = name` means in the recipe at path.
local function find_base(name, path, installed)
  if type(name) ~= "string" then
    error(("%s: base must be the name of a recipe, got a %s"):format(path, type(name)), 0)
  end
  local here = folder_of(path)
  local tried = {}
  for _, folder in ipairs {here, here .. "/..", installed} do
    local file = folder .. "/" .. name:gsub("%.lua$", "") .. ".lua"
    if disk.exists(file) then return file end
    tried[#tried + 1] = file
  end
  error(("%s: there is no base recipe \"%s\"; looked for %s"):format(path, name, table.concat(tried, ", ")), 0)
end

-- A table within itself, or nearly so.
local function check_depth(value, path, depth)
  if type(value) ~= "table" then return end
  if depth > 50 then error(path .. ": the recipe's tables are nested too deeply, or in a circle", 0) end
  for _, item in pairs(value) do check_depth(item, path, depth + 1) end
end

local function evaluate(source, compile)
  local chunk, why = compile(source.text, "@" .. source.path)
  if not chunk then error(why, 0) end
  local value = chunk()
  if type(value) ~= "table" then
    error(("%s: a recipe returns a table, this file returns %s"):format(source.path,
      value == nil and "nothing" or "a " .. type(value)), 0)
  end
  check_depth(value, source.path, 0)
  return value
end

--- The texts that make up a recipe: itself, its base, the base of that, and so on.
-- @tparam string|table first the path, or {path, text, value} of a recipe that was evaluated already
-- @tparam table how compile = function(text, name) -> chunk or nil, message; installed = folder of the recipes that
-- came with the program
-- @treturn table list of {path, text, value}
function recipe.sources(first, how)
  local list, seen = {}, {}
  local source = type(first) == "table" and first or {path = first}
  while source do
    if seen[source.path] then error(("%s: the bases go in a circle"):format(source.path), 0) end
    seen[source.path] = true
    source.text = source.text or disk.read(source.path, "the recipe")
    source.value = source.value or evaluate(source, how.compile)
    list[#list + 1] = source
    local base = source.value.base
    source = base and {path = find_base(base, source.path, how.installed)} or nil
  end
  return list
end

--- The texts that a run folder has kept, evaluated again.
-- @tparam table list of {path, text}, the recipe first
-- @tparam function compile
function recipe.again(list, compile)
  for _, source in ipairs(list) do source.value = evaluate(source, compile) end
  return list
end

-- Overrides ------------------------------------------------------------------------------------------

-- What is written behind "=": a number, true, false, a Lua expression where it looks like one, or else text.
local function read_value(text, word, compile)
  if tonumber(text) then return math.tointeger(tonumber(text)) or tonumber(text) end
  if text == "true" or text == "false" then return text == "true" end
  if not (text:find("^[{(\"']") or text:find("^function%s*%(") or text:find("^schedule%.")) then return text end
  local chunk, why = compile("return " .. text, "=" .. word)
  if text:find("^%(") then -- "(w + 1) * g" may be an expression for the device as well
    local good, value = pcall(chunk or error)
    return good and value or text
  end
  if not chunk then error(("%s: the value is no Lua expression: %s"):format(word, why), 0) end
  return chunk()
end

-- part.a.b.c = value; numbers among the keys are places in lists.
local function set(part, keys, value, word)
  for i = 1, #keys - 1 do
    local key = math.tointeger(tonumber(keys[i])) or keys[i]
    if part[key] == nil and type(key) == "string" then part[key] = {} end
    if type(part[key]) ~= "table" then
      error(("%s: the recipe has no part %s"):format(word, table.concat(keys, ".", 1, i)), 0)
    end
    part = part[key]
  end
  local last = math.tointeger(tonumber(keys[#keys])) or keys[#keys]
  if (last == "name" or last == "method") and part[last] ~= nil and part[last] ~= value then
    for key in pairs(part) do part[key] = nil end -- as with a recipe that names another
  end
  if last == "steps" then part.epochs = nil elseif last == "epochs" then part.steps = nil end -- one says how long
  part[last] = value
end

--- The key of an override and what is written behind "=".
-- @tparam string word
-- @treturn string
-- @treturn string
-- @raise for a word that is none
function recipe.split(word)
  local key, text = word:match("^([%a_][%w_.]*)=(.*)$")
  if not key then
    error(("%s: an override is written key=value, as in optim.lr=0.001%s"):format(word,
      word:find("^%-%-") and "; options come before the recipe" or ""), 0)
  end
  if key == "base" then error(word .. ": the base is the recipe's own", 0) end
  return key, text
end

local function override(value, words, compile)
  for _, word in ipairs(words) do
    local key, text = recipe.split(word)
    local keys = {}
    for name in key:gmatch("[^.]+") do keys[#keys + 1] = name end
    set(value, keys, read_value(text, word, compile), word)
  end
end

-- Checking -------------------------------------------------------------------------------------------

-- The module that a part names: "adam" in `optim` is optim.adam. `place` is where the recipe names it.
local function part_module(folder, name, find, place)
  place = place or folder
  if type(name) ~= "string" then error(("%s: the name must be text, got a %s"):format(place, type(name)), 0) end
  local module = find(folder, name)
  if not module then
    local names = find(folder)
    error(('%s: there is no "%s"%s; there are %s'):format(place, name, suggest.hint(name, names),
      table.concat(names, ", ")), 0)
  end
  return module
end

local function with(base, more)
  local out = {}
  for key, value in pairs(more) do out[key] = value end
  for key, value in pairs(base) do out[key] = value end
  return out
end

-- A key that this loss does not know, but another does.
local function check_foreign(given, name, module, find, place)
  for _, other in ipairs(find "loss") do
    for _, key in ipairs(sorted_keys(find("loss", other).defaults)) do
      if given[key] ~= nil and module.defaults[key] == nil then
        error(('%s.%s belongs to the loss "%s", not to "%s"'):format(place, key, other, name), 0)
      end
    end
  end
end

-- What a stage may say, with what the loss that it names takes; and that loss's module.
local function stage_schema(stage, i, find)
  local place, given = ("stages.%d.loss"):format(i), type(stage) == "table" and stage.loss or {}
  local name = type(given) == "table" and given.name or recipe.stage.loss.name
  local module = part_module("loss", name, find, place)
  if type(given) == "table" then check_foreign(given, name, module, find, place) end
  return with({loss = with(recipe.stage.loss, module.defaults)}, recipe.stage), module
end

local function check_stage(stage, i, find)
  local defaults, loss = stage_schema(stage, i, find)
  stage = config.merge(defaults, stage, ("stages.%d"):format(i))
  if (stage.epochs == nil) == (stage.steps == nil) then
    error(("stages.%d: needs epochs or steps, one of them"):format(i), 0)
  end
  local length = stage.epochs or stage.steps
  if not (length > 0 and length < math.huge) then
    error(("stages.%d: %s must be above 0, got %g"):format(i, stage.epochs and "epochs" or "steps", length), 0)
  end
  loss.new(recipe.own(stage.loss), ("stages.%d.loss"):format(i)) -- its own checks
  if type(stage.masks) == "string" and stage.masks ~= "trained" and stage.masks ~= "frozen" then
    error(('stages.%d.masks must be "trained", "frozen" or a list of patterns, got "%s"'):format(i, stage.masks), 0)
  end
  if type(stage.sampling) == "number" and not (stage.sampling >= 0 and stage.sampling <= 1) then
    error(("stages.%d.sampling must be in [0, 1], got %g"):format(i, stage.sampling), 0)
  end
  if stage.sampling ~= 0 and not loss.feeds_words then
    error(('stages.%d.sampling: the loss "%s" feeds no words of the data that others could take the place of; leave '
      .. "sampling out"):format(i, stage.loss.name), 0)
  end
  schedule.check_rate(stage.lr, ("stages.%d.lr"):format(i))
  return stage
end

local function check_eval(eval)
  sizes.parse(eval.every, "eval.every")
  local known = standard.GROUPS
  local names = sorted_keys(known)
  for _, name in ipairs(eval.metrics) do
    if not known[name] then
      error(('eval.metrics: there is no "%s"%s; there are %s'):format(tostring(name),
        suggest.hint(tostring(name), names), table.concat(names, ", ")), 0)
    end
  end
  if not known[eval.keep] then
    error(('eval.keep: there is no metric "%s"%s; there are %s'):format(eval.keep, suggest.hint(eval.keep, names),
      table.concat(names, ", ")), 0)
  end
  for key, most in pairs {beam = 64, test_beam = 64, batch = 100000, length = 1000} do
    local value = eval[key]
    if value ~= nil and (not math.tointeger(value) or value < 1 or value > most) then
      error(("eval.%s must be a whole number from 1 to %d, got %g"):format(key, most, value), 0)
    end
  end
end

-- What model.encoder may say: keys of the encoder that it names, each left out where the recipe leaves it out, since
-- the file that it takes its weights from may say it; and weights, that file.
local function encoder_schema(given, find)
  if given == nil then return config.optional("table") end
  if type(given) ~= "table" then error(("model.encoder must be a table, got a %s"):format(type(given)), 0) end
  if given.name == nil then
    error(("model.encoder: name is missing; there are %s"):format(table.concat(find "encoder", ", ")), 0)
  end
  local spec = {name = config.optional("string"), weights = config.optional("string")}
  for key, default in pairs(part_module("encoder", given.name, find, "model.encoder").defaults) do
    spec[key] = config.without_default(default)
  end
  return spec
end

-- Defaults of every part, with those of the modules that the parts name.
local function schema(value, find)
  local defaults = with(recipe.defaults, {})
  for _, part in ipairs {"data", "model", "optim"} do
    local given = type(value[part]) == "table" and value[part] or {}
    local module = part_module(part, given.name or defaults[part].name, find)
    defaults[part] = with(defaults[part], module.defaults or module.rule.defaults)
    for _, key in ipairs(module.unfilled or {}) do
      local spec = defaults[part][key] -- what the recipe says must be told from what it does not
      defaults[part][key] = config.optional(type(spec))
    end
    if part == "model" then defaults.model.encoder = encoder_schema(given.encoder, find) end
  end
  return defaults
end

-- The pruning method's settings, complete: those that `prune` gives, then those that `methods` has for it.
local function check_prune(cfg, find)
  if cfg.prune.method == nil then error("prune.method is missing, as in prune = { method = \"supermask\" }", 0) end
  for name, own in pairs(cfg.methods) do
    part_module("prune", name, find)
    if type(own) ~= "table" then error(("methods.%s must be a table, got a %s"):format(name, type(own)), 0) end
  end
  local method = part_module("prune", cfg.prune.method, find)
  local given = with(cfg.prune, cfg.methods[cfg.prune.method] or {})
  local full = config.merge(with({method = cfg.prune.method}, method.defaults), given, "recipe.prune")
  method.new(recipe.own(full)) -- its own checks
  return full
end

-- What stages say of pruning: keys that the method lets stages choose, over its own settings.
local function check_stages_prune(cfg, find)
  local method = cfg.prune and part_module("prune", cfg.prune.method, find)
  for i, stage in ipairs(cfg.stages) do
    local names = sorted_keys(stage.prune)
    if #names > 0 and not cfg.prune then error(("stages.%d.prune: the recipe prunes nothing"):format(i), 0) end
    for _, name in ipairs(names) do
      if not (method.staged and method.staged[name]) then
        error(("stages.%d.prune: a stage cannot choose %s of this method%s"):format(i, tostring(name),
          method.staged and "; it can " .. table.concat(sorted_keys(method.staged), ", ") or ""), 0)
      end
    end
    if #names > 0 then
      local good, message = pcall(method.new, recipe.own(with(stage.prune, cfg.prune))) -- its own checks
      if not good then
        error(("stages.%d.prune: %s"):format(i, (tostring(message):gsub("^[^:]+%.lua:%d+: ", ""))), 0)
      end
    end
  end
end

local function check(value, find)
  local given = config.copy(value)
  given.base = nil
  if given.prune == false then given.prune = nil end -- a dense variant of a recipe that prunes
  if type(given.model) == "table" and given.model.encoder == false then given.model.encoder = nil end
  for _, part in ipairs {"data", "model", "optim", "prune", "eval", "save", "log", "stages"} do
    if given[part] ~= nil and type(given[part]) ~= "table" then
      error(("%s must be a table, got a %s"):format(part, type(given[part])), 0)
    end
  end
  local cfg = config.merge(schema(given, find), given, "recipe")
  if not cfg.stages or #cfg.stages == 0 then
    error("stages is missing: what to train, as in stages = { { epochs = 15, loss = { name = \"xent\" } } }", 0)
  end
  for i, stage in ipairs(cfg.stages) do cfg.stages[i] = check_stage(stage, i, find) end
  for _, stage in ipairs(cfg.stages) do
    if cfg.optim.lr == nil and stage.lr == nil then
      error("optim.lr is missing: a number, a schedule or a function of progress", 0)
    end
  end
  schedule.check_rate(cfg.optim.lr, "optim.lr")
  for i, group in ipairs(cfg.optim.groups or {}) do
    schedule.check_rate(type(group) == "table" and group.lr, ("optim.groups.%d.lr"):format(i))
  end
  if cfg.prune then
    cfg.prune = check_prune(cfg, find)
  end
  check_stages_prune(cfg, find)
  if math.type(cfg.seed) ~= "integer" or cfg.seed < 0 then
    error(("seed must be a whole number >= 0, got %s"):format(tostring(cfg.seed)), 0)
  end
  if not math.tointeger(cfg.log.every) or cfg.log.every < 1 then
    error(("log.every must be a whole number of steps >= 1, got %g"):format(cfg.log.every), 0)
  end
  sizes.parse(cfg.save.every, "save.every")
  for _, step in ipairs(cfg.save.keep) do
    if not math.tointeger(step) or step < 1 then
      error(("save.keep is a list of steps, whole numbers >= 1; there is %s in it"):format(tostring(step)), 0)
    end
  end
  check_eval(cfg.eval)
  return cfg
end

--- A part without the key that chooses its module: what that module takes.
-- @tparam table part
function recipe.own(part)
  local out = {}
  for key, value in pairs(part) do
    if key ~= "name" and key ~= "method" then out[key] = value end
  end
  return out
end

-- Functions of the user's run under the guard.
local function guarded(value, guard)
  if type(value) == "function" then return guard(value) end
  if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
  for key, item in pairs(value) do value[key] = guarded(item, guard) end
  return value
end

-- What fn gives; an error names the recipe.
local function named(sources, fn)
  local good, result = pcall(fn)
  if good then return result end
  if type(result) == "string" then
    result = result:gsub("^[^:]+%.lua:%d+: ", ""):gsub("^recipe: ", ""):gsub("^recipe%.", "")
    result = sources[1].path .. ": " .. result
  end
  error(result, 0)
end

--- What texts and overrides say, before it is checked and completed.
-- @tparam table sources from recipe.sources or recipe.again
-- @tparam table how compile; overrides = list of "key=value"
-- @treturn table
function recipe.merged(sources, how)
  return named(sources, function()
    local value = {}
    for i = #sources, 1, -1 do value = lay(value, sources[i].value, recipe.defaults) end
    override(value, how.overrides or {}, how.compile)
    return value
  end)
end

--- One configuration of texts and overrides, checked and complete.
-- @tparam table sources from recipe.sources or recipe.again
-- @tparam table how compile; overrides = list of "key=value"; find = function(folder, name) -> module or nil, without
-- a name the names there are; guard = function(f) -> the function to call instead of f (default f)
-- @treturn table cfg
-- @raise the recipe's file, the key, and what is wrong
function recipe.resolve(sources, how)
  local value = recipe.merged(sources, how)
  local cfg = named(sources, function() return check(value, how.find) end)
  return guarded(cfg, how.guard or function(fn) return fn end)
end

--- A name for what is made of a recipe: "ucm-updown" for recipes/ucm/updown.lua.
-- @tparam string path
-- @treturn string
function recipe.name_of(path)
  local name = path:gsub("%.lua$", "")
  name = (name:match("([^/]+/[^/]+)$") or name):gsub("^%.*/", ""):gsub("/", "-")
  return name
end

return recipe
