local lac = require "lac"
local check = require "check"
local files = require "files"
local cider = require "metrics.cider"
local standard = require "metrics.standard"

local T = {}

-- Values computed with the published programs, reference.md 12.8.
function T.three_images_have_the_published_scores()
  local captions <close> = lac.text.corpus(
    {"a man riding a red bike", "two dogs play", "a red bus on a red street in the city"},
    {{"a man rides a red bike", "a man on a bike", "the man is riding a bike down the street"},
     {"two dogs play in the grass", "a pair of dogs playing outside"},
     {"a red bus on the street", "a bus drives down the road", "the bus is red"}})
  local want = {
    Bleu_1 = {0.789473684, 1.0, 0.367879441, 0.6}, Bleu_2 = {0.666392487, 0.894427191, 0.367879441, 0.447213595},
    Bleu_3 = {0.515061326, 0.584803547, 0.367879441, 0.368403150},
    Bleu_4 = {0.341896147, 9.036e-5, 0.011633369, 0.290715368},
    ROUGE_L = {0.705568583, 0.833333333, 0.628865979, 0.654506438},
    CIDEr = {2.259433585, 2.862574987, 2.388534226, 1.527191542},
  }
  local result = standard.score(captions)
  for _, name in ipairs(standard.NAMES) do
    local got = {result.corpus[name]}
    for i = 1, 3 do got[i + 1] = result.images[i][name] end
    check.close(got, want[name], 1e-8)
  end
  check.equal({result.corpus.CIDEr_D, result.images[1].CIDEr_D}, {})
end

function T.cider_d_has_a_name_where_there_are_frequencies()
  check.equal(standard.names(), standard.NAMES)
  local names = standard.names({})
  check.equal({#names, names[#names], standard.label(names[#names])}, {#standard.NAMES + 1, "CIDEr_D", "CIDEr-D"})
end

-- One case of metrics.json: our results by the names that it has.
local function score(case, frequencies)
  local ids, hypotheses, references = {}, {}, {}
  for id in pairs(case.hypotheses) do ids[#ids + 1] = id end
  table.sort(ids)
  for i, id in ipairs(ids) do hypotheses[i], references[i] = case.hypotheses[id], case.references[id] end
  local captions <close> = lac.text.corpus(hypotheses, references)
  local result = standard.score(captions, frequencies)
  local plain = cider.plain_score(captions)
  result.corpus.CIDEr_plain, result.corpus.CIDEr_D_table = plain.corpus, result.corpus.CIDEr_D
  for i, scores in ipairs(result.images) do
    scores.CIDEr_plain, scores.CIDEr_D_table = plain.images[i], scores.CIDEr_D
  end
  return ids, result
end

function T.all_cases_of_the_golden_file_agree()
  local golden = lac.json.decode(files.read(check.shared("golden/metrics.json")))
  local frequencies = lac.json.decode(files.read(check.shared("golden/ciderd_document_frequency.json")))
  local compared = 0
  local function compare(case, where, got, want)
    for name, value in pairs(want) do
      check.yes(math.abs(got[name] - value) <= 1e-6,
        ("%s, %s: %s is %.9g, expected %.9g"):format(case.name, where, name, got[name], value))
      compared = compared + 1
    end
  end
  for _, case in ipairs(golden.cases) do
    local ids, result = score(case, frequencies)
    compare(case, "corpus", result.corpus, case.scores.corpus)
    for i, id in ipairs(ids) do compare(case, "image " .. id, result.images[i], case.scores.per_image[id]) end
  end
  check.yes(#golden.cases >= 20 and compared > 900, compared .. " values compared")
end

return T
