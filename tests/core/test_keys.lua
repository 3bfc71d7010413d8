local check = require "check"
local keys = require "core.keys"

local T = {}

function T.keys_come_in_their_order_whatever_their_values()
  check.equal(keys {b = 1, a = false, c = "x"}, {"a", "b", "c"})
  check.equal(keys {[30] = true, [4] = true, [-1] = true}, {-1, 4, 30})
  check.equal(keys {}, {})
end

return T
