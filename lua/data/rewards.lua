--- Rewards of self-critical training over the images of a data set.
--
--     local rewards <close> = dataset:rewards {cider = 1, bleu = {0, 0, 0, 1}}
--     rewards:request(images, captions)   -- numbers as batch.images has them, one for each caption
--     ...                                 -- the threads work
--     local scores = rewards:take()
-- @module data.rewards
local lac = require "lac"
local config = require "core.config"

local rewards = {}

local defaults = {
  cider = 0,            -- weight of CIDEr-D
  bleu = {0, 0, 0, 0},  -- weights of BLEU-1 to BLEU-4
}

-- The references of all images, in the order of the file. What the vocabulary does not have is "UNK", which no
-- caption of a model says.
local function decode(dataset)
  local lists = {}
  for i in ipairs(dataset.images) do
    local texts = {}
    for caption = dataset.caption_start[i] + 1, dataset.caption_start[i + 1] do
      local from, to = dataset.token_start[caption] + 1, dataset.token_start[caption + 1]
      texts[#texts + 1] = dataset.vocab:decode(table.move(dataset.tokens, from, to, 1, {})):gsub("<unk>", "UNK")
    end
    lists[i] = texts
  end
  return lists
end

local function of_split(dataset, split, lists)
  local some = {}
  for i, at in ipairs(dataset.members[split]) do some[i] = lists[at] end
  return some
end

--- Prepare the references of a data set; document frequencies are those of its training images.
-- @tparam Dataset dataset
-- @tparam table cfg see defaults
-- @treturn lac.text.rewards over all images of the file, by their numbers there
function rewards.open(dataset, cfg)
  cfg = config.merge(defaults, cfg, "rewards")
  local lists = decode(dataset)
  cfg.frequencies = lac.text.frequencies.count(of_split(dataset, "train", lists))
  return lac.text.rewards(lists, cfg)
end

return rewards
