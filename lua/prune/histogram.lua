--- Masks by a threshold that is read off a histogram, as Tan, Chan and Chuah's TensorFlow program makes them.
--
-- The range from 0 to the largest score is cut into 512 parts; the threshold is the upper end of the last part up to
-- which fewer scores lie than shall go, and what exceeds it stays. So somewhat less goes than asked for, and equal
-- scores share one fate. Scores are 0 or more; what was dropped for good has -inf.
-- @module prune.histogram
local lac = require "lac"

local histogram = {BINS = 512}

local function total(list, rule, values)
  local sum = 0
  for _, x in ipairs(list) do
    values.x = x
    sum = sum + lac.map(rule, values):sum():item()
  end
  return sum
end

-- How many parts lie below the threshold: those up to which a smaller share than this lies.
local function parts_below(bins, size, share)
  local low, high = 0, histogram.BINS - 1 -- the last part ends with all of them
  while low < high do
    local middle = (low + high) // 2
    if total(bins, "x <= j ? 1 : 0", {j = middle}) / size < share then low = middle + 1 else high = middle end
  end
  return low
end

--- Masks of scores that are ranked together; waits for the device.
-- @tparam table scores list of tensors
-- @tparam number share of zeros
-- @tparam string name of the method, for messages
-- @treturn table a mask for each
-- @raise scores below 0
function histogram.masks(scores, share, name)
  local largest, size, masks, bins = 0, 0, {}, {}
  for _, x in ipairs(scores) do
    largest, size = math.max(largest, x:max():item()), size + x:numel()
  end
  if total(scores, "x < 0 && x > -inf ? 1 : 0", {}) > 0 then
    error(name .. ': threshold = "histogram" needs scores that are 0 or more, as those of fabs are', 0)
  end
  for i, x in ipairs(scores) do
    bins[i] = lac.map("fmin(floor(x / largest * bins), bins - 1)", {x = x, largest = largest, bins = histogram.BINS})
  end
  local threshold = largest > 0 and largest * parts_below(bins, size, share) / histogram.BINS or 0
  for i, x in ipairs(scores) do masks[i] = x:greater(threshold) end
  return masks
end

return histogram
