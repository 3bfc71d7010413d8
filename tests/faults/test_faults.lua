local lac = require "lac"
local check = require "check"
local files = require "files"
local adam = require "optim.adam"

local T = {}

-- Run a task with its n-th allocation failing, for n = 1, 2, ... until none is left to fail.
-- Every failure is one sentence about memory and gives all device bytes back.
local function survive(task, least)
  if not lac.fault then check.skip("a build without LAC_FAULTS") end
  local failures = 0
  for n = 1, 10000 do
    collectgarbage()
    collectgarbage()
    lac.device.trim() -- cached buffers would be taken without an allocation
    local before = lac.device.memory().used_bytes
    lac.fault(n)
    local good, message = pcall(task)
    local left = lac.fault(0)
    collectgarbage()
    collectgarbage()
    check.equal(lac.device.memory().used_bytes, before)
    if left > 0 then
      check.yes(good, message)
      check.yes(failures >= least, "only " .. failures .. " allocations failed")
      return
    end
    if not good then -- what is only a convenience, such as storing a program on disk, may fail in silence
      check.yes(tostring(message):find("out of %a+ memory: wanted"), message)
      failures = failures + 1
    end
  end
  error("it never succeeded")
end

-- One step of a small transformer's layers.
local function attend()
  local g = lac.rng(1)
  local q <close> = g:normal {5, 4}
  q:requires_grad(true)
  local tape <close> = lac.tape()
  local k = lac.layer_norm(q, lac.zeros({4}):fill(1), lac.positions(1, 4):reshape(4))
  local y = lac.attend {q = q, k = k, v = k, heads = 2, queries = {0, 2, 5}, keys = {{0, 5}, {1, 3}}, dropout = 0.1,
                        rng = g, bias = lac.box_embedding(g:uniform {2, 5, 4}, {trigonometric = false})
                          :transpose(2, 4):slice(2, 1, 2):contiguous()}
  tape:backward(y:gelu():sum())
end

-- A step of a gated recurrent unit that looks at an image.
local function look()
  local g = lac.rng(1)
  local h <close> = g:normal {2, 4}
  h:requires_grad(true)
  local tape <close> = lac.tape()
  local seen = lac.attention {query = h, keys = g:normal {1, 3, 4}, values = g:normal {1, 3, 8}, v = g:normal {4},
                              dropout = 0.1, rng = g}
  tape:backward(lac.gru_cell(seen, lac.gru_reset(seen, h), h):sum())
end

-- One step of a small network of maps.
local function view()
  local g = lac.rng(1)
  local w <close> = g:normal {6, 2, 3, 3}
  w:requires_grad(true)
  local tape <close> = lac.tape()
  local y = lac.conv2d(g:normal {2, 6, 5, 4}, w, lac.zeros {6}, {groups = 2, padding = 1})
  y = lac.batch_norm(y, {mean = lac.zeros {6}, variance = lac.zeros {6}, gain = lac.zeros {6}, training = true})
  y = lac.max_pool(y, {size = 3, stride = 2, padding = 1}) + lac.average_pool(y, {size = 2, ceil = true})
  y = lac.conv2d(y, g:normal({6, 1, 2, 2}):requires_grad(true), nil, {groups = 6})
  y = lac.conv2d(y, g:normal {3, 6, 1, 1})
  tape:backward(lac.resize(lac.local_response_norm(y), {height = 4, width = 3}):sum())
end

local function close_all(list)
  for _, x in ipairs(list) do x:close() end
end

-- One step of a small network with every family of operations in it.
local function train()
  local g = lac.rng(1)
  local params = {}
  for i, shape in ipairs {{5, 4}, {12, 4}, {12, 3}, {7, 3}, {7}, {12, 3}} do
    local w <close> = g:normal(shape, 0, 0.5)
    params[i] = w:clone():requires_grad(true)
  end
  local table_, w_x, w_h, w_out, bias, logits_h = table.unpack(params)
  local optimiser = adam.new(params, {clip_value = 0.1, clip_norm = 1})
  do
    local tape <close> = lac.tape()
    local x = lac.embedding(table_, lac.tensor({0, 4, 4}, "i32")):relu():dropout(0.1, g)
    local h0, c0 = lac.zeros {3, 3}, lac.zeros {3, 3}
    local masked = lac.mask {w = w_h, logit = logits_h, rng = g}
    local h, c = lac.lstm_cell(lac.linear {x, w_x, h0, masked}, c0)
    local both = lac.concat({h, c:tanh()}, 2):slice(2, 2, 3)
    local logits = both:linear(w_out, bias)
    local loss = lac.xent(logits, lac.tensor({1, 0, 6}, "i32"), lac.tensor {1, 1, 0.5})
    local extra = logits:log_softmax():max(2):mean() + logits:repeat_rows(2):topk(2):square():sum()
    tape:backward(loss + extra * 0.01 + logits_h:mask_count() * 0.01)
  end
  optimiser:step(0.1)
  optimiser:close()
  close_all(params)
end

function T.a_training_step_survives_every_failing_allocation()
  train() -- programs are built and looked up: what is left is what every step allocates
  survive(train, 50)
end

function T.attention_survives_every_failing_allocation()
  attend()
  survive(attend, 20)
end

function T.a_recurrent_step_that_looks_survives_every_failing_allocation()
  look()
  survive(look, 15)
end

function T.maps_survive_every_failing_allocation()
  view()
  survive(view, 30)
end

function T.a_fresh_device_survives_every_failing_allocation()
  survive(function()
    lac.device.use()
    local x <close> = lac.tensor {1, -2}
    local y <close> = x:relu()
    local z <close> = y:sum()
    check.equal(z:item(), 1)
    local m <close> = lac.map("x + 1", {x = x})
    check.equal(m, {2, -1})
  end, 10)
end

function T.drawing_words_survives_every_failing_allocation()
  local function draw()
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local rng, logits = lac.rng(1), lac.tensor {{1, -2}, {3, 0.5}}
    local words, amounts = lac.tensor({{0}, {1}}, "i32"), lac.tensor {{1}, {2}}
    lac.draw {logits = logits:transpose(), rng = rng, words = words, amounts = amounts, top_k = 1, nucleus = 0.5}
    local ids = lac.draw {logits = logits, rng = rng, places = lac.tensor({3, 1}, "i32"), temperature = 0.5}
    check.equal(ids:shape(), {2})
  end
  draw() -- programs are built
  survive(draw, 15)
end

function T.choosing_what_to_prune_survives_every_failing_allocation()
  local function choose()
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local w = lac.tensor {{1, -2}, {3, 0.5}}
    local mean, std = lac.moments(w)
    local score = lac.map("fabs((w - m) / s)", {w = w:transpose(), m = mean, s = std})
    local masks, report = lac.smallest({score, w}, 3)
    lac.smallest_of_groups(score, 1, 2)
    check.equal(#masks, 2)
    check.equal(report:shape(), {2, 2})
  end
  choose() -- programs are built
  survive(choose, 25)
end

function T.reading_a_view_survives_every_failing_allocation()
  survive(function()
    local x <close> = lac.tensor {{1, 2}, {3, 4}}
    local t <close> = x:transpose()
    check.equal(t, {{1, 3}, {2, 4}})
  end, 4)
end

function T.logs_survive_every_failing_allocation()
  files.with_folder(function(folder)
    survive(function()
      local events <close> = lac.tfevents.create(folder .. "/events")
      events:scalar("loss", 1, 1)
      events:flush()
      lac.tfevents.open(folder .. "/events", events:size()):close()
    end, 6)
  end)
end

function T.scoring_captions_survives_every_failing_allocation()
  local standard = require "metrics.standard"
  survive(function()
    local words = {}
    for i = 1, 700 do words[i] = "w" .. i end -- enough to let every table grow
    local text = lac.text.ptb(table.concat(words, " "))
    local captions <close> = lac.text.corpus({text, "b"}, {{text, "a b"}, {"c"}})
    check.close(standard.score(captions).images[1].Bleu_4, 1, 1e-6)
  end, 20)
end

function T.rewards_survive_every_failing_allocation()
  survive(function()
    local words = {}
    for i = 1, 400 do words[i] = "w" .. i end
    local text = table.concat(words, " ")
    local counted = lac.text.frequencies.count({{text, "a b"}, {text}}, {a = true, w1 = true, w2 = true})
    local frequencies = lac.text.frequencies.parse(counted:text())
    local rewards <close> = lac.text.rewards({{text, "a b"}, {"c d e f"}}, {cider = 1, bleu = {0, 0, 0, 1},
                                                                           frequencies = frequencies})
    rewards:request({1, 2}, {text, "a"})
    check.yes(rewards:take()[1] > 1, "a reference has no reward")
  end, 60)
end

function T.meteor_survives_every_failing_allocation()
  files.with_folder(function(folder)
    for _, name in ipairs {"noun", "verb", "adj", "adv"} do
      files.write(folder .. "/index." .. name, "sofa n 1 0 1 0 00000011\ncouch n 1 0 1 0 00000011\n")
      files.write(folder .. "/" .. name .. ".exc", "mice mouse\n")
    end
    local paraphrases = files.write(folder .. "/table", "0.5\nin front of\nbefore\n")
    survive(function()
      local meteor, message = lac.meteor {wordnet = folder, paraphrases = paraphrases}
      if not meteor then check.skip(message) end
      local _, images = meteor:score({"a sofa before it", "b"}, {{"the couch in front of it"}, {"b"}})
      meteor:align("a sofa before it", "the couch in front of it")
      meteor:close()
      check.equal(images[2], 1)
    end, 30)
  end)
end

function T.packing_survives_every_failing_allocation()
  survive(function()
    local x <close> = lac.tensor {{0, 1.5, 0}, {-2, 0, 0.25}}
    for _, values in ipairs {"float32", "int8"} do
      local y <close> = lac.pack.decode(lac.pack.encode(x, values), {2, 3})
      check.equal(y:numel(), 6)
    end
  end, 10)
end

-- Four images of one to four regions.
local function data_source()
  local images = {}
  for i = 1, 4 do
    images[i] = {id = i, file = i .. ".jpg", split = "train", captions = {"A."}, tokens = {"a"}}
  end
  return {name = "x", width = 2, images = images, read = function(image)
    return {att = lac.zeros {image.id, 2}, boxes = lac.zeros {image.id, 4}}
  end}
end

function T.building_and_reading_a_data_file_survives_every_failing_allocation()
  local build, captions = require "data.build", require "data.captions"
  files.with_folder(function(folder)
    local path = folder .. "/x.h5"
    survive(function() build.write(path, data_source(), {dtype = "f16"}) end, 30)
    survive(function()
      local dataset <close> = captions.open {path = path, batch = 2}
      for index = 1, 2 do
        local scope <close> = lac.scope()
        check.equal(#dataset:batch(1, 0, index).ids, 2)
      end
    end, 40)
  end)
end

function T.reading_pictures_survives_every_failing_allocation()
  local captions, pictures = require "data.captions", require "pictures"
  files.with_folder(function(folder)
    local path = pictures.data(folder, 4)
    survive(function()
      local dataset <close> = captions.open {path = path, batch = 2, augment = true}
      dataset:use_pictures {size = 4, resize = 6}
      local scope <close> = lac.scope()
      check.equal(dataset:batch(1, 0, 1).pictures:shape(), {2, 4, 4, 3})
    end, 40)
  end)
end

return T
