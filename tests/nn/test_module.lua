local lac = require "lac"
local check = require "check"
local Linear = require "nn.linear"
local init = require "nn.init"
local Module = require "nn.module"
local Param = require "nn.param"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"

local T = {}

local function small()
  local model = Sequential {Linear {inputs = 2, outputs = 3}, Relu(), Linear {inputs = 3, outputs = 1, bias = false}}
  model:initialise(lac.rng(1))
  return model
end

function T.parameters_are_named_by_their_path_in_the_order_they_were_added()
  local names = {}
  for i, p in ipairs(Sequential({Linear {inputs = 2, outputs = 3}, Relu(), Linear {inputs = 3, outputs = 1}})
                       :parameters()) do names[i] = p.name end
  check.equal(names, {"0.weight", "0.bias", "2.weight", "2.bias"})
end

function T.each_parameter_draws_from_a_stream_of_its_own()
  local a, b = small(), Sequential {Linear {inputs = 2, outputs = 3}}
  b:initialise(lac.rng(1))
  check.equal(a.chain[1].weight.value, b.chain[1].weight.value)
  local first, second = a.chain[1].weight.value:totable(), a.chain[3].weight.value:totable()
  check.yes(first[1][1] ~= second[1][1])
  a:close()
  b:close()
end

function T.a_mask_zeroes_the_weight_and_its_gradient()
  local model = small()
  local layer = model.chain[1]
  layer.weight:set_mask(lac.tensor {{1, 0}, {0, 1}, {1, 1}})
  do
    local tape <close> = lac.tape()
    local y = layer(lac.tensor {{1, 2}}):sum()
    tape:backward(y)
  end
  local grad <close> = layer.weight.value:grad()
  check.equal(grad, {{1, 0}, {0, 2}, {1, 2}})
  grad:close()
  model:close()
end

function T.loading_names_what_is_missing_left_over_or_misshapen()
  local model = small()
  local w <close> = lac.zeros {3, 2}
  local b <close> = lac.zeros {3}
  local v <close> = lac.zeros {3, 1}
  check.fails("the tensor 0%.bias is missing", model.load, model, {["0.weight"] = w, ["2.weight"] = v})
  check.fails("the tensor extra has no place", model.load, model,
              {["0.weight"] = w, ["0.bias"] = b, ["2.weight"] = v, extra = b})
  check.fails("2%.weight: expected shape %[1, 3%], got %[3, 1%]", model.load, model,
              {["0.weight"] = w, ["0.bias"] = b, ["2.weight"] = v})
  local i <close> = lac.tensor({1, 2, 3}, "i32")
  check.fails("0%.bias: expected numbers of the type f32, got i32", model.load, model,
              {["0.weight"] = w:clone(), ["0.bias"] = i, ["2.weight"] = lac.zeros {1, 3}})
  model:close()
end

function T.buffers_are_saved_with_the_parameters_but_are_none()
  local model = Module()
  model:add_param("weight", Param({2}, init.zeros()))
  model:add_buffer("mean", {2}, init.ones())
  model:initialise(lac.rng(1))
  check.equal(#model:parameters(), 1)
  local all = model:tensors()
  check.equal({all[2].name, all[2].param.value:totable(), all[2].param.value:requires_grad()}, {"mean", {1, 1}, false})
  local w <close> = lac.zeros {2}
  check.fails("the tensor mean is missing", model.load, model, {weight = w})
  model:load {weight = lac.zeros {2}, mean = lac.tensor {3, 4}}
  check.equal(all[2].param.value, {3, 4})
  model:close()
end

function T.gradients_are_forgotten_together()
  local model = small()
  do
    local tape <close> = lac.tape()
    tape:backward(model(lac.tensor {{1, 2}}):sum())
  end
  check.yes(model.chain[3].weight.value:grad())
  model:zero_grad()
  for _, value in ipairs(model:values()) do check.equal(value:grad(), nil) end
  model:close()
end

function T.the_running_module_is_known_after_an_error()
  local model = small()
  local x <close> = lac.tensor {{1, 2, 3}}
  check.fails("linear: x", model, x)
  check.equal(Module.where(), "0")
  check.equal(Module.where(), nil)
  model:close()
end

function T.a_parameter_without_a_value_says_what_to_do()
  check.fails("initialise or load the model first", Param.tensor, Param({1}))
end

return T
