local lac = require "lac"
local check = require "check"
local mask = require "nn.mask"
local Linear = require "nn.linear"
local Param = require "nn.param"

local T = {}

-- A linear map of one weight of 2 with a mask of logit 0, so that it is kept half of the time.
local function coin(cfg)
  local layer = Linear {inputs = 1, outputs = 64, bias = false}
  layer.weight:set(lac.zeros({64, 1}):fill(2))
  layer.weight:set_mask(mask.trained(lac.zeros {64, 1}, cfg))
  return layer
end

local function differs(a, b)
  return (a - b):abs():sum():item() > 0
end

function T.each_use_draws_in_training_and_evaluation_rounds()
  local layer = coin()
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    check.yes(layer.weight:redraws())
    check.yes(differs(layer.weight:tensor(), layer.weight:tensor()))
    layer:eval()
    check.yes(not layer.weight:redraws())
    check.equal(layer.weight:tensor():abs():sum():item(), 0) -- a logit of 0 rounds down
  end
  layer:close()
end

function T.the_same_generator_draws_the_same_masks()
  local layer = coin()
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    local first = layer.weight:tensor()
    layer:train(lac.rng(1))
    check.equal(layer.weight:tensor(), first)
  end
  layer:close()
end

function T.a_hold_keeps_one_draw_for_all_uses_and_ends_with_its_block()
  local layer = coin {draw = "forward"}
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    local first
    do
      local held <close> = layer:hold()
      first = layer.weight:tensor()
      check.equal(layer.weight:tensor(), first)
    end
    check.yes(differs(layer.weight:tensor(), first))
  end
  layer:close()
end

function T.a_hold_around_others_gives_them_its_draw_until_it_ends_or_the_mode_is_set()
  local layer = coin {draw = "forward"}
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    local first
    local function inner()
      local held <close> = layer:hold()
      return layer.weight:tensor()
    end
    do
      local held <close> = layer:hold {around = true}
      first = layer.weight:tensor()
      check.equal(inner(), first)
      check.equal(inner(), first)
      check.equal(layer.weight:tensor(), first) -- those within have ended, this one has not
    end
    check.yes(differs(inner(), first))
    local held <close> = layer:hold {around = true}
    check.yes(differs(inner(), first))
    layer:eval()
    check.equal(inner():abs():sum():item(), 0)
  end
  layer:close()
end

function T.a_hold_of_one_draw_serves_every_use_of_masks_that_draw_at_each()
  local layer = Linear {inputs = 40, outputs = 30}
  layer:initialise(lac.rng(1))
  layer.weight:set_mask(mask.trained(lac.zeros {30, 40}, {draw = "step"}))
  layer:train(lac.rng(2))
  do
    local scope <close> = lac.scope()
    local x = lac.zeros({1, 40}):fill(1)
    do
      local held <close> = layer:hold {once = true}
      local first = layer(x)
      check.equal(layer(x), first)
      check.equal(layer.weight:tensor(), layer.weight:tensor())
    end
    check.equal({layer.weight.held, layer.weight.once}, {})
    local after = layer(x):totable()
    check.yes(layer(x):totable()[1][1] ~= after[1][1], "both uses drew the same")
  end
  layer:close()
end

function T.prepared_weights_give_the_same_products_until_the_hold_ends()
  local layer = Linear {inputs = 40, outputs = 30}
  layer:initialise(lac.rng(1))
  local keep <close> = lac.rng(3):uniform {30, 40}
  layer.weight:set_mask(keep:greater(0.5))
  do
    local scope <close> = lac.scope()
    local x = lac.rng(2):normal {4, 40}
    local want = layer(x)
    local held = layer:hold()
    held:prepare(layer)
    check.yes(layer.weight.ready)
    check.close(layer(x), want, 1e-5)
    held:close()
    check.equal(layer.weight.ready, nil)
    check.close(layer(x), want, 1e-5)
  end
  layer:close()
end

function T.a_hold_left_open_by_an_error_ends_with_the_mode_or_the_next_hold()
  local layer = coin {draw = "forward"}
  layer:train(lac.rng(1))
  do
    local scope <close> = lac.scope()
    layer:hold()
  end -- the held tensor is closed with its scope
  do
    local scope <close> = lac.scope()
    local held <close> = layer:hold()
    check.equal(layer.weight:tensor():shape(), {64, 1})
    layer:hold()
    layer:eval()
    check.equal(layer.weight:tensor():abs():sum():item(), 0)
  end
  layer:close()
end

function T.one_draw_and_prepared_weights_left_by_an_error_end_with_the_next_hold()
  local layer = coin()
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    layer:hold {once = true}
    check.equal(layer.weight:tensor():shape(), {64, 1})
  end
  do
    local scope <close> = lac.scope()
    local held <close> = layer:hold()
    check.yes(differs(layer.weight:tensor(), layer.weight:tensor()))
  end
  layer:eval()
  layer:hold():prepare(layer)
  check.yes(layer.weight.ready)
  layer:train(lac.rng(1))
  check.equal(layer.weight.ready, nil)
  layer:close()
end

function T.masks_drawn_at_every_step_are_not_held()
  local layer = coin()
  do
    local scope <close> = lac.scope()
    layer:train(lac.rng(1))
    local held <close> = layer:hold()
    check.yes(layer:redraws())
    check.yes(differs(layer.weight:tensor(), layer.weight:tensor()))
  end
  layer:close()
end

function T.fixed_and_trained_masks_tell_what_they_keep()
  local scope <close> = lac.scope()
  local fixed = mask.fixed(lac.tensor {1, 0, 1})
  check.equal(fixed:binary(), {1, 0, 1})
  check.equal(fixed:kept():item(), 2)
  check.equal(fixed:apply(lac.tensor {5, 6, 7}), {5, 0, 7})
  local trained = mask.trained(lac.tensor {3, -1, 0})
  check.equal(trained:binary(), {1, 0, 0})
  check.equal(trained:kept():item(), 1)
end

-- e^0 = 1 is taken off the size of each weight.
function T.a_soft_mask_shrinks_what_it_keeps()
  local scope <close> = lac.scope()
  local soft, w = mask.soft(lac.tensor {0}), lac.tensor {-2, 0.25, 1, -1, 1.25, -0.0}
  check.equal(soft:apply(w), {-1, 0, 0, 0, 0.25, 0})
  check.equal(soft:pruned(w):tobytes(), string.pack("<ffffff", -1, 0, 0, 0, 0.25, 0))
  check.equal(soft:binary(w), {1, 0, 0, 0, 1, 0})
  check.equal(soft:kept(w):item(), 2)
  check.yes(not soft.redraws())
end

function T.a_soft_masks_threshold_has_the_gradient_of_what_it_keeps()
  check.grad(function(w, t) return mask.soft(t):apply(w) end, {{{-2, 0.25, -0.2}, {0.9, 0.7, -0.75}}, {-0.7}})
  local w, t = lac.tensor({-2, 0.25, 1.75}):requires_grad(true), lac.tensor({0}):requires_grad(true)
  local soft = mask.soft(t)
  do
    local tape <close> = lac.tape()
    tape:backward((soft:apply(w) * lac.tensor {1, 10, 100}):sum())
    check.equal(w:grad(), {1, 0, 100}) -- none where it is dropped
    check.close(t:grad(), {1 - 100}) -- against the sign of the weight
    soft:zero_grad()
    check.equal(t:grad(), nil)
  end
  w:close()
  soft:close()
end

function T.gradients_of_logits_are_forgotten_with_the_models()
  local layer = coin()
  local logits = layer.weight.mask.logits:requires_grad(true)
  do
    local tape <close> = lac.tape()
    tape:backward(layer(lac.zeros({1, 1}):fill(1)):sum())
  end
  local grad <close> = logits:grad()
  check.close(grad:totable()[1], {0.5})
  grad:close()
  layer:zero_grad()
  check.equal(logits:grad(), nil)
  layer:close()
end

function T.a_parameter_closes_the_mask_it_had()
  local param = Param({1})
  local first, second = lac.tensor {1}, lac.tensor {0}
  param:set_mask(first)
  param:set_mask(mask.trained(second))
  check.yes(first:is_closed())
  param:set_mask(nil)
  check.yes(second:is_closed())
end

function T.a_mask_is_made_again_of_its_state()
  local layer = coin()
  local state = layer.weight.mask:state()
  check.equal(state.kind, "trained")
  check.equal(state.cfg.bypass, false)
  local logits = state.tensor:clone()
  layer.weight:set_mask {kind = "trained", tensor = logits, cfg = {draw = "forward", bypass = true}}
  check.equal(layer.weight.mask:state(), {kind = "trained", tensor = logits, cfg = {draw = "forward", bypass = true}})
  layer.weight:set_mask {kind = "fixed", tensor = lac.zeros(layer.weight.shape)}
  check.equal(layer.weight.mask:state().kind, "fixed")
  layer.weight:set_mask {kind = "soft", tensor = lac.tensor {-2}}
  check.equal(layer.weight.mask:state().kind, "soft")
  local two <close> = lac.tensor {0, 0}
  check.fails("a soft mask has one threshold, got 2", layer.weight.set_mask, layer.weight,
    {kind = "soft", tensor = two})
  check.fails('there is no kind of mask "hard"; there are fixed, trained and soft', layer.weight.set_mask,
    layer.weight, {kind = "hard"})
  layer:close()
end

function T.a_pruned_value_has_no_negative_zeros_and_draws_nothing()
  local param = Param({4}, nil, {maskable = true})
  check.fails("has no value", param.pruned, param)
  param:set(lac.tensor {-1, 2, -3, -0.0})
  check.yes(param:pruned() == param.value)
  param:set_mask {kind = "trained", tensor = lac.tensor {-9, -9, 9, 0}}
  param:set_rng(lac.rng(1))
  local pruned <close> = param:pruned()
  check.equal(pruned:tobytes(), string.pack("<ffff", 0, 0, -3, 0))
  param:set(nil)
  param:set_mask(nil)
end

function T.unknown_ways_of_drawing_are_refused()
  check.fails('nn.mask: draw must be "step", "forward" or "never", got "epoch"', mask.trained, nil, {draw = "epoch"})
  check.fails('unknown key "drew"', mask.trained, nil, {drew = "step"})
end

return T
