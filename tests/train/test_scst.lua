local lac = require "lac"
local check = require "check"
local files = require "files"
local golden = require "golden"
local scst = require "train.losses.scst"
local vocab = require "data.vocab"

local T = {}

-- Golden files ---------------------------------------------------------------------------------------

-- A data set as far as the loss sees it: the vocabulary and the references of a golden case.
local function golden_dataset(name)
  local texts = lac.json.decode(files.read(check.shared(("golden/%s_texts.json"):format(name))))
  local frequencies = lac.json.decode(files.read(check.shared "golden/ciderd_document_frequency.json"))
  return {
    vocab = vocab.parse(files.read(check.shared "golden/scst_tokenizer/word.vocab")),
    rewards = function(_, weights)
      return lac.text.rewards(texts.references, {cider = weights.cider, bleu = weights.bleu, frequencies = frequencies})
    end,
  }
end

-- The captions of a golden file, without padding.
local function sampled(file)
  local list = {}
  for _, of_image in ipairs(file:read("inputs/sampled_seq"):totable()) do
    for _, ids in ipairs(of_image) do
      while ids[#ids] == 0 do ids[#ids] = nil end
      list[#list + 1] = {ids = ids}
    end
  end
  return list
end

local function flat(rows)
  local list = {}
  for _, row in ipairs(rows) do table.move(row, 1, #row, #list + 1, list) end
  return list
end

local function mean(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

-- Rewards, baselines, loss and every gradient of a golden file, whose samples take the place of drawn ones.
local function agrees(name, kind, baseline)
  local file <close> = golden.open(name .. ".h5")
  local outer <close> = lac.scope()
  local model, captions = golden[kind](file), sampled(file)
  local loss <close> = scst.new {samples = 5, baseline = baseline, reward = {cider = 1, bleu = {0, 0, 0, 1}}}
  function loss.draw() return captions end
  local batch = {att = file:read "inputs/att_feats", mask = file:read "inputs/att_masks", images = {1, 2, 3},
                 fc = kind == "updown" and file:read "inputs/fc_feats" or nil,
                 boxes = kind == "ort" and file:read "inputs/boxes" or nil}
  local rng = lac.rng(1)
  model:train(rng)
  local tape <close> = lac.tape()
  local value, told = loss:of(model, batch, {rng = rng, length = 12, dataset = golden_dataset(name)})
  check.close(value:item(), file:read("outputs/loss"):totable()[1], 0, 1e-5)
  tape:backward(value)
  golden.compare_gradients(file, model)
  local scores, baselines = flat(file:read("outputs/sample_scores"):totable()),
    flat(file:read("outputs/baseline"):totable())
  for i, score in ipairs(scores) do check.close(loss.last.rewards[i], score, 1e-6) end
  check.close(loss.last.baselines, baselines, 1e-6)
  check.close({told.reward, told.baseline}, {mean(scores), mean(baselines)}, 1e-6)
  model:close()
end

function T.updown_against_the_mean_of_the_others_agrees_with_the_golden_file()
  agrees("scst_updown_sample", "updown", "mean")
end

function T.updown_against_the_greedy_caption_agrees_with_the_golden_file()
  agrees("scst_updown_greedy", "updown", "greedy")
end

function T.the_relation_transformer_agrees_with_the_golden_files()
  agrees("scst_ort_sample", "ort", "mean")
  agrees("scst_ort_greedy", "ort", "greedy")
end

-- Baselines ------------------------------------------------------------------------------------------

function T.baselines_are_means_with_and_without_the_sample_itself_or_the_greedy_reward()
  local rewards = {1, 2, 6, 4, 4, 1, greedy = {5, 7}}
  check.close(scst.baselines(rewards, 3, "mean"), {4, 3.5, 1.5, 2.5, 2.5, 4}, 1e-12)
  check.close(scst.baselines(rewards, 3, "mean_all"), {3, 3, 3, 3, 3, 3}, 1e-12)
  check.close(scst.baselines(rewards, 3, "greedy"), {5, 5, 5, 7, 7, 7}, 1e-12)
  -- leaving the sample out makes the advantage larger by n / (n - 1)
  for i, without in ipairs(scst.baselines(rewards, 3, "mean")) do
    check.close(rewards[i] - without, 3 / 2 * (rewards[i] - scst.baselines(rewards, 3, "mean_all")[i]), 1e-12)
  end
end

-- Settings -------------------------------------------------------------------------------------------

function T.wrong_settings_are_refused_in_a_sentence()
  for sentence, cfg in pairs {
    ['l: unknown key "sampels"; did you mean "samples"'] = {sampels = 5},
    ["l.samples must be a whole number from 1 to 1000, got 0"] = {samples = 0},
    ["l.samples must be a whole number from 1 to 1000, got 2.5"] = {samples = 2.5},
    ["l.samples must be a whole number from 1 to 64, got 65"] = {samples = 65, sample = "beam"},
    ["l.samples: one sample has no others to be compared with"] = {samples = 1},
    ['l.baseline must be "mean" or "mean_all" or "greedy", got "best"'] = {baseline = "best"},
    ['l.sample must be "random" or "beam", got "dice"'] = {sample = "dice"},
    ["l.reward.bleu must be the weights of BLEU-1 to BLEU-4, 4 numbers, got 3"] = {reward = {bleu = {0, 0, 1}}},
    ["l.reward.bleu.2 must be a weight, a number >= 0, got -1"] = {reward = {bleu = {0, -1, 0, 1}}},
    ["l.reward.cider must be a weight, a number >= 0, got inf"] = {reward = {cider = math.huge}},
    ["l.reward: all weights are 0"] = {reward = {cider = 0, bleu = {0, 0, 0, 0}}},
    ['l.reward: unknown key "meteor"'] = {reward = {meteor = 1}},
    ["l.temperature must be a number above 0, got 0"] = {temperature = 0},
    ["l.top_k must be a whole number of words, 0 for all, got -1"] = {top_k = -1},
    ["l.nucleus must be in (0, 1], got 1.5"] = {nucleus = 1.5},
    ["l.top_k shapes random samples"] = {top_k = 5, sample = "beam"},
  } do
    local good, message = pcall(scst.new, cfg, "l")
    check.yes(not good and tostring(message):find(sentence, 1, true), sentence .. " / " .. tostring(message))
  end
  scst.new({samples = 1, baseline = "greedy"}):close()
end

function T.a_loss_describes_itself()
  check.equal(scst.new():describe(5), "self-critical, 15 samples of each of 5 images against the mean of the others, "
    .. "reward CIDEr-D + BLEU-4")
  check.equal(scst.new({sample = "beam", baseline = "greedy", samples = 3, reward = {cider = 0, bleu = {0.5, 0, 0, 0}}})
    :describe(2), "self-critical, 3 beams of each of 2 images against the greedy caption, reward 0.5 BLEU-1")
end

return T
