local check = require "check"
local files = require "files"

local T = {}

local function readme()
  return files.read(check.settings.root .. "/README.md")
end

function T.the_script_in_the_readme_prints_what_it_says()
  local script, output = readme():match("```lua\n(.-)```\n\n(.-)\n\n")
  files.with_folder(function(folder)
    local status, text = check.run("run " .. files.write(folder .. "/fit.lua", script))
    check.equal(status, 0)
    check.equal(text, output:gsub("    ", "") .. "\n")
  end)
end

function T.every_command_in_the_help_is_in_the_readme_and_the_other_way_round()
  local _, help = check.run("--help")
  local text, listed = readme(), 0
  for name in help:match("commands:(\n.-)\n\n"):gmatch("\n  (%l+) ") do
    check.yes(text:find("`lacuna " .. name, 1, true), name .. " is not in the README")
    listed = listed + 1
  end
  local rows = select(2, text:gsub("\n| `lacuna %l+", "%0"))
  check.equal(rows, listed)
end

return T
