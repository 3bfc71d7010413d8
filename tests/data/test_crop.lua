local check = require "check"
local crop = require "data.crop"

local T = {}

-- A picture of size x size pixels, black but for colour where inside(x, y), x and y from 0.
local function picture(size, colour, inside)
  local pixels = {}
  for y = 0, size - 1 do
    for x = 0, size - 1 do pixels[y * size + x + 1] = inside(x, y) and colour or 0 end
  end
  return pixels
end

local RED = 0xff0000

function T.contrast_is_where_the_thing_is()
  -- The box is 16 x 16 pixels, two per cell and axis; red are its left half's upper rows.
  local pixels = picture(32, RED, function(x, y) return x >= 8 and x < 16 and y >= 8 and y < 12 end)
  local f = crop.features(pixels, 32, {0.25, 0.25, 0.75, 0.75})
  check.equal(#f, crop.WIDTH)
  for cell = 0, 63 do
    check.close(f[cell + 1], cell // 8 < 2 and cell % 8 < 4 and 255 / 300 or 0, 1e-12)
  end
end

function T.colours_are_counted_in_bins_and_averaged()
  local pixels = picture(32, RED, function(x, y) return x >= 8 and x < 24 and y >= 8 and y < 24 end)
  for i = 16 * 32 + 1, 24 * 32 do
    if pixels[i] ~= 0 then pixels[i] = 0x4000ff end
  end
  local f = crop.features(pixels, 32, {0.25, 0.25, 0.75, 0.75})
  local bins = {}
  for i = 65, 128 do
    if f[i] ~= 0 then bins[i - 64] = f[i] end
  end
  check.equal(bins, {[3 * 16 + 1] = 0.5, [1 * 16 + 3 + 1] = 0.5})
  check.close({f[162], f[163], f[164]}, {(255 + 64) / 2 / 255, 0, 0.5}, 1e-12)
  check.close(f[168], 1, 1e-12) -- all of the box stands out
end

function T.the_background_is_told_by_its_mean_colour_and_does_not_stand_out()
  local pixels = picture(32, 0, function() return false end)
  for i = 1, 32 * 32 do pixels[i] = 0x336699 end
  local f = crop.features(pixels, 32, {0, 0, 1, 1}, true)
  for i = 1, 128 do check.equal(f[i], 0) end
  check.close({f[162], f[163], f[164], f[165], f[166], f[167]}, {0, 0, 0, 0.2, 0.4, 0.6}, 1e-12)
  check.close({f[168], f[169], f[170]}, {0, 0, 1}, 1e-12)
end

function T.place_and_size_are_told_by_bins_and_by_numbers()
  local f = crop.features(picture(32, 0, function() return false end), 32, {0.125, 0.5, 0.375, 0.75}, false)
  local function part(first, count) return table.move(f, first, first + count - 1, 1, {}) end
  check.close(part(129, 8), {0, 0.5, 0.5, 0, 0, 0, 0, 0}, 1e-12)   -- 0.25 is between the bins 2 and 3 of eight
  check.close(part(137, 8), {0, 0, 0, 0, 0.5, 0.5, 0, 0}, 1e-12)   -- 0.625
  check.close(part(145, 8), {0, 0, 0, 0.5, 0.5, 0, 0, 0}, 1e-12)   -- four sixteenths wide
  check.close(part(153, 9), {0.125, 0.5, 0.375, 0.75, 0.25, 0.625, 0.25, 0.25, 0.0625}, 1e-12)
  check.equal(f[170], 0)
end

return T
