--- Levelled lines with elapsed time: `[   1.250 s] warning: no GPU`.
-- @module core.log
local blame = require "core.blame"
local class = require "core.class"
local config = require "core.config"
local suggest = require "core.suggest"

local Log = class("Log")

local LEVELS = {"debug", "info", "warning", "error"}
local RANK = {}
for rank, level in ipairs(LEVELS) do RANK[level] = rank end

local defaults = {
  level = "info",           -- lines below it are dropped: "debug", "info", "warning" or "error"
  clock = os.time,          -- seconds, of any origin; os.time has whole seconds only
  write = function(line) io.stderr:write(line) end,
}

--- @tparam[opt] table cfg see defaults
function Log:init(cfg)
  cfg = config.merge(defaults, cfg, "log")
  if not RANK[cfg.level] then
    blame(('log.level: there is no level "%s"%s'):format(cfg.level, suggest.hint(cfg.level, LEVELS)))
  end
  self.rank, self.clock, self.write = RANK[cfg.level], cfg.clock, cfg.write
  self.started = self.clock()
end

local function line(self, level, text, ...)
  if RANK[level] < self.rank then return end
  if select("#", ...) > 0 then text = text:format(...) end
  local mark = level == "info" and "" or level .. ": "
  self.write(("[%8.3f s] %s%s\n"):format(self.clock() - self.started, mark, text))
end

for _, level in ipairs(LEVELS) do
  --- One line, `text:format(...)`.
  Log[level] = function(self, text, ...) line(self, level, text, ...) end
end

return Log
