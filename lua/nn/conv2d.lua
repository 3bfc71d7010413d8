--- Convolution of maps [images, height, width, inputs] with W [outputs, inputs / groups, rows, columns].
-- @module nn.conv2d
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"
local Window = require "nn.window"
local whole = require "core.whole"

local Conv2d = class("Conv2d", Module)

local defaults = {inputs = config.optional("number"), outputs = config.optional("number"), groups = 1, bias = true}
for key, value in pairs(Window.defaults) do
  if key ~= "ceil" then defaults[key] = value end
end

--- Weights start normal with variance 2 / (what an output sums): He et al. 2015, "Delving deep into rectifiers",
-- equation 10. Biases start as 0.
-- @tparam table cfg inputs, outputs, size, stride (1), padding (0, or "same"), dilation (1), groups (1), bias (true);
-- see nn.window
function Conv2d:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.conv2d")
  whole(cfg, {"inputs", "outputs", "groups"}, "nn.conv2d")
  if cfg.inputs % cfg.groups ~= 0 or cfg.outputs % cfg.groups ~= 0 then
    error(("nn.conv2d: %d inputs and %d outputs cannot be parted into %d groups"):format(cfg.inputs, cfg.outputs,
      cfg.groups), 2)
  end
  self.inputs, self.outputs, self.groups = cfg.inputs, cfg.outputs, cfg.groups
  self.window = Window(cfg, "nn.conv2d")
  local rows, columns = table.unpack(self.window.size)
  local shape = {cfg.outputs, cfg.inputs // cfg.groups, rows, columns}
  local fan = shape[2] * rows * columns
  self.weight = self:add_param("weight", Param(shape, init.normal(math.sqrt(2 / fan)), {maskable = true}))
  if cfg.bias then self.bias = self:add_param("bias", Param({cfg.outputs}, init.zeros())) end
end

--- @tparam tensor x [images, height, width, inputs]
-- @treturn tensor [images, rows, columns, outputs]
function Conv2d:forward(x)
  local w = self.window
  return lac.conv2d(x, self.weight:tensor(), self.bias and self.bias:tensor(), {
    stride = w.stride, padding = w:padding_of(x:shape(2), x:shape(3)), dilation = w.dilation, groups = self.groups})
end

--- The size of the output, and how often each weight is multiplied for it.
-- @tparam integer height
-- @tparam integer width
-- @tparam function note gets the weight's parameter and the number
-- @treturn integer
-- @treturn integer
function Conv2d:spread(height, width, note)
  height, width = self.window:positions(height, width)
  note(self.weight, height * width)
  return height, width
end

function Conv2d:__tostring()
  return ("Conv2d(%d -> %d, %dx%d)"):format(self.inputs, self.outputs, table.unpack(self.window.size))
end

return Conv2d
