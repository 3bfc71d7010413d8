--- What a network sees of a region of a picture, computed from its pixels by fixed rules.
--
-- A region's box is sampled on a grid; how much a sample differs from the background, which is taken from the
-- picture's edges row by row, is its contrast. The features are
--
--     64  contrast in 8 x 8 cells, row by row: the shape
--     64  share of the samples that stand out, in 4 x 4 x 4 bins of red, green, blue: the colours
--     16  where the centre is: 8 soft bins across, 8 down
--      8  how wide the box is: soft bins of a sixteenth
--      9  the box x0, y0, x1, y1, its centre, width, height and area
--      9  the mean colours of what stands out and of the background, how much of the box stands out, its mean
--         contrast, and 1 for the whole picture
--
-- All are between 0 and 1.
-- @module data.crop
local crop = {}

local CELLS, PER_CELL = 8, 2
local SAMPLES = CELLS * PER_CELL
local BINS = CELLS * CELLS -- begin of the histogram
local PLACE = BINS + 64
local WIDE = PLACE + 16
local BOX = WIDE + 8
local MEAN = BOX + 9

--- Features per region.
crop.WIDTH = MEAN + 9

local STANDS_OUT = 60 -- difference summed over the colours; the noise makes up to 36
local FULL = 300 -- where contrast ends

local abs, min, max = math.abs, math.min, math.max

-- Red, green and blue of the background in a row: the mean of both ends.
local function ground(pixels, row, size)
  local left, right = pixels[row + 1], pixels[row + size]
  return ((left >> 16) + (right >> 16)) / 2, ((left >> 8 & 255) + (right >> 8 & 255)) / 2,
    ((left & 255) + (right & 255)) / 2
end

-- Goes over the samples of a box: fills out[1 .. BINS + 64] with sums and returns the sums of the colours that stand
-- out, of the background's colours, of samples that stand out, and of their contrast.
local function sample(pixels, size, box, out)
  local red, green, blue, found, total = 0, 0, 0, 0, 0
  local under = {0, 0, 0}
  local wide, high = (box[3] - box[1]) * size / SAMPLES, (box[4] - box[2]) * size / SAMPLES
  for j = 0, SAMPLES - 1 do
    local row = min(size - 1, (box[2] * size + (j + 0.5) * high) // 1 | 0) * size
    local r0, g0, b0 = ground(pixels, row, size)
    under[1], under[2], under[3] = under[1] + r0, under[2] + g0, under[3] + b0
    for i = 0, SAMPLES - 1 do
      local pixel = pixels[row + min(size - 1, (box[1] * size + (i + 0.5) * wide) // 1 | 0) + 1]
      local r, g, b = pixel >> 16, pixel >> 8 & 255, pixel & 255
      local contrast = abs(r - r0) + abs(g - g0) + abs(b - b0)
      if contrast > STANDS_OUT then
        local cell = j // PER_CELL * CELLS + i // PER_CELL + 1
        contrast = min(1, contrast / FULL)
        out[cell] = out[cell] + contrast / (PER_CELL * PER_CELL)
        local bin = BINS + (r >> 6) * 16 + (g >> 6) * 4 + (b >> 6) + 1
        out[bin] = out[bin] + 1
        red, green, blue = red + r, green + g, blue + b
        found, total = found + 1, total + contrast
      end
    end
  end
  return {red, green, blue}, under, found, total
end

-- Soft bins: 1 in the bin whose middle the value is at, shared by two where it lies between; value 1 is a bin's width.
local function put_bins(out, at, value)
  for i = 1, 8 do out[at + i] = max(0, 1 - abs(value - i + 0.5)) end
end

--- The features of one region.
-- @tparam table pixels see data.raster
-- @tparam integer size of the picture in pixels
-- @tparam table box x0, y0, x1, y1 in parts of the side
-- @tparam boolean whole whether it is the whole picture
-- @treturn table WIDTH numbers
function crop.features(pixels, size, box, whole)
  local out = {}
  for i = 1, crop.WIDTH do out[i] = 0 end
  local sum, under, found, total = sample(pixels, size, box, out)
  local some = max(found, 1)
  for i = BINS + 1, BINS + 64 do out[i] = out[i] / some end
  local x0, y0, x1, y1 = table.unpack(box)
  local x, y, wide, high = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
  put_bins(out, PLACE, x * 8)
  put_bins(out, PLACE + 8, y * 8)
  put_bins(out, WIDE, wide * 16)
  table.move({x0, y0, x1, y1, x, y, wide, high, wide * high}, 1, 9, BOX + 1, out)
  for c = 1, 3 do
    out[MEAN + c] = sum[c] / some / 255
    out[MEAN + 3 + c] = under[c] / SAMPLES / 255
  end
  table.move({found / (SAMPLES * SAMPLES), total / some, whole and 1 or 0}, 1, 3, MEAN + 7, out)
  return out
end

return crop
