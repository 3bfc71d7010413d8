--- What convolution and pooling share: a window that moves over maps [images, height, width, channels].
-- @module nn.window
local class = require "core.class"
local config = require "core.config"
local same_padding = require "nn.same_padding"
local whole = require "core.whole"

local Window = class("Window")

--- Settings, to be merged with a layer's own. Each is a number or {down, across}; padding may also be {top, bottom,
-- left, right} or "same", which is TensorFlow's (nn.same_padding); ceil: windows may end beyond the input.
Window.defaults = {size = config.optional("number", "table"), stride = config.either(1, "table"),
                   padding = config.either(0, "table", "string"), dilation = config.either(1, "table"), ceil = false}

local function pair(x)
  return type(x) == "number" and {x, x} or x
end

-- A setting as a list of whole numbers.
local function numbers(cfg, key, label, least, also)
  local list = pair(cfg[key])
  if #list ~= 2 and #list ~= also then
    error(("%s: %s must be a number or a list of 2, got a list of %d"):format(label, key, #list), 0)
  end
  for i in ipairs(list) do whole({[key] = list[i]}, {key}, label, least) end
  return list
end

--- @tparam table cfg merged
-- @tparam string label for messages
function Window:init(cfg, label)
  if not cfg.size then error(label .. ": size must be given", 0) end
  if type(cfg.padding) == "string" and cfg.padding ~= "same" then
    error(('%s: padding must be a number, a table or "same", got "%s"'):format(label, cfg.padding), 0)
  end
  for _, key in ipairs {"size", "stride", "dilation"} do self[key] = numbers(cfg, key, label, 1) end
  self.ceil, self.padding = cfg.ceil, cfg.padding ~= "same" and numbers(cfg, "padding", label, 0, 4)
end

--- The padding for an input.
-- @treturn table {down, across} or {top, bottom, left, right}
function Window:padding_of(height, width)
  return self.padding or same_padding(height, width, self)
end

-- PyTorch's rule for a side: a window that would begin in the padding behind does not count.
local function positions(n, before, behind, w, i)
  local reach, stride = (w.size[i] - 1) * w.dilation[i] + 1, w.stride[i]
  local room = n + before + behind - reach
  if not w.ceil then return room // stride + 1 end
  local count = (room + stride - 1) // stride + 1
  return (count - 1) * stride >= n + before and count - 1 or count
end

--- Rows and columns of positions on an input.
function Window:positions(height, width)
  local p = self:padding_of(height, width)
  if #p == 2 then p = {p[1], p[1], p[2], p[2]} end
  return positions(height, p[1], p[2], self, 1), positions(width, p[3], p[4], self, 2)
end

return Window
