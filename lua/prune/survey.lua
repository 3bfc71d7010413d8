--- Whether scores can be ranked: numbers, and not all the same. Looking is the one wait of an update of masks.
-- @module prune.survey
local lac = require "lac"

local survey = {}

--- Count what is not a number, and the largest and smallest score of the weights that are left.
-- @tparam table parts the tensors that are ranked
-- @tparam table scores part -> tensor
-- @tparam table masks part -> mask as it was before the update
-- @treturn tensor three numbers on the device
function survey.of(parts, scores, masks)
  local bad, high, low
  for _, part in ipairs(parts) do
    local s, m = scores[part], masks[part]
    local nan = lac.map("s == s ? 0 : 1", {s = s}):sum()
    local top = lac.map("m == 0 ? -inf : s", {m = m, s = s}):max()
    local bottom = lac.map("m == 0 ? -inf : -s", {m = m, s = s}):max()
    bad = bad and bad + nan or nan
    high = high and lac.map("fmax(a, b)", {a = high, b = top}) or top
    low = low and lac.map("fmax(a, b)", {a = low, b = bottom}) or bottom
  end
  return lac.concat({bad:reshape(1), high:reshape(1), low:reshape(1)}, 1)
end

--- Wait for what `of` saw.
-- @tparam table parts
-- @tparam table scores
-- @tparam tensor seen from `of`
-- @tparam string name of the method, for messages
-- @raise names the tensor whose scores are no numbers, or says that all are the same
function survey.check(parts, scores, seen, name)
  local bad, high, low = table.unpack(seen:totable())
  local size = 0
  for _, part in ipairs(parts) do
    size = size + part.size
    local count = bad > 0 and lac.map("s == s ? 0 : 1", {s = scores[part]}):sum():item() or 0
    if count > 0 then
      error(("%s: the score of %d weights of %s is not a number"):format(name, count, part.name), 0)
    end
  end
  if bad > 0 then error(name .. ": a score is not a number", 0) end
  if high == -low and size > 1 then
    error(("%s: all weights have the same score, %g, so there is nothing to choose by; v, s and w - w0 are 0 before "
      .. "training"):format(name, high), 0)
  end
end

return survey
