local check = require "check"
local options = require "cli.options"

local T = {}

local spec = {
  summary = "try things", usage = "lacuna try [OPTION...] FILE...",
  options = {
    {name = "beam", value = "N", type = "integer", min = 1, default = 2, help = "beams"},
    {name = "output", short = "o", value = "FILE", help = "where to"},
    {name = "set", value = "KEY=VALUE", many = true, help = "override"},
    {name = "data-format", value = "F", choices = {"npy", "hdf5"}, help = "format"},
    {name = "json", help = "print JSON"},
  },
  arguments = {name = "FILE", min = 1, max = 3},
}

local function parse(...)
  return options.parse("try", spec, {...})
end

local function wrong(pattern, ...)
  local good, err = pcall(parse, ...)
  check.yes(not good and options.is_wrong(err), "expected wrong usage")
  check.yes(tostring(err):find(pattern), tostring(err))
end

function T.values_come_behind_a_space_or_an_equals_sign()
  check.equal(parse("--beam", "5", "-o", "x", "a", "--data-format=npy", "b"),
    {beam = 5, output = "x", data_format = "npy", "a", "b"})
  check.equal(parse("--output=", "a").output, "")
  check.equal(parse("--set=a=1", "--set", "b=2", "f").set, {"a=1", "b=2"})
end

function T.defaults_are_filled_in_and_switches_are_true()
  check.equal(parse("--json", "a"), {beam = 2, json = true, "a"})
end

function T.what_follows_two_dashes_is_no_option()
  check.equal(parse("a", "--", "--json", "-x"), {beam = 2, "a", "--json", "-x"})
end

function T.a_dash_and_negative_numbers_are_arguments()
  check.equal(parse("-", "-1", "-.5"), {beam = 2, "-", "-1", "-.5"})
end

function T.options_first_leaves_later_words_alone()
  local first = {options = spec.options, arguments = {name = "FILE", min = 1}, options_first = true}
  check.equal(options.parse("try", first, {"--json", "a", "--beam", "x", "--"}),
    {beam = 2, json = true, "a", "--beam", "x", "--"})
end

function T.help_is_found_among_other_words()
  check.equal(parse("--json", "-h", "--nonsense"), {help = true})
end

function T.wrong_words_are_named()
  wrong('no option "%-%-baem"; did you mean "%-%-beam"%?; see lacuna try %-%-help', "--baem", "3", "a")
  wrong('%-%-beam needs a value of type integer, got "2.5"', "--beam", "2.5", "a")
  wrong("%-%-beam must be at least 1, got 0", "--beam=0", "a")
  wrong("%-%-beam needs a value: N", "a", "--beam")
  wrong("%-%-json takes no value", "--json=1", "a")
  wrong('must be one of npy, hdf5, got "np"; did you mean "npy"', "--data-format", "np", "a")
  wrong("FILE is missing", "--json")
  wrong('one argument too many: "d"', "a", "b", "c", "d")
  wrong('there is no option "%-x"', "-x", "a")
end

function T.help_lists_every_option_with_its_default()
  local text = options.help(spec)
  for _, part in ipairs{"^usage: lacuna try %[OPTION...%] FILE...\n\nTry things.\n", "  %-o, %-%-output FILE  ",
    "      %-%-beam N  +beams %(default 2%)\n", "  %-h, %-%-help +print this text\n"} do
    check.yes(text:find(part), part .. " is not in\n" .. text)
  end
end

return T
