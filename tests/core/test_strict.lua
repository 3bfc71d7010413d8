local check = require "check"
local strict = require "core.strict"

local T = {}

local function guarded(text)
  local env = {known = 1}
  strict.on(env)
  return assert(load(text, "=script", "t", env)), env
end

function T.reading_an_undeclared_global_fails_with_the_nearest_name()
  check.fails('script:2: undeclared global "knwon"; did you mean "known"', guarded("\nreturn knwon"))
end

function T.assigning_an_undeclared_global_fails()
  check.fails('assignment to the undeclared global "fresh"', guarded("fresh = 1"))
end

function T.declared_globals_can_be_read_and_assigned()
  local chunk, env = guarded("known = 2; later = 3; return known, later")
  strict.declare("later", nil, env)
  check.equal({chunk()}, {2, 3})
end

function T.an_environment_is_guarded_once()
  local _, env = guarded("")
  check.fails("has a metatable already", strict.on, env)
end

return T
