--- The largest number of each window and channel of maps [images, height, width, channels]; 0 where a window sees only
-- padding.
-- @module nn.max_pool
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local Module = require "nn.module"
local Window = require "nn.window"

local MaxPool = class("MaxPool", Module)

--- @tparam table cfg size, stride (the size), padding (0, or "same"), dilation, ceil (false); see nn.window
function MaxPool:init(cfg)
  Module.init(self)
  local stride = cfg.stride or cfg.size
  cfg = config.merge(Window.defaults, cfg, "nn.max_pool")
  cfg.stride = stride
  self.window = Window(cfg, "nn.max_pool")
end

function MaxPool:forward(x)
  local w = self.window
  return lac.max_pool(x, {size = w.size, stride = w.stride, padding = w:padding_of(x:shape(2), x:shape(3)),
                          dilation = w.dilation, ceil = w.ceil})
end

--- See nn.conv2d.
function MaxPool:spread(height, width)
  return self.window:positions(height, width)
end

return MaxPool
