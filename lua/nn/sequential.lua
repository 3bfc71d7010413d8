--- Modules one after the other, named "0", "1", ... as in published checkpoints.
-- @module nn.sequential
local class = require "core.class"
local Module = require "nn.module"

local Sequential = class("Sequential", Module)

--- @tparam table modules
function Sequential:init(modules)
  Module.init(self)
  self.chain = modules
  for i, module in ipairs(modules) do self:add(tostring(i - 1), module) end
end

function Sequential:forward(x)
  for _, module in ipairs(self.chain) do x = module(x) end
  return x
end

--- What passes the modules that change the size of maps, see nn.conv2d.
function Sequential:spread(height, width, note)
  for _, module in ipairs(self.chain) do
    if module.spread then height, width = module:spread(height, width, note) end
  end
  return height, width
end

return Sequential
