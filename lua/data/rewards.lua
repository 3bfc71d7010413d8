--- Rewards of self-critical training over the images of a data set.
--
--     local rewards <close> = dataset:rewards {cider = 1, bleu = {0, 0, 0, 1}}
--     rewards:request(images, captions)   -- numbers as batch.images has them, one for each caption
--     ...                                 -- the threads work
--     local scores = rewards:take()
-- @module data.rewards
local lac = require "lac"
local config = require "core.config"
local references = require "data.references"

local rewards = {}

local defaults = {
  cider = 0,            -- weight of CIDEr-D
  bleu = {0, 0, 0, 0},  -- weights of BLEU-1 to BLEU-4
}

--- Prepare the references of a data set; document frequencies are those of its training images.
-- @tparam Dataset dataset
-- @tparam table cfg see defaults
-- @treturn lac.text.rewards over all images of the file, by their numbers there
function rewards.open(dataset, cfg)
  cfg = config.merge(defaults, cfg, "rewards")
  local file <close> = lac.hdf5.open(dataset.path, {verify = false})
  local lists = references.read(file, dataset)
  cfg.frequencies = references.frequencies(file, dataset, lists)
  return lac.text.rewards(lists, cfg)
end

return rewards
