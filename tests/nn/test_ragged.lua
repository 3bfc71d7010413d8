local lac = require "lac"
local check = require "check"
local ragged = require "nn.ragged"

local T = {}

function T.words_of_steps_are_put_in_the_order_of_captions_and_back()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  -- captions of 3, 2 and 2 words: steps a1 b1 c1 | a2 b2 c2 | a3
  local lie = ragged.by_caption {3, 3, 1}
  check.equal(lie.order, {0, 3, 6, 1, 4, 2, 5})
  check.equal(lie.places, {0, 1, 2, 0, 1, 0, 1})
  check.equal(lie.back, {0, 3, 5, 1, 4, 6, 2})
  check.equal({lie.queries, lie.keys}, {{0, 3, 5, 7}, {{0, 3}, {3, 2}, {5, 2}}})
end

function T.a_table_of_words_has_all_rows_at_every_step()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local counts, words = ragged.steps {words = lac.tensor({{1, 2, 3}, {4, 5, 6}}, "i32")}
  check.equal({counts, words:totable()}, {{3, 3}, {1, 2, 3, 4, 5, 6}})
end

function T.regions_come_without_padding()
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local att = lac.tensor {{{1}, {2}, {0}}, {{3}, {4}, {5}}, {{6}, {0}, {0}}}
  local mask = lac.tensor {{1, 1, 0}, {1, 1, 1}, {1, 0, 0}}
  for _, batch in ipairs {{att = att, mask = mask}, {att = att, regions = {2, 3, 1}}} do
    local rows, lie = ragged.regions(batch)
    check.equal(rows, {{1}, {2}, {3}, {4}, {5}, {6}})
    check.equal(lie, {queries = {0, 2, 5, 6}, keys = {{0, 2}, {2, 3}, {5, 1}}})
  end
  check.equal(ragged.regions {att = att}, {{1}, {2}, {0}, {3}, {4}, {5}, {6}, {0}, {0}})
  check.fails("image 3 has 0 regions", ragged.regions, {att = att, mask = lac.tensor {{1, 1, 0}, {1, 1, 1}, {0, 0, 0}}})
end

return T
