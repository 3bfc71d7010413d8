local check = require "check"
local config = require "core.config"

local T = {}

local defaults = {
  sparsity = 0.8,
  scope = "global",
  lr = config.either(0.1, "function"),
  seed = config.optional("number"),
  data = {batch = 15, paths = {}},
  layers = {2, 3},
}

function T.options_replace_defaults_at_every_depth()
  local cfg = config.merge(defaults, {sparsity = 0.9, data = {batch = 3}})
  check.equal(cfg, {sparsity = 0.9, scope = "global", lr = 0.1, data = {batch = 3, paths = {}},
    layers = {2, 3}})
end

function T.nothing_is_shared_with_the_defaults_or_the_options()
  local options = {layers = {9}}
  local cfg = config.merge(defaults, options)
  cfg.layers[1], cfg.data.batch = 5, 5
  check.equal(options.layers[1], 9)
  check.equal(config.merge(defaults).data.batch, 15)
end

function T.an_unknown_key_is_refused_with_the_nearest_name()
  check.fails('prune: unknown key "sparsty"; did you mean "sparsity"%?', config.merge, defaults,
    {sparsty = 1}, "prune")
  check.fails('prune.data: unknown key "bach"; did you mean "batch"%?', config.merge, defaults,
    {data = {bach = 1}}, "prune")
  check.fails('options: unknown key "zzzzzz"; there are data, layers', config.merge, defaults, {zzzzzz = 1})
  check.fails("options: unknown key %[1%]", config.merge, defaults, {1})
end

function T.a_value_of_another_type_is_refused()
  check.fails('options.sparsity must be a number, got the string "0.5"', config.merge, defaults,
    {sparsity = "0.5"})
  check.fails("options.data must be a table, got the number 3", config.merge, defaults, {data = 3})
  check.fails("options must be a table, got a number", config.merge, defaults, 3)
end

function T.either_allows_more_types_and_optional_no_default()
  local schedule = function() return 1 end
  local cfg = config.merge(defaults, {lr = schedule, seed = 3})
  check.equal({cfg.lr, cfg.seed}, {schedule, 3})
  check.fails("lr must be a number or a function, got the boolean true", config.merge, defaults, {lr = true})
  check.fails("seed must be a number, got", config.merge, defaults, {seed = "x"})
end

function T.a_part_that_is_empty_in_the_defaults_holds_anything()
  check.equal(config.merge(defaults, {data = {paths = {x = 1, 2}}}).data.paths, {x = 1, 2})
end

function T.objects_are_kept_and_not_copied()
  local object = setmetatable({}, {})
  check.yes(config.merge({rng = config.optional("table")}, {rng = object}).rng == object)
end

function T.the_error_points_at_the_line_of_the_user()
  local message = check.fails("unknown key", function() config.merge(defaults, {x = 1}) end)
  check.yes(message:find("test_config.lua:%d+: options: unknown"), message)
end

return T
