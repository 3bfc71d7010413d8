--- Kernels as TensorFlow lays them out, and networks under TF-slim's names.
-- @module slim
local slim_names = require "train.slim_names"

local slim = {}

--- [outputs, inputs, rows, columns] -> [rows, columns, inputs, outputs].
function slim.turned(x)
  local outputs, inputs, rows, columns = table.unpack(x:shape())
  local y = x:reshape(outputs, inputs, rows * columns):transpose(1, 3):contiguous()
  return y:reshape(rows, columns, inputs, outputs)
end

--- [channels, 1, 3, 3] -> [3, 3, channels, 1].
function slim.turned_depthwise(x)
  local y = x:reshape(x:shape(1), 9):transpose(1, 2):contiguous()
  return y:reshape(3, 3, x:shape(1), 1)
end

--- The tensors of a GoogLeNet without gain as variables.
-- @tparam nn.Module model
-- @tparam string prefix of the names
-- @treturn table full name -> tensor
function slim.inception(model, prefix)
  local ours, out = {}, {}
  for _, p in ipairs(model:tensors()) do ours[p.name] = p.param.value end
  for theirs, layer in pairs(slim_names.layers "InceptionV1") do
    local kernel, scope = ours[layer.conv .. ".weight"], prefix .. "InceptionV1/" .. theirs
    if layer.matrix and kernel then
      out[scope .. "/weights"] = slim.turned(kernel:reshape(kernel:shape(1), kernel:shape(2), 1, 1))
      out[scope .. "/biases"] = ours[layer.conv .. ".bias"]
    elseif kernel then
      out[scope .. "/weights"] = slim.turned(kernel)
      out[scope .. "/BatchNorm/beta"] = ours[layer.norm .. ".bias"]
      out[scope .. "/BatchNorm/moving_mean"] = ours[layer.norm .. ".running_mean"]
      out[scope .. "/BatchNorm/moving_variance"] = ours[layer.norm .. ".running_var"]
    end
  end
  return out
end

return slim
