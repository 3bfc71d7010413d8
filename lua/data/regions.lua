--- The features of a data file's images, batch by batch, read by a thread.
-- @module data.regions
local lac = require "lac"
local class = require "core.class"

local Regions = class("Regions")

--- Open the features of a data file.
-- @tparam table cfg path; file, the open file; starts: where the regions of each image begin, and their end
-- @raise when the file has features of another number of images
function Regions:init(cfg)
  self.starts = cfg.starts
  self.boxed = cfg.file:attr("", "boxes") == 1
  self.reader = lac.hdf5.features(cfg.path, {att = "features", boxes = self.boxed and "boxes" or nil,
    fc = cfg.file:has("fc") and "fc" or nil})
  local info = self.reader:info()
  self.width, self.dtype = info.width, info.dtype
  self.fc_width = info.fc_width > 0 and info.fc_width or info.width
  if info.regions ~= self.starts[#self.starts] or (info.fc_width > 0 and info.fc_rows ~= #self.starts - 1) then
    self.reader:close()
    error(cfg.path .. ": cannot be used: it has features of another number of images", 0)
  end
end

--- Stop the thread and close the file; idempotent.
function Regions:close()
  self.reader:close()
end

--- Let the features of images be read, in the background.
-- @tparam table images their numbers
function Regions:order(images)
  local wanted = {}
  for _, at in ipairs(images) do
    local first = self.starts[at]
    table.move({first, self.starts[at + 1] - first, at - 1}, 1, 3, #wanted + 1, wanted)
  end
  self.reader:order(wanted)
end

--- What was ordered.
-- @tparam table images their numbers
-- @treturn table att, fc, mask, boxes or nil, regions; see data.captions
function Regions:take(images)
  local batch = self.reader:take()
  batch.regions = {}
  for i, at in ipairs(images) do batch.regions[i] = self.starts[at + 1] - self.starts[at] end
  return batch
end

--- @treturn table total, min, mean and max of the images' numbers of regions
function Regions:counts()
  local count = #self.starts - 1
  local total = self.starts[count + 1]
  local found = {total = total, min = math.huge, max = 0, mean = total / count}
  for i = 1, count do
    local regions = self.starts[i + 1] - self.starts[i]
    found.min, found.max = math.min(found.min, regions), math.max(found.max, regions)
  end
  return found
end

return Regions
