--- A table of vectors, looked up by id.
-- @module nn.embedding
local class = require "core.class"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"

local Embedding = class("Embedding", Module)

--- The table starts standard normal, the row of padding included.
-- @tparam table cfg count, size; start: another initial distribution, see nn.init
function Embedding:init(cfg)
  Module.init(self)
  self.count, self.size = cfg.count, cfg.size
  self.weight = self:add_param("weight", Param({cfg.count, cfg.size}, cfg.start or init.normal(1),
    {maskable = true, fan = 1}))
end

--- @tparam tensor ids i32 [...], each 0 .. count - 1
-- @treturn tensor [..., size]
function Embedding:forward(ids)
  return self.weight:rows(ids)
end

function Embedding:__tostring()
  return ("Embedding(%d x %d)"):format(self.count, self.size)
end

return Embedding
