--- Picture files that belong to no data set, batch by batch: those that a command line names.
-- @module data.album
local lac = require "lac"
local class = require "core.class"

local album = {}

--- What a picture is called: its file's name without folder and ending.
-- @tparam string path
-- @treturn string
function album.name(path)
  local name = path:match("([^/]+)$") or path
  return name:match("^(.+)%.[^.]*$") or name
end

--- Some pictures of a batch.
-- @tparam tensor pictures [n, size, size, 3]
-- @tparam table places which, at least one
-- @treturn tensor
function album.choose(pictures, places)
  local shape, rows = pictures:shape(), {}
  if #places == shape[1] then return pictures end
  for i, place in ipairs(places) do rows[i] = place - 1 end
  local flat = pictures:reshape(shape[1], shape[2] * shape[3] * shape[4])
  return lac.embedding(flat, lac.tensor(rows, "i32")):reshape(#places, shape[2], shape[3], shape[4])
end

local Batches = class("Batches")

-- Let the pictures that come next be read; how many they are.
function Batches:order()
  local wanted = {}
  for i = self.first, math.min(self.first + self.size - 1, #self.paths) do
    wanted[#wanted + 1] = {path = self.paths[i]}
  end
  if #wanted > 0 then self.reader:order(wanted) end
  self.count = #wanted
end

function Batches:init(paths, spec, size)
  self.paths, self.size, self.first = paths, size, 1
  self.reader = lac.pictures {size = spec.size, resize = spec.resize, grid = spec.grid, keep_aspect = spec.keep_aspect}
  self:order()
end

--- The next batch; the one after it is read meanwhile.
-- @treturn tensor [n, size, size, 3], RGB from 0 to 1; false where none can be read, nil after the last
-- @treturn table which of the paths these are
-- @treturn table sentences about those that cannot be read
function Batches:next()
  if self.count == 0 then return nil end
  local pictures, errors = self.reader:take()
  local places, numbers, problems = {}, {}, {}
  for i = 1, self.count do
    if errors and errors[i] then
      problems[#problems + 1] = errors[i]
    else
      places[#places + 1], numbers[#numbers + 1] = i, self.first + i - 1
    end
  end
  self.first = self.first + self.count
  self:order()
  return #places > 0 and album.choose(pictures, places), numbers, problems
end

function Batches:close()
  self.reader:close()
end
Batches.__close = Batches.close

--- Read pictures, each cut out of the middle.
-- @tparam table paths
-- @tparam table spec size, resize, grid, keep_aspect: `pictures` of an encoder, see lac.pictures
-- @tparam integer size pictures in a batch
-- @treturn Batches with next() and close()
function album.batches(paths, spec, size)
  return Batches(paths, spec, size)
end

return album
