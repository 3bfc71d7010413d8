--- The pictures of a data file, batch by batch: files in a folder, decoded by threads.
--
-- How they are resized and cut is what the encoder asks for, so it is said before the first batch (use).
-- @module data.pictures
local lac = require "lac"
local album = require "data.album"
local class = require "core.class"
local disk = require "core.disk"

local Pictures = class("Pictures")

local HINT = 'data.missing = "skip" (--skip-missing of a command) goes on without such pictures'

-- Whether a name leads to a file in the folder, and never out of it.
local function stays_inside(name)
  return name ~= "" and name:sub(1, 1) ~= "/" and not ("/" .. name .. "/"):find("/../", 1, true)
end

--- The folder of the pictures: as it was named when the data file was made, seen from here or from the data file.
-- @tparam string folder
-- @tparam ?string path of the data file
-- @treturn string
-- @raise when it is in neither place
function Pictures.folder(folder, path)
  local beside = path and folder:sub(1, 1) ~= "/" and (path:match("^(.*/)[^/]*$") or "") .. folder
  if disk.is_folder(folder) then return folder end
  if beside and disk.is_folder(beside) then return beside end
  error(("%s: there is no such folder of pictures%s"):format(folder,
    path and ("; data.images says where the pictures of %s are"):format(path) or ""), 0)
end

--- Which of the images have no file.
-- @tparam string folder
-- @tparam table images list of {file =, id =}
-- @treturn table their numbers
-- @treturn ?string a sentence about them, nil where there is none
function Pictures.missing(folder, images)
  local missing = {}
  for i, image in ipairs(images) do
    local file = image.file
    if not (type(file) == "string" and stays_inside(file) and disk.exists(folder .. "/" .. file)) then
      missing[#missing + 1] = i
    end
  end
  if #missing == 0 then return missing, nil end
  local first, others = images[missing[1]], #missing - 1
  return missing, ("%s: there is no picture %s (image %s)%s"):format(folder, tostring(first.file), tostring(first.id),
    others > 0 and (", and %d other%s of %d %s missing"):format(others, others > 1 and "s" or "", #images,
      others > 1 and "are" or "is") or "")
end

--- @tparam table cfg folder; images: list of {file, id}; missing: "error" or "skip"; path of the data file; note:
-- function that gets a sentence about a picture that is skipped
-- @raise names the first picture that is not there, unless they are skipped
function Pictures:init(cfg)
  self.images, self.skips, self.path, self.note = cfg.images, cfg.missing == "skip", cfg.path, cfg.note
  self.place = Pictures.folder(cfg.folder, cfg.path)
  self.gone, self.broken = {}, {} -- image numbers -> true; those that had no file, those that could not be read
  local missing, sentence = Pictures.missing(self.place, cfg.images)
  if sentence and not self.skips then error(sentence .. "; " .. HINT, 0) end
  for _, at in ipairs(missing) do self.gone[at] = true end
  self.missing_images = missing -- numbers of those that have no file
  self.left_out = #missing -- of either kind
end

--- How pictures are to be read from now on.
-- @tparam table spec size, resize, grid, keep_aspect: see lac.pictures
function Pictures:use(spec)
  self:close()
  self.reader = lac.pictures {size = spec.size, resize = spec.resize, grid = spec.grid, keep_aspect = spec.keep_aspect}
end

--- Stop the threads; idempotent.
function Pictures:close()
  if self.reader then self.reader:close() end
end

-- A number from 0 to 1, both reached, of 2^24 + 1.
local function fraction(rng)
  return rng:below((1 << 24) + 1) / (1 << 24)
end

--- Let pictures be read, in the background.
-- @tparam table images their numbers
-- @tparam[opt] rng rng for a random cut and flip of each, drawn from a stream of its own; else they are cut out of the
-- middle
function Pictures:order(images, rng)
  if not self.reader then
    error(self.path .. ": this is a data file of pictures; a model that looks at them has an encoder, model.encoder", 0)
  end
  local wanted = {}
  for i, at in ipairs(images) do
    wanted[i] = {path = self.place .. "/" .. self.images[at].file}
    if rng then
      local own = rng:fork("picture"):fork(at)
      wanted[i].x, wanted[i].y, wanted[i].flip = fraction(own), fraction(own), own:below(2) == 1
    end
  end
  self.reader:order(wanted)
end

function Pictures:skip(at, sentence)
  if not self.skips then error(sentence .. "; " .. HINT, 0) end
  if self.broken[at] then return end
  self.broken[at], self.left_out = true, self.left_out + 1
  if self.note then self.note("left out: " .. sentence) end
end

--- What was ordered.
-- @tparam table images their numbers; those whose picture cannot be read are taken out of the list
-- @treturn table pictures [images, size, size, 3], RGB from 0 to 1; nil where the list is empty now
-- @raise names the first file that cannot be read, unless they are skipped
function Pictures:take(images)
  local pictures, errors = self.reader:take()
  local places, left = {}, {}
  for i, at in ipairs(images) do
    local problem = errors and errors[i]
    if problem then
      self:skip(at, problem)
    else
      places[#places + 1], left[#left + 1] = i, at
    end
  end
  for i = 1, #images do images[i] = left[i] end
  return {pictures = #left > 0 and album.choose(pictures, places) or nil}
end

return Pictures
