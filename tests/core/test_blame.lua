local blame = require "core.blame"
local check = require "check"
local class = require "core.class"

local T = {}

function T.the_position_is_that_of_the_code_outside_the_library()
  local C = class("C")
  function C.init() blame("wrong") end -- below it: core.class, then this file again
  local message = check.fails("wrong", C)
  check.yes(message:find("test_blame.lua:%d+: wrong$"), message)
end

return T
