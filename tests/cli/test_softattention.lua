--- Soft-Attention as its published TensorFlow program names its variables, through import, caption and export.
local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local fill = require "fill"
local files = require "files"
local Googlenet = require "models.encoders.googlenet"
local pictures = require "pictures"
local published_soft = require "published_soft"
local slim = require "slim"
local vocab = require "data.vocab"

local T = {}

local WORDS = {"a", "man", "dog", "on", "red", "grass", "two", "sits"}

local function succeeds(command)
  local status, text = check.run(command)
  check.yes(status == 0, command .. ": " .. text)
  return text
end

local function npy_of(x)
  local flat = {}
  local function walk(v)
    if type(v) == "number" then flat[#flat + 1] = v else for _, item in ipairs(v) do walk(item) end end
  end
  walk(x:totable())
  return files.npy(x:shape(), flat)
end

-- The variables in a file of each kind.
local WRITERS = {
  npz = function(path, tensors)
    local arrays = {}
    for name, x in pairs(tensors) do arrays[name] = npy_of(x) end
    files.npz(path, arrays)
  end,
  h5 = function(path, tensors)
    local file <close> = lac.hdf5.create(path)
    for name, x in pairs(tensors) do file:write(name .. ":0", x) end -- a name may be a folder as well
    file:commit()
  end,
  safetensors = function(path, tensors)
    lac.safetensors.write(path, tensors)
  end,
}

-- fn gets the variables with some changed or added; "" takes one away.
local function with_variables(cell, changes, fn)
  local tensors = published_soft.variables(cell)
  for name, x in pairs(changes) do
    for known in pairs(tensors) do
      if known:sub(-#name) == name then tensors[known]:close() tensors[known] = nil end
    end
    if x ~= "" then tensors[name] = x end
  end
  files.with_folder(function(folder)
    files.write(folder .. "/word.vocab", vocab.from_words(WORDS):text())
    fn(folder, tensors)
  end)
  for _, x in pairs(tensors) do x:close() end
end

-- Features of two images with their vectors, as inputs of caption.
local function inputs(folder)
  local paths = {}
  for i = 1, 2 do
    local att <close> = fill.tensor("att" .. i, {3, 7}, 4)
    local fc <close> = fill.tensor("fc" .. i, {6}, 4)
    paths[i] = ("%s/%d.npz"):format(folder, i)
    files.npz(paths[i], {feat = npy_of(att), fc = npy_of(fc)})
  end
  return table.concat(paths, " ")
end

function T.variables_are_imported_from_every_kind_of_file()
  for cell, parameters in pairs {lstm = 444, gru = 388} do
    with_variables(cell, {}, function(folder, tensors)
      local images, want = inputs(folder), nil
      for kind, write in pairs(WRITERS) do
        local path = ("%s/soft.%s"):format(folder, kind)
        write(path, tensors)
        local text = succeeds(("import %s -o %s/m.h5 --vocab %s/word.vocab"):format(path, folder, folder))
        check.yes(text:find(("softattention, %d parameters, 12 words\n$"):format(parameters)), text)
        local said = succeeds(("caption %s/m.h5 %s"):format(folder, images))
        check.equal(said, want or said)
        want = said
      end
      check.yes(want:find "^1\t[^\n]+\n2\t[^\n]*\n$", want)
      succeeds(("export %s/m.h5 -o %s/small.h5"):format(folder, folder))
      check.equal(succeeds(("caption %s/small.h5 %s"):format(folder, images)), want)
      check.yes(succeeds(("info %s/m.h5"):format(folder)):find("cell " .. cell))
    end)
  end
end

-- What it was written from gives the captions: a model of our own with the words in our order.
function T.an_imported_model_says_the_words_of_its_ids()
  with_variables("lstm", {["output_projection/bias"] = lac.tensor {0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0}},
    function(folder, tensors)
      WRITERS.h5(folder .. "/soft.h5", tensors)
      succeeds(("import %s/soft.h5 -o %s/m.h5 --vocab %s/word.vocab --length 3"):format(folder, folder, folder))
      check.equal(succeeds(("caption --beam 1 %s/m.h5 %s"):format(folder, inputs(folder))),
        "1\tred red red\n2\tred red red\n")
    end)
end

function T.masks_are_multiplied_into_their_weights()
  local kernel = "basic_lstm_cell/kernel"
  local logits, zeros = fill.tensor("logits", {13, 16}, 10), {}
  for i = 1, 7 do zeros[i] = {i % 2, 1, 0, 1} end
  with_variables("lstm", {}, function(folder, tensors)
    for name in pairs(published_soft.variables "lstm") do
      if name:find(kernel .. "$") then tensors[name .. "/mask"] = logits end
      if name:find "value_layer/kernel$" then tensors[name .. "/mask"] = lac.tensor(zeros) end
    end
    WRITERS.safetensors(folder .. "/soft.safetensors", tensors)
    succeeds(("import %s/soft.safetensors -o %s/m.h5"):format(folder, folder))
    local found = checkpoint.load(folder .. "/m.h5")
    check.equal({found.config.model.dropout, found.config.model.attention_dropout}, {0.11, 0.03})
    do
      local scope <close> = lac.scope()
      local raw, keep = fill.tensor(kernel, {13, 16}, 2):totable(), logits:totable()
      local got = found.model.cell.gates.weight.value:totable()
      local order = {0, 2, 1, 3} -- of our block b in theirs
      for row = 1, 16 do
        local column = order[(row - 1) // 4 + 1] * 4 + (row - 1) % 4 + 1
        for i = 1, 13 do check.close(got[row][i], keep[i][column] > 0 and raw[i][column] or 0, 1e-6) end
      end
      raw, got = fill.tensor("value_layer/kernel", {7, 4}, 2):totable(), found.model.values.weight.value:totable()
      for row = 1, 4 do
        for i = 1, 7 do check.close(got[row][i], raw[i][row] * zeros[i][row], 1e-6) end
      end
    end
    found.model:close()
  end)
end

-- A GoogLeNet with values, small and with a classifier, and its variables.
local function inception()
  local model = Googlenet {width = 0.125, size = 64, gain = false, padding = "same", grid = "legacy", classes = 3}
  model:initialise(lac.rng(1))
  local rng = lac.rng(2)
  for _, p in ipairs(model:tensors()) do
    if #p.param.shape == 1 then p.param:set(rng:uniform(p.param.shape, 0.5, 1.5)) end
  end
  return model:eval(), slim.inception(model, "Model/encoder/cnn/")
end

-- A file of a decoder for `sizes` and that encoder, both pruned in part and with what an optimiser keeps.
local function write_both(folder, sizes)
  local tensors = published_soft.variables("gru", sizes)
  local model, variables = inception()
  for name, x in pairs(variables) do tensors[name] = x end
  local kernel = "Model/encoder/cnn/InceptionV1/Mixed_3b/Branch_0/Conv2d_0a_1x1/weights"
  tensors[kernel .. "/mask"] = tensors[kernel] * 0
  tensors[kernel .. "/Adam_1"], tensors.global_step = lac.zeros {1}, lac.tensor({7}, "i32")
  WRITERS.h5(folder .. "/soft.h5", tensors)
  return model
end

function T.the_encoder_of_the_same_checkpoint_comes_with_its_decoder()
  files.with_folder(function(folder)
    files.write(folder .. "/word.vocab", vocab.from_words(WORDS):text())
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local model = write_both(folder, {features = 104, image = 128})
    local text = succeeds(("import %s/soft.h5 -o %s/m.h5 --size 64 --vocab %s/word.vocab"):format(folder, folder,
      folder))
    check.yes(text:find("12 words\nleft out: the image encoder's classifier (2 tensors)\n"
      .. "left out: 2 variables of the optimiser\n", 1, true), text)
    local found = checkpoint.load(folder .. "/m.h5")
    local cfg = found.config.model.encoder
    check.equal({cfg.name, cfg.width, cfg.size, cfg.input, cfg.grid, cfg.gain, cfg.classes},
      {"googlenet", 0.125, 64, "symmetric", "legacy", false, 0})
    for _, p in ipairs(model:parameters()) do
      if p.name == "inception3a.branch1.conv.weight" then p.param.value:fill(0) end -- its mask
    end
    local images = lac.rng(3):uniform {2, 64, 64, 3}
    local att, fc = found.model.encoder(images)
    local want_att, want_fc = model(images)
    check.close(att, want_att, 1e-5)
    check.close(fc, want_fc, 1e-5)
    found.model:close()
    files.write(folder .. "/a.png", pictures.png(40, 30, function(x, y) return 6 * x, 8 * y, 90 end))
    text = succeeds(("caption %s/m.h5 %s/a.png"):format(folder, folder))
    check.yes(text:find "^a\t", text)
    -- and by way of safetensors
    succeeds(("export %s/m.h5 -o %s/x.safetensors"):format(folder, folder))
    succeeds(("import %s/x.safetensors -o %s/again.h5"):format(folder, folder))
    check.equal(succeeds(("caption %s/again.h5 %s/a.png"):format(folder, folder)), text)
    model:close()
  end)
end

function T.an_encoder_that_cannot_be_put_in_front_is_left_out_and_said_so()
  files.with_folder(function(folder)
    local scope <close> = lac.scope() -- luacheck: ignore 211
    write_both(folder):close()
    local text = succeeds(("import %s/soft.h5 -o %s/m.h5"):format(folder, folder))
    check.yes(text:find("no vocabulary\nleft out: the image encoder, googlenet: it gives 104 features per position and "
      .. "128 per image, but this decoder looks at 7 and 6\nleft out: 2 variables of the optimiser\n", 1, true), text)
    check.equal(select(2, check.run(("import %s/soft.h5 -o %s/n.h5 --size 64"):format(folder, folder))),
      ("lacuna: %s/soft.h5: what it becomes has no encoder of pictures, for which --size is meant\n"):format(folder))
  end)
  with_variables("gru", {["Model/encoder/dense/weights"] = lac.zeros {2, 2}}, function(folder, tensors)
    WRITERS.h5(folder .. "/soft.h5", tensors)
    local text = succeeds(("import %s/soft.h5 -o %s/m.h5"):format(folder, folder))
    check.yes(text:find("left out: 1 variable of an image encoder that this program does not know\n", 1, true), text)
  end)
end

function T.variables_that_do_not_fit_are_refused_by_name()
  local cases = {
    {{["value_layer/kernel"] = ""}, "the variable value_layer/kernel is missing"},
    {{["basic_lstm_cell/kernel"] = ""}, "it must hold the variable basic_lstm_cell/kernel or gru_cell/gates/kernel\n"},
    {{["decoder/LayerNorm/gamma"] = lac.zeros {4}}, "decoder/LayerNorm/gamma has no place in this program's"},
    {{["attention_v"] = lac.zeros {4, 1}}, "the variable attention_v has 2 dimensions in place of 1"},
    {{["query_layer/kernel"] = lac.zeros {4, 5}}, "attention%.h2att%.weight: expected shape %[4, 4%], got %[5, 4%]"},
    {{["Model/encoder/InceptionV1/Conv2d_1a_7x7/weights"] = lac.zeros {7, 7, 3, 8}},
     "the kernel of Model/encoder/InceptionV1/%S+ is missing"},
    {{["embedding_map/mask"] = lac.zeros {12, 4}}, "the mask embedding_map/mask is %[12, 4%], but its variable"},
    {{["y/attention_v"] = lac.zeros {4}}, "both Model/%S+/attention_v and y/attention_v end in attention_v"},
    {{embedding_map = lac.zeros {4, 5}}, "the variable embedding_map has no words"},
  }
  for _, case in ipairs(cases) do
    with_variables("lstm", case[1], function(folder, tensors)
      WRITERS.h5(folder .. "/soft.h5", tensors)
      local status, text = check.run(("import %s/soft.h5 -o %s/m.h5"):format(folder, folder))
      check.equal(status, 1)
      check.yes(text:find(case[2]), "wanted " .. case[2] .. ", got: " .. text)
      check.yes(not files.exists(folder .. "/m.h5"))
    end)
  end
end

function T.an_image_without_its_vector_is_refused()
  with_variables("lstm", {}, function(folder, tensors)
    WRITERS.h5(folder .. "/soft.h5", tensors)
    succeeds(("import %s/soft.h5 -o %s/m.h5 --vocab %s/word.vocab"):format(folder, folder, folder))
    local function refused(pattern)
      local status, text = check.run(("caption %s/m.h5 %s/x.npz"):format(folder, folder))
      check.equal(status, 1)
      check.yes(text:find(pattern), text)
    end
    local feat = files.npy({1, 7}, {1, 2, 3, 4, 5, 6, 7})
    files.npz(folder .. "/x.npz", {feat = feat})
    refused "x%.npz: the model looks at a vector of 6 numbers for the whole image, the array fc"
    files.npz(folder .. "/x.npz", {feat = feat, fc = files.npy({5}, {1, 2, 3, 4, 5})})
    refused "x%.npz: its fc has 5 numbers, but the model was trained with 6"
    files.npz(folder .. "/x.npz", {feat = feat, fc = files.npy({6}, {1, 2, 3, 4, 5, 0 / 0})})
    refused "x%.npz: its fc holds numbers that are not finite"
  end)
end

function T.a_model_file_is_not_imported_again()
  with_variables("gru", {}, function(folder, tensors)
    WRITERS.h5(folder .. "/soft.h5", tensors)
    succeeds(("import %s/soft.h5 -o %s/m.h5"):format(folder, folder))
    local status, text = check.run(("import %s/m.h5 -o %s/n.h5"):format(folder, folder))
    check.equal(status, 1)
    check.yes(text:find "m%.h5: it is a model file already, so nothing to import\n", text)
  end)
end

return T
