local lac = require "lac"
local check = require "check"
local BatchNorm = require "nn.batch_norm"
local Conv2d = require "nn.conv2d"
local ConvBlock = require "nn.conv_block"
local MaxPool = require "nn.max_pool"
local Window = require "nn.window"
local config = require "core.config"
local same_padding = require "nn.same_padding"

local T = {}

local function padding(n, size, stride, dilation)
  local step = dilation or 1
  local p = same_padding(n, n, {size = {size, size}, stride = {stride, stride}, dilation = {step, step}})
  return {p[1], p[2]}
end

function T.same_padding_is_that_of_tensorflow()
  -- total = max((ceil(n / s) - 1) s + k - n, 0), the smaller half before
  check.equal(padding(224, 7, 2), {2, 3})
  check.equal(padding(112, 3, 2), {0, 1})
  check.equal(padding(113, 3, 2), {1, 1})
  check.equal(padding(28, 3, 1), {1, 1})
  check.equal(padding(14, 2, 2), {0, 0})
  check.equal(padding(5, 3, 1, 2), {2, 2})
end

function T.settings_that_make_no_layer_are_refused()
  local function refused(pattern, layer, cfg)
    check.fails(pattern, layer, cfg)
  end
  refused("nn.conv2d: inputs must be a whole number >= 1, got nil", Conv2d, {})
  refused("groups must be a whole number >= 1, got 0", Conv2d, {inputs = 2, outputs = 2, size = 1, groups = 0})
  refused("nn.conv2d: size must be a whole number >= 1, got 1.5", Conv2d, {inputs = 2, outputs = 2, size = 1.5})
  refused("stride must be a whole number >= 1, got 0", Conv2d, {inputs = 2, outputs = 2, size = 1, stride = 0,
    padding = "same"})
  refused("padding must be a whole number >= 0, got %-1", Conv2d, {inputs = 2, outputs = 2, size = 1,
    padding = {0, 0, -1, 0}})
  refused("dilation must be a number or a list of 2, got a list of 3", Conv2d, {inputs = 2, outputs = 2, size = 1,
    dilation = {1, 1, 1}})
  refused("nn.batch_norm: size must be a whole number >= 1, got nil", BatchNorm, {})
  refused("momentum must be from 0 to 1, got 7", BatchNorm, {size = 2, momentum = 7})
  refused('norm must be "training", "frozen" or "folded", got "trainin"', ConvBlock,
    {inputs = 2, outputs = 2, norm = "trainin"})
  refused('activation must be "relu", "relu6" or false, got "tanh"', ConvBlock,
    {inputs = 2, outputs = 2, activation = "tanh"})
end

local function window(cfg)
  return Window(config.merge(Window.defaults, cfg, "test"), "test")
end

function T.positions_are_those_of_the_operations()
  local rng = lac.rng(1)
  for _, n in ipairs {5, 6, 7, 8, 11} do
    for _, cfg in ipairs {{size = 3, stride = 2}, {size = 3, stride = 2, padding = 1}, {size = 2, stride = 2},
                          {size = 3, stride = 1, padding = "same"}, {size = 3, stride = 2, padding = "same"},
                          {size = 3, stride = 3, padding = {0, 1}}, {size = {3, 2}, stride = {2, 3}}} do
      for _, ceil in ipairs {false, true} do
        local scope <close> = lac.scope() -- luacheck: ignore 211
        cfg.ceil = ceil
        local x = rng:uniform {1, n, n + 1, 2}
        local y = MaxPool(cfg)(x)
        check.equal({window(cfg):positions(n, n + 1)}, {y:shape(2), y:shape(3)})
      end
    end
  end
end

function T.a_convolution_notes_how_often_its_weights_are_multiplied()
  local layer, noted = Conv2d {inputs = 4, outputs = 6, size = 3, stride = 2, padding = 1, groups = 2}, nil
  check.equal({layer:spread(9, 7, function(param, n) noted = {param == layer.weight, n} end)}, {5, 4})
  check.equal(noted, {true, 20})
  check.equal({layer.weight.shape, layer.weight.fan}, {{6, 2, 3, 3}, 18})
  check.equal(tostring(layer), "Conv2d(4 -> 6, 3x3)")
end

function T.wrong_settings_are_refused()
  check.fails('padding must be a number, a table or "same", got "valid"', MaxPool, {size = 2, padding = "valid"})
  check.fails("nn.max_pool: size must be given", MaxPool, {})
  check.fails("cannot be parted into 3 groups", Conv2d, {inputs = 4, outputs = 6, size = 1, groups = 3})
end

return T
