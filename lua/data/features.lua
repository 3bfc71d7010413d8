--- Region features of images: reading, checking, and batches padded to the largest image.
-- @module data.features
local lac = require "lac"

local features = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

-- The place of the first number that is not finite, for the message.
local function find_bad(x)
  for i, row in ipairs(x:totable()) do
    for j, v in ipairs(row) do
      if v ~= v or v == math.huge or v == -math.huge then return i, j, v end
    end
  end
end

local function check(x, path, width)
  local shape = x:shape()
  if #shape == 3 then shape = {shape[1] * shape[2], shape[3]} end -- a grid of cells is a list of regions
  if #shape ~= 2 then fail(path, "region features have two dimensions [regions, %d], these have %d", width, #shape) end
  if shape[1] == 0 then fail(path, "there is no region in it") end
  if shape[2] ~= width then
    fail(path, "a region has %d features, but the model was trained with %d", shape[2], width)
  end
  local rows = x:dtype() == "f32" and x:reshape(shape) or x:to_f32():reshape(shape)
  local total = (rows * 0):sum():item() -- zero, unless a number is NaN or infinite
  if total ~= 0 then
    local i, j, v = find_bad(rows)
    fail(path, "region %d, feature %d is %s; features must be finite numbers", i, j, v)
  end
  return rows
end

local function read_tensors(path)
  if path:find("%.npy$") then return {[path:match("([^/]+)%.npy$") or path] = lac.npy.read(path)} end
  if path:find("%.npz$") then
    local arrays = lac.npz.read(path)
    local x = arrays.feat or arrays.features or arrays.arr_0
    if not x then
      local only = next(arrays)
      if only and next(arrays, only) == nil then x = arrays[only] end
    end
    if not x then fail(path, "it holds several arrays, and none is called feat or features") end
    return {[path:match("([^/]+)%.npz$") or path] = x}
  end
  if path:find("%.h5$") or path:find("%.hdf5$") then
    local found, file <close> = {}, lac.hdf5.open(path)
    for _, name in ipairs(file:names()) do found[name:match("([^/]+)$")] = file:read(name) end
    return found
  end
  error(path .. ": region features come as .npy, .npz or .h5 files", 0)
end

--- Read the images of a file: one of .npy and .npz, one per dataset of .h5.
-- @tparam string path
-- @tparam integer width features per region that are expected
-- @treturn table list of {id = string, att = tensor [regions, width]}, by id
-- @raise file, region and what is wrong
function features.read(path, width)
  local images = {}
  for id, x in pairs(read_tensors(path)) do images[#images + 1] = {id = id, att = check(x, path, width)} end
  if #images == 0 then fail(path, "there is nothing in it") end
  table.sort(images, function(a, b) return a.id < b.id end)
  return images
end

--- Pad images to the same number of regions.
-- @tparam table images list of {att = tensor [regions, width]}, optionally fc = tensor [width]; without it the
-- mean of the regions
-- @treturn table fc [images, width], att [images, regions, width], mask [images, regions]
function features.batch(images)
  local most, width = 0, images[1].att:shape(2)
  for _, image in ipairs(images) do most = math.max(most, image.att:shape(1)) end
  local att, fc, mask = {}, {}, {}
  for i, image in ipairs(images) do
    local regions = image.att:shape(1)
    local padded = image.att
    if regions < most then padded = lac.concat({padded, lac.zeros {most - regions, width}}, 1) end
    att[i] = padded:reshape(1, most, width)
    fc[i] = (image.fc or image.att:mean(1)):reshape(1, width)
    mask[i] = {}
    for s = 1, most do mask[i][s] = s <= regions and 1 or 0 end
  end
  return {att = lac.concat(att, 1), fc = lac.concat(fc, 1), mask = lac.tensor(mask)}
end

return features
