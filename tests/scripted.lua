--- A model without a device's arithmetic: scores of the next word depend on the last word and the step alone.
-- @module scripted
local lac = require "lac"

--- @tparam function rows_of_step (step from 0, last word) -> list of scores
-- @tparam[opt] function narrowed called with the number of rows that go on
-- @treturn table what train.beam and train.sample take for a model
return function(rows_of_step, narrowed)
  local model = {}
  function model.begin(_, seen, each)
    return {close = function() end}, {steps = lac.zeros {seen.images * each, 1}}
  end
  function model.narrow(_, _, _, owners)
    if narrowed then narrowed(owners) end
  end
  function model.step(_, _, state, words)
    local t = state.steps:totable()[1][1]
    local logits = {}
    for r, word in ipairs(words:totable()) do logits[r] = rows_of_step(t, word) end
    return lac.tensor(logits), {steps = state.steps + 1}
  end
  return model
end
