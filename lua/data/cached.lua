--- A source of a data file: what an encoder makes of the pictures of another one.
-- @module data.cached
local lac = require "lac"

local cached = {}

--- Open a source for `data.build`.
-- @tparam Dataset dataset of pictures, ready to be read (use_pictures)
-- @tparam table cfg width; encode: pictures -> att [n, positions, width], fc [n, ...]; boxes: of the positions, a list
-- of lists, or nil; batch: pictures at once; encoder: a text that tells it from others
-- @treturn table source, with the captions, ids and vocabulary of the data set
function cached.source(dataset, cfg)
  local images, by_id = dataset:contents(), {}
  for _, image in ipairs(images) do by_id[image.id] = image end
  local function each(take)
    local next_batch = dataset:all(cfg.batch)
    while true do
      local scope <close> = lac.scope()
      local batch = next_batch()
      if not batch then return end
      local att, fc = cfg.encode(batch.pictures)
      local boxes = cfg.boxes and lac.tensor(cfg.boxes) or nil
      for i, id in ipairs(batch.ids) do
        take(by_id[id], {att = att:select(1, i), fc = fc:select(1, i), boxes = boxes})
      end
    end
  end
  return {name = dataset.name, width = cfg.width, vocab = dataset.vocab, images = images, each = each,
          encoder = cfg.encoder}
end

return cached
