--- Padding as TensorFlow's "SAME" has it: as many outputs as strides begin in the input, and the odd row of padding
-- behind.
-- @module nn.same_padding

-- What lies before and behind a side of n.
local function around(n, size, stride, dilation)
  local total = math.max(((n + stride - 1) // stride - 1) * stride + (size - 1) * dilation + 1 - n, 0)
  return total // 2, total - total // 2
end

--- @tparam integer height of the input
-- @tparam integer width
-- @tparam table window size, stride and dilation, each {down, across}
-- @treturn table top, bottom, left, right
local function same_padding(height, width, window)
  local top, bottom = around(height, window.size[1], window.stride[1], window.dilation[1])
  local left, right = around(width, window.size[2], window.stride[2], window.dilation[2])
  return {top, bottom, left, right}
end

return same_padding
