--- A progress bar on standard error: train.progress with the terminal, the clock and the width of this process.
-- @module cli.bar
local native = require "cli.native"
local progress = require "train.progress"

--- @tparam integer total steps in all
-- @treturn Progress may be a <close> variable
return function(total)
  return progress.new {total = total, out = io.stderr, terminal = native.terminal(2),
                       width = function() return native.columns(2) end, clock = native.clock}
end
