--- Counts of words and characters, as SentencePiece takes them before it trains.
-- Kudo and Richardson 2018, "SentencePiece: A simple and language independent subword tokenizer".
-- @module data.tally
local lac = require "lac"

local tally = {}

--- What stands before every word: U+2581.
tally.MARK = "\u{2581}"

--- Words of captions in their normal form.
-- @tparam function captions iterator: one caption, a string, per call
-- @treturn table word -> count
-- @treturn integer words in all
function tally.words(captions)
  local counts, total = {}, 0
  for caption in captions do
    for word in lac.text.normalise(caption):gmatch("[^ ]+") do
      counts[word] = (counts[word] or 0) + 1
      total = total + 1
    end
  end
  return counts, total
end

--- The keys by count, descending; ties in code-point order, which for UTF-8 is byte order.
-- @tparam table counts key -> count
-- @treturn table list of keys
function tally.by_count(counts)
  local keys = {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return keys
end

--- The characters that together make up `coverage` of the text, one boundary mark per word counted.
-- @tparam table words word -> count
-- @tparam number coverage above 0 and at most 1
-- @treturn table character -> count
function tally.characters(words, coverage)
  local counts, total = {}, 0
  local function add(character, count)
    counts[character] = (counts[character] or 0) + count
    total = total + count
  end
  for word, count in pairs(words) do
    add(tally.MARK, count)
    for character in word:gmatch(utf8.charpattern) do add(character, count) end
  end
  local covered, sum = {}, 0
  for _, character in ipairs(tally.by_count(counts)) do
    if coverage < 1 and sum >= coverage * total then break end
    covered[character] = counts[character]
    sum = sum + counts[character]
  end
  return covered
end

-- SentencePiece keeps its scores in single precision, which shows in the sixth digit of a file.
local function round_to_single(x)
  return (string.unpack("f", string.pack("f", x)))
end

--- The score of a piece: ln(count / total) as SentencePiece rounds it.
function tally.score(count, total)
  return round_to_single(round_to_single(math.log(count)) - round_to_single(math.log(total)))
end

return tally
