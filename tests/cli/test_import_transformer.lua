--- Transformers as their published program saves them, through import, caption and export.
local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local tokenizer = require "data.tokenizer"
local vocab = require "data.vocab"

local T = {}

local SIZES = {vocab = 9, size = 8, inner = 12, layers = 2, heads = 2, features = 5}
local WORDS = {"a", "man", "dog", "on", "red"}

local function config_of(name, more)
  local model = {name = name}
  for key, value in pairs(SIZES) do model[key] = value end
  for key, value in pairs(more or {}) do model[key] = value end
  return {model = model, decode = {length = 8}}
end

-- A model with weights large enough for captions to depend on them; saved as own.h5 and own.safetensors.
local function make(folder, config)
  local model = checkpoint.build(config.model, "test")
  model:initialise(lac.rng(11))
  for _, p in ipairs(model:parameters()) do
    local larger <close> = p.param.value * 2
    p.param.value:copy(larger)
  end
  checkpoint.save(folder .. "/own.h5", {model = model, config = config, vocab = vocab.from_words(WORDS)})
  local tensors = {}
  for _, p in ipairs(model:parameters()) do tensors[p.name] = p.param.value end
  lac.safetensors.write(folder .. "/own.safetensors", tensors)
  files.write(folder .. "/word.vocab", vocab.from_words(WORDS):text())
  model:close()
end

-- Three images with boxes: features as .npy, boxes in a folder of their own.
local function inputs(folder)
  assert(os.execute("mkdir -p " .. folder .. "/box"))
  local paths, rng = {}, lac.rng(4)
  for i = 1, 3 do
    local x <close> = rng:uniform({2 + i, 5}, -2, 2)
    local flat, boxes = {}, {}
    for r, row in ipairs(x:totable()) do
      for _, v in ipairs(row) do flat[#flat + 1] = v end
      for _, edge in ipairs {0.1 * r, 0, 0.1 * r + 0.3, 0.2 * i} do boxes[#boxes + 1] = edge end
    end
    paths[i] = files.write(("%s/%d.npy"):format(folder, i), files.npy({2 + i, 5}, flat))
    files.write(("%s/box/%d.npy"):format(folder, i), files.npy({2 + i, 4}, boxes))
  end
  return table.concat(paths, " ")
end

local function succeeds(command)
  local status, text = check.run(command)
  check.yes(status == 0, command .. ": " .. text)
  return text
end

local function captions(folder, name, options)
  return succeeds(("caption %s/%s %s %s"):format(folder, name, inputs(folder), options))
end

local function write_pth(folder, words)
  local script = check.settings.root .. "/tests/pth.py"
  assert(os.execute(("python3 %s %s/own.safetensors %s/theirs.pth %s"):format(script, folder, folder, words)))
end

-- own.h5 and the same weights through a .pth, import and every form of export give the same captions.
local function same_captions(folder, options, import)
  local want = captions(folder, "own.h5", options)
  check.equal(select(2, want:gsub("\n", "\n")), 3)
  local text = succeeds(("import %s/theirs.pth -o %s/m.h5 --vocab %s/word.vocab --length 8 %s"):format(folder, folder,
    folder, import or ""))
  check.equal(captions(folder, "m.h5", options), want)
  succeeds(("export %s/m.h5 -o %s/packed.h5"):format(folder, folder))
  check.equal(captions(folder, "packed.h5", options), want)
  succeeds(("export %s/m.h5 -o %s/again.safetensors"):format(folder, folder))
  check.equal(files.read(folder .. "/again.vocab"), files.read(folder .. "/word.vocab"))
  return want, text
end

function T.a_relation_transformer_saved_by_pytorch_gives_its_captions_and_exports()
  for _, trigonometric in ipairs {true, false} do
    files.with_folder(function(folder)
      make(folder, config_of("ort", {trigonometric = trigonometric}))
      write_pth(folder, "model.tgt_embed.1.pe@50x8")
      for _, beam in ipairs {1, 3} do
        same_captions(folder, ("--boxes %s/box --beam %d"):format(folder, beam))
      end
      local found = checkpoint.load(folder .. "/m.h5")
      check.equal({found.config.model.name, found.config.model.heads, found.config.model.layers}, {"ort", 2, 2})
      check.equal(found.config.model.trigonometric, trigonometric)
      found.model:close()
    end)
  end
end

local SHARED = {share_layer_encoder = {0, 0, 1}, share_layer_decoder = {0, 1, 1}}

-- The further names of the layers that SHARED uses again, for pth.py.
local function aliases(folder)
  local tensors, words = lac.safetensors.read(folder .. "/own.safetensors"), {}
  for name, x in pairs(tensors) do
    for _, pair in ipairs {{"encoder.layers.", 0, 1}, {"decoder.layers.", 1, 2}} do
      local other = name:gsub("(" .. pair[1]:gsub("%.", "%%.") .. ")" .. pair[2] .. "%.", "%1" .. pair[3] .. ".")
      if other ~= name then words[#words + 1] = other .. "=" .. name end
    end
    x:close()
  end
  return table.concat(words, " ")
end

function T.shared_layers_are_found_by_their_equal_tensors_and_captions_stay()
  files.with_folder(function(folder)
    make(folder, config_of("ort", {share_att_encoder = "kv", share_att_decoder = "kv", layers = 3,
      share_layer_encoder = SHARED.share_layer_encoder, share_layer_decoder = SHARED.share_layer_decoder}))
    write_pth(folder, aliases(folder))
    local status, text = check.run(("import %s/theirs.pth -o %s/m.h5"):format(folder, folder))
    check.equal(status, 1)
    check.yes(text:find("three projections in model%.encoder%.layers%.0%.self_attn are those .*%-%-config FILE"), text)
    files.write(folder .. "/config.json", '{"caption_model": "relation_transformer", "share_att_encoder": "kv", '
      .. '"share_att_decoder": "kv", "share_layer_encoder": null, "drop_prob_src": 0.25}')
    local options = ("--boxes %s/box --beam 2"):format(folder)
    same_captions(folder, options, "--config " .. folder .. "/config.json")
    local found = checkpoint.load(folder .. "/m.h5")
    local model = found.config.model
    check.equal({model.share_layer_encoder, model.share_layer_decoder, model.dropout}, {{0, 0, 1}, {0, 1, 1}, 0.25})
    found.model:close()
    -- the names of our own files, first places only, with the order in the settings
    files.write(folder .. "/config.json", '{"share_att_encoder": "kv", "share_att_decoder": "kv", '
      .. '"share_layer_encoder": "(0, 0, 1)", "share_layer_decoder": [0, 1, 1]}')
    succeeds(("import %s/again.safetensors -o %s/b.h5 --vocab %s/again.vocab --length 8 "
      .. "--config %s/config.json"):format(folder, folder, folder, folder))
    check.equal(captions(folder, "b.h5", options), captions(folder, "own.h5", options))
  end)
end

function T.a_plain_transformer_needs_no_boxes()
  files.with_folder(function(folder)
    make(folder, config_of "transformer")
    write_pth(folder, "core.tgt_embed.1.pe@20x8")
    files.write(folder .. "/config.json", '{"num_heads": 2}')
    same_captions(folder, "--beam 2", "--config " .. folder .. "/config.json")
    local status, text = check.run(("caption %s/own.h5 --boxes grid %s/1.npy"):format(folder, folder))
    check.equal(status, 1)
    check.yes(text:find("own.h5: a model of the kind transformer looks at no boxes; leave --boxes out", 1, true), text)
  end)
end

local function refused(folder, words, pattern, import)
  write_pth(folder, words)
  local status, text = check.run(("import %s/theirs.pth -o %s/m.h5 %s"):format(folder, folder, import or ""))
  check.equal(status, 1)
  check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
  check.equal(select(2, text:gsub("\n", "\n")), 1)
  check.yes(not files.exists(folder .. "/m.h5"))
end

function T.tensors_that_are_no_transformer_are_refused()
  files.with_folder(function(folder)
    make(folder, config_of "ort")
    refused(folder, "model.tgt_embed.1.pe@50x4", "theirs%.pth: the positions in model%.tgt_embed%.1%.pe are not")
    refused(folder, "model.tgt_embed.1.pe@3x3", "positions in model%.tgt_embed%.1%.pe do not fit a model of size 8")
    refused(folder, "model.decoder.layers.3.norm=att_embed.0.bias", "there are no tensors of model%.decoder%.layers%.2")
    refused(folder, "model.encoder.layers.01.x=att_embed.0.bias",
      "the tensor model%.encoder%.layers%.01%.x has no place in this model")
    refused(folder, "more=att_embed.0.bias", "the tensor more has no place in this model")
    files.write(folder .. "/config.json", '{"share_layer_decoder": "0, 0"}')
    refused(folder, "", "model%.decoder%.layers%.1 should be model%.decoder%.layers%.0 once more, but holds other",
      "--config " .. folder .. "/config.json")
    files.write(folder .. "/config.json", '{"caption_model": "att2in"}')
    refused(folder, "", 'config%.json: its model "att2in" is not known here; there are relation_transformer, ',
      "--config " .. folder .. "/config.json")
  end)
end

-- own.safetensors with some tensors replaced and settings is refused in one sentence.
local function refused_with(folder, changes, config, pattern)
  local tensors = lac.safetensors.read(folder .. "/own.safetensors")
  for name, x in pairs(changes) do
    if tensors[name] then tensors[name]:close() end
    tensors[name] = x
  end
  lac.safetensors.write(folder .. "/changed.safetensors", tensors)
  for _, x in pairs(tensors) do x:close() end
  files.write(folder .. "/config.json", config)
  local status, text = check.run(("import %s/changed.safetensors -o %s/m.h5 --config %s/config.json"):format(folder,
    folder, folder))
  check.equal(status, 1)
  check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
  check.equal(select(2, text:gsub("\n", "\n")), 1)
end

function T.wrong_settings_and_types_are_refused_by_file_and_key()
  files.with_folder(function(folder)
    make(folder, config_of "ort")
    local function settings(config, pattern) refused_with(folder, {}, config, pattern) end
    settings('{"share_att_encoder": "foo"}',
      'config%.json: share_att_encoder must be "none", "kv" or "qk", got "foo"')
    settings('{"share_att_decoder": [1]}', "config%.json: share_att_decoder must be .* got a table")
    settings('{"share_att_decoder": "kv"}', "changed%.safetensors: model%.decoder%.layers%.0%.self_attn has four "
      .. 'projections, but share_att_decoder = "kv" makes them three')
    settings('{"drop_prob_src": 2}', "config%.json: drop_prob_src must be in %[0, 1%), got 2")
    refused_with(folder, {["model.encoder.norm.a_2"] = lac.tensor({1, 2, 3, 4, 5, 6, 7, 8}, "i32")}, "{}",
      "changed%.safetensors: the tensor model%.encoder%.norm%.a_2 holds numbers of the type i32, not f32")
    refused_with(folder, {["model.encoder.layers.0.self_attn.WGs.2.weight"] = lac.zeros {1, 64}}, "{}",
      "changed%.safetensors: models%.ort: size must be divisible by heads, got 8 and 3")
  end)
end

function T.captions_are_as_long_as_is_usual_for_the_tokenizer()
  files.with_folder(function(folder)
    make(folder, config_of "ort")
    local words = vocab.from_words(WORDS)
    local texts = {[18] = words:text(), [26] = tokenizer.digits(words, 4):text(),
                   [60] = "char\n<pad>\t0\n<unk>\t0\n<bos>\t0\n<eos>\t0\na\t0\n"}
    for length, text in pairs(texts) do
      files.write(folder .. "/x.vocab", text)
      succeeds(("import %s/own.safetensors -o %s/m.h5 --vocab %s/x.vocab"):format(folder, folder, folder))
      check.yes(succeeds("info " .. folder .. "/m.h5"):find(("length %d\n"):format(length)))
    end
  end)
end

-- Captions with boxes ----------------------------------------------------------------------------------

function T.boxes_come_from_folders_files_and_grids()
  files.with_folder(function(folder)
    make(folder, config_of "ort")
    local want = captions(folder, "own.h5", ("--boxes %s/box"):format(folder))
    do
      local file <close> = lac.hdf5.create(folder .. "/boxes.h5")
      for i = 1, 3 do
        local x <close> = lac.npy.read(("%s/box/%d.npy"):format(folder, i))
        file:write(tostring(i), x)
      end
      file:commit()
    end
    check.equal(captions(folder, "own.h5", ("--boxes %s/boxes.h5"):format(folder)), want)
    local first = succeeds(("caption %s/own.h5 %s/1.npy --boxes %s/box/1.npy"):format(folder, folder, folder))
    check.equal(first, want:match("^[^\n]*\n"))
    local flat = {}
    for i = 1, 20 do flat[i] = math.sin(i) end
    local square = files.write(folder .. "/square.npy", files.npy({4, 5}, flat))
    local row = files.write(folder .. "/row.npy", files.npy({1, 4, 5}, flat))
    files.write(folder .. "/cells.npy",
      files.npy({4, 4}, {0, 0, 0.5, 0.5, 0.5, 0, 1, 0.5, 0, 0.5, 0.5, 1, 0.5, 0.5, 1, 1}))
    files.write(folder .. "/strip.npy",
      files.npy({4, 4}, {0, 0, 0.25, 1, 0.25, 0, 0.5, 1, 0.5, 0, 0.75, 1, 0.75, 0, 1, 1}))
    for input, boxes in pairs {[square] = "cells", [row] = "strip"} do
      check.equal(succeeds(("caption %s/own.h5 %s --boxes grid"):format(folder, input)),
        succeeds(("caption %s/own.h5 %s --boxes %s/%s.npy"):format(folder, input, folder, boxes)))
    end
  end)
end

function T.boxes_that_are_missing_or_wrong_are_refused()
  files.with_folder(function(folder)
    make(folder, config_of "ort")
    inputs(folder)
    local function refuse(options, pattern)
      local status, text = check.run(("caption %s/own.h5 %s/1.npy %s"):format(folder, folder, options))
      check.equal(status, 1)
      check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
      check.equal(select(2, text:gsub("\n", "\n")), 1)
    end
    refuse("", "1%.npy: this model looks at the boxes of regions, and there are none; %-%-boxes says where they are")
    refuse("--boxes grid", "1%.npy: 3 regions are no square grid of cells")
    refuse("--boxes " .. folder .. "/nothere", 'there is no file or folder "[^"]*/nothere" with boxes')
    refuse("--boxes ''", 'there is no file or folder "" with boxes')
    refuse("--boxes " .. folder .. "/word.vocab", "word%.vocab: no file of boxes: they come as %.npy, %.npz or %.h5")
    refuse(("%s/2.npy --boxes %s/box/1.npy"):format(folder, folder),
      "box/1%.npy: it has the boxes of one image, and there are 2; for several it is a folder of such files")
    do
      local file <close> = lac.hdf5.create(folder .. "/two.h5")
      for i = 1, 2 do
        local x <close> = lac.npy.read(folder .. "/1.npy")
        file:write(tostring(i), x)
      end
      file:commit()
    end
    check.yes(select(2, check.run(("caption %s/own.h5 %s/two.h5 --boxes %s/box/1.npy"):format(folder, folder, folder)))
      :find("box/1%.npy: it has the boxes of one image, and there are 2"))
    assert(os.execute("mkdir " .. folder .. "/att"))
    refuse("--boxes " .. folder .. "/att", "att: there is no 1%.npz or 1%.npy with the boxes of image 1")
    local bad = files.write(folder .. "/bad.npy", files.npy({3, 4}, {0, 0, 1, 1, 0.5, 0, 0.4, 1, 0, 0, 1, 1}))
    refuse("--boxes " .. bad, "bad%.npy: box 2 ends before it begins: left 0%.5, top 0, right 0%.4, bottom 1")
    files.write(bad, files.npy({2, 4}, {0, 0, 1, 1, 0, 0, 1, 1}))
    refuse("--boxes " .. bad, "bad%.npy: there are 2 boxes for 3 regions")
    files.write(bad, files.npy({3, 4}, {0, 0, 1, 1, 0, 0, 640, 1, 0, 0, 1, 1}))
    refuse("--boxes " .. bad, "bad%.npy: box 2 has an edge at 640")
  end)
end

return T
