--- Self-critical sequence training: captions that the model draws are made likelier where they score better than their
-- baseline, and less likely where they score worse.
-- Rennie, Marcheret, Mroueh, Ross and Goel 2017, "Self-critical sequence training for image captioning", with several
-- samples per image as in Luo 2020, "A better variant of self-critical sequence training":
--
--     loss = sum_ct -ln p(word_ct) (r_c - b_c) / (number of words, the ends of captions included)
--
-- where the reward r of a caption is CIDEr-D and sentence BLEU against all references of its image, weighted.
--
-- The images are encoded once, in training mode under the tape. Captions are drawn from that without a tape, and then
-- taught all at once, while their rewards are worked out on the host. So the image is seen, and masks that are drawn
-- per pass are drawn, once for both. Dropout behind the encoder, and masks that change at every time step, are drawn
-- anew when the captions are taught; the published program, which keeps the graph of the drawing, has the same ones in
-- both. Without dropout, and with masks that stay, nothing differs.
-- @module train.losses.scst
local lac = require "lac"
local beam = require "train.beam"
local class = require "core.class"
local config = require "core.config"
local lesson = require "data.lesson"
local sample = require "train.sample"

local scst = {}

scst.defaults = {
  samples = 15, -- captions drawn of each image
  sample = "random", -- words drawn one by one; "beam": those that beam search of this width finds
  baseline = "mean", -- of the rewards of the image's other samples; "mean_all": of all its samples, as in the paper of
                     -- 2022; "greedy": the reward of its greedy caption
  reward = {
    cider = 1, -- weight of CIDEr-D, which goes up to 10
    bleu = {0, 0, 0, 1}, -- weights of BLEU-1 to BLEU-4
  },
  temperature = 1, -- of random samples: scores are divided by it
  top_k = 0, -- of random samples: only the so many likeliest words; 0 is all
  nucleus = 1, -- of random samples: only the fewest words that are together this likely
}

-- Baselines ------------------------------------------------------------------------------------------

local function mean_of(list, first, last)
  local sum = 0
  for i = first, last do sum = sum + list[i] end
  return sum / (last - first + 1)
end

-- The baseline of sample i, one of those from `first` to `last`.
local BASELINES = {
  mean = function(rewards, i, first, last)
    local count = last - first
    return (mean_of(rewards, first, last) * (count + 1) - rewards[i]) / count
  end,
  mean_all = function(rewards, _, first, last) return mean_of(rewards, first, last) end,
  greedy = function(rewards, _, _, _, image) return rewards.greedy[image] end,
}

--- What each sample is compared with.
-- @tparam table rewards of samples, those of an image together; greedy: of the greedy captions, where that is the kind
-- @tparam integer each samples of an image
-- @tparam string kind see defaults.baseline
-- @treturn table list as long as rewards
function scst.baselines(rewards, each, kind)
  local list = {}
  for i = 1, #rewards do
    local image = (i - 1) // each + 1
    list[i] = BASELINES[kind](rewards, i, (image - 1) * each + 1, image * each, image)
  end
  return list
end

-- Captions -------------------------------------------------------------------------------------------

local DRAWS = {
  random = function(self, model, seen, at, ids)
    return sample.captions(model, seen, {
      each = self.samples, length = at.length, temperature = self.temperature, top_k = self.top_k,
      nucleus = self.nucleus, rng = at.rng:fork("samples"), bos = ids.bos, eos = ids.eos})
  end,
  beam = function(self, model, seen, at, ids)
    local list = {}
    for _, found in ipairs(beam.search(model, seen, {width = self.samples, length = at.length, bos = ids.bos,
                                                     eos = ids.eos})) do
      for i = 1, self.samples do list[#list + 1] = found[math.min(i, #found)] end -- few words make few captions
    end
    return list
  end,
}

local Scst = class("Scst")

function Scst:init(cfg)
  for key, value in pairs(cfg) do self[key] = value end
end

--- Captions of images by the model as it is, those of an image together.
-- @tparam nn.Module model
-- @tparam table seen from model:encode
-- @tparam table at as for `of`
-- @treturn table list of {ids}
function Scst:draw(model, seen, at)
  local scope <close> = lac.scope() -- nothing is recorded
  return DRAWS[self.sample](self, model, seen, at, at.dataset.vocab)
end

-- The greedy captions, of the model in evaluation mode.
local function greedy_captions(model, batch, at)
  local scope <close> = lac.scope()
  model:eval()
  local vocab = at.dataset.vocab
  local found = beam.greedy(model, model:encode(batch), {length = at.length, bos = vocab.bos, eos = vocab.eos})
  model:train(at.rng)
  return found
end

-- What rewards captions of a data set, made at first use.
local function rewards_of(self, dataset)
  self.rewards = self.rewards or dataset:rewards(self.reward)
  return self.rewards
end

-- Let the rewards of captions be worked out, those of `each` to an image, and of one greedy caption each behind them.
local function request(self, batch, captions, each, greedy, at)
  local images, texts, vocab = {}, {}, at.dataset.vocab
  local function add(list, count)
    for i, caption in ipairs(list) do
      images[#images + 1] = batch.images[(i - 1) // count + 1]
      texts[#texts + 1] = vocab:decode(caption.ids)
    end
  end
  add(captions, each)
  add(greedy, 1)
  rewards_of(self, at.dataset):request(images, texts)
end

-- Wait for them: those of the captions, and in `greedy` those of the others.
local function take(self, count)
  local scores, rewards = self.rewards:take(), {greedy = {}}
  table.move(scores, 1, count, 1, rewards)
  table.move(scores, count + 1, #scores, 1, rewards.greedy)
  return rewards
end

-- Loss -----------------------------------------------------------------------------------------------

-- Captions as data.lesson has them; steps: words of each, its end included.
local function teach(captions, each, vocab)
  local tokens, starts, lengths = {}, {}, {}
  for i, caption in ipairs(captions) do
    starts[i], lengths[i] = #tokens, #caption.ids + 1
    tokens[#tokens + 1] = vocab.bos
    table.move(caption.ids, 1, #caption.ids, #tokens + 1, tokens)
  end
  return lesson(tokens, starts, lengths, each)
end

-- A weight per word, what its caption is better by than its baseline, and how many words there are. Padding that was
-- drawn as a word is none.
local function weigh(taught, advantages, vocab)
  local weights, total, targets = {}, 0, taught.target_list
  for n, r in ipairs(taught.word_rows) do
    local is_word = targets[n] ~= vocab.pad
    weights[n] = is_word and advantages[r] or 0
    if is_word then total = total + 1 end
  end
  return lac.tensor(weights), math.max(1, total)
end

local function mean(list)
  return mean_of(list, 1, #list)
end

-- Words of the captions on average, their ends not counted.
local function mean_length(captions, eos)
  local sum = 0
  for _, caption in ipairs(captions) do
    local ids = caption.ids
    sum = sum + #ids - (ids[#ids] == eos and 1 or 0)
  end
  return sum / #captions
end

--- The loss of a batch, see train.losses.xent; only its images count, not their captions. What it is made of is in
-- `last`: the captions, their rewards and baselines.
-- @treturn tensor
-- @treturn table reward, baseline and caption_length, means over the samples
function Scst:of(model, batch, at)
  local vocab = at.dataset.vocab
  local greedy = self.baseline == "greedy" and greedy_captions(model, batch, at) or {}
  local held <close> = model:hold {around = true}
  local seen = model:encode(batch)
  local captions = self:draw(model, seen, at)
  request(self, batch, captions, self.samples, greedy, at)
  local taught = teach(captions, self.samples, vocab)
  taught.seen = seen
  local logits = model:forward(taught)
  local rewards, advantages = take(self, #captions), {}
  local baselines = scst.baselines(rewards, self.samples, self.baseline)
  for i, reward in ipairs(rewards) do advantages[i] = reward - baselines[i] end
  local weights, total = weigh(taught, advantages, vocab)
  self.last = {captions = captions, rewards = rewards, baselines = baselines}
  return lac.xent(logits, taught.targets, weights, {total = total}),
    {reward = mean(rewards), baseline = mean(baselines), caption_length = mean_length(captions, vocab.eos)}
end

--- The mean reward of captions of a split, for comparing models by what they are trained for.
-- @tparam table dataset
-- @tparam string split
-- @tparam table rows list of {image_id, caption}
-- @treturn number
function Scst:score(dataset, split, rows)
  local numbers, images, texts = dataset:numbers(split), {}, {}
  for i, row in ipairs(rows) do images[i], texts[i] = numbers[row.image_id], row.caption end
  return mean(rewards_of(self, dataset):score(images, texts))
end

-- Weighted scores as text: "CIDEr-D + 0.5 BLEU-4".
local function reward_text(reward)
  local terms = {}
  local function add(weight, name)
    if weight ~= 0 then terms[#terms + 1] = weight == 1 and name or ("%g %s"):format(weight, name) end
  end
  add(reward.cider, "CIDEr-D")
  for n, weight in ipairs(reward.bleu) do add(weight, "BLEU-" .. n) end
  return table.concat(terms, " + ")
end

local AGAINST = {mean = "the mean of the others", mean_all = "their mean", greedy = "the greedy caption"}

function Scst:describe(images)
  return ("self-critical, %d %s of each of %d images against %s, reward %s"):format(self.samples,
    self.sample == "beam" and "beams" or "samples", images, AGAINST[self.baseline], reward_text(self.reward))
end

function Scst:close()
  if self.rewards then self.rewards:close() end
  self.rewards = nil
end
Scst.__close = Scst.close

-- Settings -------------------------------------------------------------------------------------------

local function fail(text, ...)
  error(text:format(...), 0)
end

local function check_choice(cfg, key, choices, where)
  for _, choice in ipairs(choices) do
    if cfg[key] == choice then return end
  end
  fail('%s.%s must be "%s", got "%s"', where, key, table.concat(choices, '" or "'), cfg[key])
end

local function check_reward(reward, where)
  if #reward.bleu ~= 4 then
    fail("%s.reward.bleu must be the weights of BLEU-1 to BLEU-4, 4 numbers, got %d", where, #reward.bleu)
  end
  local sum = 0
  for i, weight in ipairs {reward.cider, table.unpack(reward.bleu)} do
    local name = i == 1 and "cider" or ("bleu.%d"):format(i - 1)
    if type(weight) ~= "number" or not (weight >= 0 and weight < math.huge) then
      fail("%s.reward.%s must be a weight, a number >= 0, got %s", where, name, tostring(weight))
    end
    sum = sum + weight
  end
  if sum == 0 then fail("%s.reward: all weights are 0, so every caption would be worth the same", where) end
end

-- What shapes random samples, and nothing else.
local function check_draw(cfg, where)
  if not (cfg.temperature > 0 and cfg.temperature < math.huge) then
    fail("%s.temperature must be a number above 0, got %g", where, cfg.temperature)
  end
  if not math.tointeger(cfg.top_k) or cfg.top_k < 0 then
    fail("%s.top_k must be a whole number of words, 0 for all, got %g", where, cfg.top_k)
  end
  if not (cfg.nucleus > 0 and cfg.nucleus <= 1) then
    fail("%s.nucleus must be in (0, 1], got %g", where, cfg.nucleus)
  end
  for _, key in ipairs {"temperature", "top_k", "nucleus"} do
    if cfg.sample == "beam" and cfg[key] ~= scst.defaults[key] then
      fail('%s.%s shapes random samples; with sample = "beam" it has no effect, so leave it out', where, key)
    end
  end
end

--- @tparam[opt] table cfg see defaults
-- @tparam[opt="loss"] string where a recipe says it, for messages
function scst.new(cfg, where)
  where = where or "loss"
  cfg = config.merge(scst.defaults, cfg, where)
  check_choice(cfg, "sample", {"random", "beam"}, where)
  check_choice(cfg, "baseline", {"mean", "mean_all", "greedy"}, where)
  local most = cfg.sample == "beam" and 64 or 1000
  if not math.tointeger(cfg.samples) or cfg.samples < 1 or cfg.samples > most then
    fail("%s.samples must be a whole number from 1 to %d, got %g", where, most, cfg.samples)
  end
  if cfg.samples == 1 and cfg.baseline ~= "greedy" then
    fail('%s.samples: one sample has no others to be compared with; 2 or more, or baseline = "greedy"', where)
  end
  check_reward(cfg.reward, where)
  check_draw(cfg, where)
  return Scst(cfg)
end

return scst
