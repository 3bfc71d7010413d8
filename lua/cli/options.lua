--- Command-line words -> a table, by the rows of a command's `options`.
--
--     options = {
--       {name = "beam", value = "N", type = "integer", default = 2, help = "beams kept per step"},
--       {name = "output", short = "o", value = "FILE", help = "where the model goes"},
--       {name = "set", value = "KEY=VALUE", many = true, help = "override, repeatable"},
--       {name = "json", help = "print JSON"},          -- no value: a switch
--     },
--     arguments = {name = "SCRIPT", min = 1, max = 1}, -- `max` absent: any number
--     options_first = true,                            -- what follows the first argument is not ours
--
-- Written here and not taken from lua-argparse because that has no `options_first`, ends the process
-- itself on --help and on errors, and would have to be installed beside every moved copy of the program.
-- @module cli.options
local suggest = require "core.suggest"

local options = {}

local Wrong = {__name = "wrong usage", __tostring = function(self) return self.message end}

--- Raise "wrong usage": one sentence, exit status 2.
-- @tparam string text `text:format(...)`
function options.wrong(text, ...)
  error(setmetatable({message = text:format(...)}, Wrong), 0)
end

--- @treturn boolean whether a caught error comes from `options.wrong`
function options.is_wrong(err)
  return getmetatable(err) == Wrong
end

local HELP = {name = "help", short = "h", help = "print this text"}

local function find_row(rows, word)
  local names = {"--help"}
  for _, row in ipairs(rows) do
    if word == "--" .. row.name or (row.short and word == "-" .. row.short) then return row end
    names[#names + 1] = "--" .. row.name
  end
  if word == "--help" or word == "-h" then return HELP end
  return nil, suggest.hint(word, names)
end

local CONVERT = {
  integer = function(text) return math.tointeger(tonumber(text)) end,
  number = tonumber,
  string = function(text) return text end,
}

local function convert(row, text)
  local kind = row.type or "string"
  local value = CONVERT[kind](text)
  if value == nil then options.wrong('--%s needs a value of type %s, got "%s"', row.name, kind, text) end
  if row.min and value < row.min then
    options.wrong("--%s must be at least %s, got %s", row.name, row.min, text)
  end
  if row.max and value > row.max then
    options.wrong("--%s must be at most %s, got %s", row.name, row.max, text)
  end
  if row.choices then
    for _, choice in ipairs(row.choices) do
      if choice == value then return value end
    end
    options.wrong('--%s must be one of %s, got "%s"%s', row.name, table.concat(row.choices, ", "), text,
      suggest.hint(text, row.choices))
  end
  return value
end

local function store(out, row, value)
  local key = row.name:gsub("-", "_")
  if not row.many then
    out[key] = value
  else
    out[key] = out[key] or {}
    table.insert(out[key], value)
  end
end

local function is_option(word)
  return word:find("^%-.") and not word:find("^%-[%d.]") -- "-" is standard input, -1 a number
end

-- One option at words[i]; returns the index of the last word it took.
local function take_option(rows, words, i, out, command)
  local word, inline = words[i]:match("^(%-%-[^=]+)=(.*)$")
  word = word or words[i]
  local row, hint = find_row(rows, word)
  if not row then options.wrong('there is no option "%s"%s; see lacuna %s --help', word, hint, command) end
  if not row.value then
    if inline then options.wrong("--%s takes no value", row.name) end
    store(out, row, true)
    return i
  end
  local text = inline or words[i + 1]
  if not text then options.wrong("--%s needs a value: %s", row.name, row.value) end
  store(out, row, convert(row, text))
  return inline and i or i + 1
end

local function check_count(command, spec, out)
  local want = spec.arguments or {max = 0}
  if #out < (want.min or 0) then options.wrong("%s is missing; see lacuna %s --help", want.name, command) end
  if want.max and #out > want.max then
    options.wrong('one argument too many: "%s"; see lacuna %s --help', out[want.max + 1], command)
  end
end

--- Read the words after a command's name.
-- @tparam string command its name, for messages
-- @tparam table spec the command
-- @tparam table words array of strings
-- @treturn table options by name ("-" becomes "_"), positional arguments at 1, 2, ...; only
-- {help = true} where help is asked for
-- @raise wrong usage
function options.parse(command, spec, words)
  local rows, out = spec.options or {}, {}
  local i = 1
  while i <= #words do
    local word = words[i]
    if word == "--" or (spec.options_first and not is_option(word)) then
      table.move(words, word == "--" and i + 1 or i, #words, #out + 1, out)
      break
    elseif is_option(word) then
      i = take_option(rows, words, i, out, command)
      if out.help then return {help = true} end
    else
      out[#out + 1] = word
    end
    i = i + 1
  end
  check_count(command, spec, out)
  for _, row in ipairs(rows) do
    local key = row.name:gsub("-", "_")
    if out[key] == nil then out[key] = row.default end
  end
  return out
end

local function option_head(row)
  local head = (row.short and "-" .. row.short .. ", " or "    ") .. "--" .. row.name
  return row.value and head .. " " .. row.value or head
end

--- The text for --help.
-- @tparam table spec the command
-- @treturn string
function options.help(spec)
  local rows = table.move(spec.options or {}, 1, #(spec.options or {}), 1, {})
  rows[#rows + 1] = HELP
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, #option_head(row)) end
  local out = {"usage: " .. spec.usage, "", spec.summary:gsub("^%l", string.upper) .. ".", "", "options:"}
  for _, row in ipairs(rows) do
    local default = row.default ~= nil and (" (default %s)"):format(row.default) or ""
    out[#out + 1] = ("  %-" .. width .. "s  %s%s"):format(option_head(row), row.help, default)
  end
  if spec.details then
    out[#out + 1] = ""
    out[#out + 1] = spec.details
  end
  return table.concat(out, "\n") .. "\n"
end

return options
