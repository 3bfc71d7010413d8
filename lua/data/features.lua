--- Region features of images and their boxes: reading, checking, and batches padded to the largest image.
-- @module data.features
local lac = require "lac"
local disk = require "core.disk"
local sorted_keys = require "core.keys"

--- What stands in place of boxes for those of a grid of cells.
local features = {GRID = "grid"}

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

-- Rows of finite numbers [regions, width], and the rows and columns of cells where these are a grid. `width` may be
-- nil; `because` says where it comes from.
local function check(x, path, width, because)
  local shape, cells = x:shape(), nil
  if #shape == 3 then cells = {shape[1], shape[2]} end
  if #shape == 3 then shape = {shape[1] * shape[2], shape[3]} end -- a grid of cells is a list of regions
  if #shape ~= 2 then
    fail(path, "region features have two dimensions [regions, %s], these have %d", width or "features", #shape)
  end
  if shape[1] == 0 then fail(path, "there is no region in it") end
  if shape[2] == 0 then fail(path, "its regions have no features") end
  if width and shape[2] ~= width then
    fail(path, "a region has %d features, but %s %d", shape[2], because, width)
  end
  local rows = x:dtype() == "f32" and x:reshape(shape) or x:to_f32():reshape(shape)
  local total = (rows * 0):sum():item() -- zero, unless a number is NaN or infinite
  if total ~= 0 then
    local i, j, v = find_bad(rows)
    fail(path, "region %d, feature %d is %s; features must be finite numbers", i, j, v)
  end
  return rows, cells
end

-- A vector of the whole image, of finite numbers; `width` may be nil.
local function check_fc(x, path, width)
  if x:dtype() ~= "f32" then x = x:to_f32() end
  if x:numel() == 0 then fail(path, "its fc, the vector of the image, has no numbers") end
  if width and x:numel() ~= width then
    fail(path, "its fc has %d numbers, but the model was trained with %d", x:numel(), width)
  end
  if (x * 0):sum():item() ~= 0 then fail(path, "its fc holds numbers that are not finite") end
  return x:reshape(x:numel())
end

-- The array of an .npz file that has one of the names, or its only one.
local function pick(arrays, ...)
  for _, name in ipairs {...} do
    if arrays[name] then return arrays[name] end
  end
  local only = next(arrays)
  return only and next(arrays, only) == nil and arrays[only] or nil
end

local function read_npz(path)
  local arrays = lac.npz.read(path)
  local x = pick(arrays, "feat", "features", "arr_0")
  if not x then fail(path, "it holds several arrays, and none is called feat or features") end
  return x, arrays
end

local function is_hdf5(path)
  return path:find("%.h5$") or path:find("%.hdf5$")
end

-- Features by the image's name, the boxes beside them, and vectors of whole images.
local function read_tensors(path)
  if path:find("%.npy$") then return {[path:match("([^/]+)%.npy$") or path] = lac.npy.read(path)}, {}, {} end
  if path:find("%.npz$") then
    local id, x, arrays = path:match("([^/]+)%.npz$") or path, read_npz(path)
    return {[id] = x}, {[id] = arrays.boxes or arrays.bbox}, {[id] = arrays.fc}
  end
  if is_hdf5(path) then
    local found, file <close> = {}, lac.hdf5.open(path)
    for _, name in ipairs(file:names()) do found[name:match("([^/]+)$")] = file:read(name) end
    return found, {}, {}
  end
  error(path .. ": region features come as .npy, .npz or .h5 files", 0)
end

-- Edges relative to the image's, not pixels.
local function check_boxes(x, path, regions)
  local shape = x:shape()
  if #shape ~= 2 or shape[2] ~= 4 then
    fail(path, "boxes have the shape [regions, 4], these have [%s]", table.concat(shape, ", "))
  end
  if shape[1] ~= regions then fail(path, "there are %d boxes for %d regions", shape[1], regions) end
  for i, row in ipairs(x:totable()) do
    for _, v in ipairs(row) do
      if not (v >= -1e-3 and v <= 1 + 1e-3) then -- luacheck: ignore 581 (NaN)
        fail(path, "box %d has an edge at %s; edges are relative to the image, from 0 to 1", i, v)
      end
    end
    if row[3] < row[1] or row[4] < row[2] then
      fail(path, "box %d ends before it begins: left %g, top %g, right %g, bottom %g", i, table.unpack(row))
    end
  end
  return x:dtype() == "f32" and x or x:to_f32()
end

local function read_boxes(path, regions)
  if path:find("%.npz$") then
    local boxes = pick(lac.npz.read(path), "boxes", "bbox", "arr_0")
    if not boxes then fail(path, "it holds several arrays, and none is called boxes or bbox") end
    return check_boxes(boxes, path, regions)
  end
  return check_boxes(lac.npy.read(path), path, regions)
end

--- Boxes of the cells of a grid, row by row.
-- @tparam integer down
-- @tparam integer across
-- @treturn table list of {left, top, right, bottom}
function features.grid(down, across)
  local list = {}
  for i = 0, down * across - 1 do
    local y, x = i // across, i % across
    list[i + 1] = {x / across, y / down, (x + 1) / across, (y + 1) / down}
  end
  return list
end

-- The cells of a grid, row by row; without `cells` it is a square one.
local function grid_boxes(path, regions, cells)
  local side = math.floor(math.sqrt(regions) + 0.5)
  local down, across = table.unpack(cells or {side, side})
  if down * across ~= regions then
    fail(path, "%d regions are no square grid of cells; an array [rows, columns, features] says which it is", regions)
  end
  return lac.tensor(features.grid(down, across))
end

local function is_array(path)
  return path:find("%.np[yz]$") ~= nil
end

--- Whether boxes can be where they are said to be, before any is looked up.
-- @tparam string where as for read
-- @tparam integer images how many get their boxes there
-- @raise one sentence
function features.check_where(where, images)
  if where == features.GRID then return end
  if not disk.exists(where) then error(('there is no file or folder "%s" with boxes'):format(where), 0) end
  if disk.is_folder(where) then return end
  if not (is_hdf5(where) or is_array(where)) then
    fail(where, "no file of boxes: they come as .npy, .npz or .h5 files, or a folder of these")
  end
  if is_array(where) and images > 1 then
    fail(where, "it has the boxes of one image, and there are %d; for several it is a folder of such files, named as "
      .. "the images, or a .h5 file", images)
  end
end

-- The boxes of an image, from where they are said to be: features.GRID, a file, or a folder with a file per image.
local function find_boxes(where, id, path, regions, cells)
  if where == features.GRID then return grid_boxes(path, regions, cells) end
  if is_hdf5(where) then
    local file <close> = lac.hdf5.open(where)
    if not file:has(id) then fail(where, "there are no boxes of image %s in it", id) end
    return check_boxes(file:read(id), where .. " (" .. id .. ")", regions)
  end
  if is_array(where) then return read_boxes(where, regions) end
  for _, ending in ipairs {".npz", ".npy"} do
    local file = where .. "/" .. id .. ending
    if not id:find("/", 1, true) and disk.exists(file) then return read_boxes(file, regions) end
  end
  fail(where, "there is no %s.npz or %s.npy with the boxes of image %s", id, id, id)
end

--- Read the images of a file: one of .npy and .npz, one per dataset of .h5.
-- @tparam string path
-- @tparam table sizes features: numbers per region that are expected; fc_features: of the image's vector, where the
-- model has one; the array fc beside the features is it, else the mean of the regions, which must be as wide
-- @tparam[opt] string boxes where they are: features.GRID for a grid of cells; a .npy or .npz file; a folder of these,
-- or a .h5 file of datasets, named as the images. Else they are the array boxes or bbox beside the features, if there
-- is one
-- @treturn table list of {id = string, att = tensor [regions, width], boxes = tensor [regions, 4] or nil, fc = tensor
-- or nil}, by id
-- @raise file, region and what is wrong
function features.read(path, sizes, boxes)
  local images, found, beside, vectors = {}, read_tensors(path)
  local width, fc_width = sizes.features, sizes.fc_features
  if boxes then features.check_where(boxes, #sorted_keys(found)) end
  for id, x in pairs(found) do
    local att, cells = check(x, path, width, "the model was trained with")
    local fc = fc_width and vectors[id] and check_fc(vectors[id], path, fc_width)
    if fc_width and fc_width ~= width and not fc then
      fail(path, "the model looks at a vector of %d numbers for the whole image, the array fc of an .npz file beside "
        .. "the features; there is none", fc_width)
    end
    local regions, own = att:shape(1), beside[id]
    if boxes then
      own = find_boxes(boxes, id, path, regions, cells)
    elseif own then
      own = check_boxes(own, path, regions)
    end
    images[#images + 1] = {id = id, att = att, boxes = own, fc = fc}
  end
  if #images == 0 then fail(path, "there is nothing in it") end
  table.sort(images, function(a, b) return a.id < b.id end)
  return images
end

--- Read one image for a data set.
-- @tparam string path .npy or .npz
-- @tparam table cfg width: features per region that are expected, nil for any; boxes: features.GRID, or another file
-- with the boxes; else they are the array boxes or bbox beside the features, if there is one
-- @treturn table {att = tensor [regions, width], boxes = tensor [regions, 4] or nil, fc = the array fc beside the
-- features, a vector of the whole image, or nil}
-- @raise file, region and what is wrong
function features.image(path, cfg)
  local x, arrays
  if path:find("%.npz$") then x, arrays = read_npz(path) else x, arrays = lac.npy.read(path), {} end
  local att, cells = check(x, path, cfg.width, "the images before it have")
  local regions, boxes = att:shape(1), arrays.boxes or arrays.bbox
  if cfg.boxes == features.GRID then
    boxes = grid_boxes(path, regions, cells)
  elseif cfg.boxes then
    boxes = read_boxes(cfg.boxes, regions)
  elseif boxes then
    boxes = check_boxes(boxes, path, regions)
  end
  return {att = att, boxes = boxes, fc = arrays.fc and check_fc(arrays.fc, path)}
end

-- A tensor [regions, ...] as [1, most, ...], zeros behind.
local function padded(x, most)
  local regions, width = x:shape(1), x:shape(2)
  if regions < most then x = lac.concat({x, lac.zeros {most - regions, width}}, 1) end
  return x:reshape(1, most, width)
end

--- Pad images to the same number of regions.
-- @tparam table images list of {att = tensor [regions, width]}, optionally fc = tensor [fc width]; without it the
-- mean of the regions; and boxes = tensor [regions, 4], all or none
-- @treturn table fc [images, fc width], att [images, regions, width], mask [images, regions], boxes [images, regions,
-- 4] or nil, regions: how many each image has
function features.batch(images)
  local most = 0
  for _, image in ipairs(images) do most = math.max(most, image.att:shape(1)) end
  local att, boxes, fc, mask, counts = {}, {}, {}, {}, {}
  for i, image in ipairs(images) do
    local regions = image.att:shape(1)
    att[i], counts[i] = padded(image.att, most), regions
    boxes[#boxes + 1] = image.boxes and padded(image.boxes, most)
    local vector = image.fc or image.att:mean(1)
    fc[i] = vector:reshape(1, vector:numel())
    mask[i] = {}
    for s = 1, most do mask[i][s] = s <= regions and 1 or 0 end
  end
  return {att = lac.concat(att, 1), fc = lac.concat(fc, 1), mask = lac.tensor(mask), regions = counts,
          boxes = #boxes == #images and lac.concat(boxes, 1) or nil}
end

return features
