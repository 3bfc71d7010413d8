local lac = require "lac"
local class = require "core.class"
local J = class("Journal")
function J:init(path, bytes)
  local old = ""
  local f = io.open(path, "rb") if f then old = f:read("a"):sub(1, bytes or 0) f:close() end
  self.file = io.open(path, "wb") self.file:write(old) self.file:flush()
end
function J:write(r) self.file:write(lac.json.encode(r), "\n") self.file:flush() end
function J:size() return self.file:seek("cur") end
function J:close() self.file:close() end
lac.tfevents = lac.tfevents or {open = function() return {scalar = function() end, size = function() return 0 end, close = function() end} end}
return J
