--- How captions are found, for all who show or score them: by beams, or drawn.
-- @module train.decode
local beam = require "train.beam"
local config = require "core.config"
local sample = require "train.sample"

local decode = {}

--- beam: width, 1 is greedy; or sample: so many captions drawn per image, with rng; the others as for train.beam and
-- train.sample.
decode.defaults = {
  beam = 1, sample = config.optional("number"), rng = config.optional("userdata"), length = 18, bos = 2, eos = 3,
  temperature = 1, top_k = 0, nucleus = 1, groups = 1, diversity = 0.5, penalty = config.optional("table"),
  constraints = config.optional("table"),
}

local function drawn(model, seen, cfg)
  local list = sample.captions(model, seen, {
    each = cfg.sample, rng = cfg.rng, length = cfg.length, bos = cfg.bos, eos = cfg.eos, temperature = cfg.temperature,
    top_k = cfg.top_k, nucleus = cfg.nucleus, constraints = cfg.constraints})
  local of_images = {}
  for i = 1, seen.images do of_images[i] = table.move(list, (i - 1) * cfg.sample + 1, i * cfg.sample, 1, {}) end
  return of_images
end

-- The best of each group, and of these the best first.
local function best_of_groups(list)
  local best = {}
  for _, found in ipairs(list) do
    if not best[found.group] then best[found.group] = found end
  end
  table.sort(best, function(x, y)
    if x.score ~= y.score then return x.score > y.score end
    return x.group < y.group
  end)
  return best
end

--- The captions of images.
-- @tparam nn.Module model in evaluation mode
-- @tparam table seen from model:encode
-- @tparam[opt] table cfg see defaults
-- @treturn table per image a list of {ids, logprobs, and without drawing score}: the best one; with groups the best of
-- each, the best of all first; with sample all
function decode.captions(model, seen, cfg)
  cfg = config.merge(decode.defaults, cfg, "decode")
  if cfg.sample then return drawn(model, seen, cfg) end
  local options = {width = cfg.beam, length = cfg.length, bos = cfg.bos, eos = cfg.eos, constraints = cfg.constraints,
                   temperature = cfg.temperature, penalty = cfg.penalty, groups = cfg.groups, diversity = cfg.diversity}
  local of_images = {}
  if cfg.beam == 1 then
    for i, found in ipairs(beam.greedy(model, seen, options)) do of_images[i] = {found} end
  else
    for i, list in ipairs(beam.search(model, seen, options)) do of_images[i] = best_of_groups(list) end
  end
  return of_images
end

return decode
