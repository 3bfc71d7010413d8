local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local XE = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"

-- The import fails with one sentence, status 1, and writes nothing.
local function refused(folder, source, pattern)
  local target = folder .. "/out.h5"
  local status, text = check.run(("import %s -o %s"):format(source, target))
  check.equal(status, 1)
  check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
  check.equal(select(2, text:gsub("\n", "\n")), 1)
  local pipe = assert(io.popen("ls -A '" .. folder .. "' | grep -c '^out.h5'"))
  check.equal(pipe:read("n"), 0)
  pipe:close()
end

function T.a_truncated_zip_is_refused_wherever_it_ends()
  local bytes = files.read(check.shared(XE))
  files.with_folder(function(folder)
    for _, fraction in ipairs {0, 0.00001, 0.1, 0.5, 0.9, 0.99, 0.99999} do
      local path = files.write(folder .. "/cut.zip", bytes:sub(1, math.floor(fraction * #bytes)))
      refused(folder, path, "cut%.zip")
    end
  end)
end

function T.a_zip_with_a_damaged_byte_is_refused()
  local bytes = files.read(check.shared(XE))
  files.with_folder(function(folder)
    local at = #bytes // 3
    local flipped = bytes:sub(1, at) .. string.char(bytes:byte(at + 1) ~ 0x55) .. bytes:sub(at + 2)
    refused(folder, files.write(folder .. "/bad.zip", flipped), "bad%.zip")
  end)
end

function T.a_file_of_another_kind_is_refused()
  files.with_folder(function(folder)
    refused(folder, files.write(folder .. "/a.pth", "hello, I am text"), "a%.pth")
    refused(folder, files.write(folder .. "/a.pth", ""), "a%.pth")
    refused(folder, files.write(folder .. "/a.npy", files.npy({2}, {1, 2})), "a%.npy")
    refused(folder, folder .. "/none.zip", "none%.zip: No such file")
    refused(folder, folder, "there is no model in it")
  end)
end

function T.a_pickle_that_wants_to_run_code_is_refused_by_name()
  files.with_folder(function(folder)
    -- os.system("touch <folder>/owned") as a pickle of protocol 2
    local command = "touch " .. folder .. "/owned"
    local evil = "\x80\x02cos\nsystem\nX" .. string.pack("<I4", #command) .. command .. "\x85R."
    refused(folder, files.write(folder .. "/evil.pth", evil), "os%.system")
    check.yes(not files.exists(folder .. "/owned"))
  end)
end

local function safetensors(header, data)
  return string.pack("<I8", #header) .. header .. data
end

function T.tensors_that_do_not_fit_their_storage_are_refused()
  files.with_folder(function(folder)
    local short = safetensors('{"embed.0.weight":{"dtype":"F32","shape":[4,3],"data_offsets":[0,8]}}', ("x"):rep(8))
    refused(folder, files.write(folder .. "/a.safetensors", short), "embed%.0%.weight")
    local beyond = safetensors('{"embed.0.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "xxxx")
    refused(folder, files.write(folder .. "/a.safetensors", beyond), "a%.safetensors")
  end)
end

function T.a_checkpoint_of_another_model_is_refused_by_the_tensor_it_lacks()
  files.with_folder(function(folder)
    local x <close> = lac.tensor {{1, 2}}
    lac.safetensors.write(folder .. "/other.safetensors", {["encoder.weight"] = x})
    refused(folder, folder .. "/other.safetensors", "no known model's tensors are in it; "
      .. "model%.tgt_embed%.0%.lut%.weight would be in an Object Relation Transformer, core%.tgt_embed%.0%.lut%.weight "
      .. "would be in a transformer, attention%.h2att%.weight would be in a Soft%-Attention, "
      .. "embed%.0%.weight would be in an Up%-Down")
    for name, lacks in pairs {
      ["core.att_lstm.bias_ih"] = "embed%.0%.weight is missing, so this is no Up%-Down",
      ["model.encoder.norm.a_2"] = "model%.tgt_embed%.0%.lut%.weight is missing, so this is no transformer",
      ["core.decoder.norm.a_2"] = "core%.tgt_embed%.0%.lut%.weight is missing, so this is no transformer",
    } do
      lac.safetensors.write(folder .. "/part.safetensors", {[name] = x})
      refused(folder, folder .. "/part.safetensors", "part%.safetensors: the tensor " .. lacks)
    end
    files.write(folder .. "/config.json", '{"caption_model": "relation_transformer_prune"}')
    refused(folder, ("%s/other.safetensors --config %s/config.json"):format(folder, folder),
      "the tensor model%.tgt_embed%.0%.lut%.weight is missing")
  end)
end

function T.a_folder_a_bare_pth_and_safetensors_give_the_model_of_the_zip()
  local zip <close> = lac.zip.open(check.shared(XE))
  files.with_folder(function(folder)
    local prefix = "TINY3_UpDownLSTM__supermask__0.975__wg_120.0/"
    os.execute(("mkdir -p %s/run/tokenizer"):format(folder))
    for _, name in ipairs {"config.json", "model_best_pruned_sparse.pth", "tokenizer/word.vocab"} do
      files.write(folder .. "/run/" .. name, zip:read(prefix .. name))
    end
    local pth = folder .. "/run/model_best_pruned_sparse.pth"
    local tensors = lac.pth.read(pth)
    lac.safetensors.write(folder .. "/run/model.safetensors", tensors)
    for _, x in pairs(tensors) do x:close() end
    local words = " --vocab " .. folder .. "/run/tokenizer/word.vocab --length 16"
    local sources = {check.shared(XE), folder .. "/run", pth .. words, folder .. "/run/model.safetensors" .. words}
    local input = check.shared("data/coco5/bu/cocobu_att/391895.npy")
    for _, source in ipairs(sources) do
      local status, text = check.run(("import %s -o %s/m.h5"):format(source, folder))
      check.yes(status == 0, text)
      local _, caption = check.run(("caption %s/m.h5 %s"):format(folder, input))
      check.equal(caption, "391895\ta man riding a motorcycle on a dirt\n")
    end
  end)
end

-- fn gets a folder with the published run, its config.json changed.
local function with_run(change, fn)
  local zip <close> = lac.zip.open(check.shared(XE))
  local prefix = "TINY3_UpDownLSTM__supermask__0.975__wg_120.0/"
  files.with_folder(function(folder)
    os.execute(("mkdir -p %s/run/tokenizer"):format(folder))
    for _, name in ipairs {"model_best_pruned_sparse.pth", "tokenizer/word.vocab", "tokenizer/word.model"} do
      files.write(folder .. "/run/" .. name, zip:read(prefix .. name))
    end
    local config = lac.json.decode(zip:read(prefix .. "config.json"))
    for key, value in pairs(change) do config[key] = value end
    files.write(folder .. "/run/config.json", lac.json.encode(config))
    fn(folder)
  end)
end

function T.a_model_file_of_the_tokenizer_is_as_good_as_its_vocabulary()
  with_run({}, function(folder)
    for _, words in ipairs {"", " --vocab " .. folder .. "/run/tokenizer/word.model"} do
      local status, text = check.run(("import %s/run -o %s/m.h5%s"):format(folder, folder, words))
      check.yes(status == 0 and text:find("3000 words\n$"), text)
      os.remove(folder .. "/run/tokenizer/word.vocab")
    end
  end)
end

function T.digits_of_words_are_imported_as_config_json_says()
  with_run({tokenizer = "radix", radix_base = 1000, max_seq_length = 26, vocab_size = 1003}, function(folder)
    local status, text = check.run(("import %s/run -o %s/m.h5"):format(folder, folder))
    check.yes(status == 0 and text:find("1003 digits for 3000 words\n$"), text)
    local input = check.shared("data/coco5/bu/cocobu_att/391895.npy")
    status, text = check.run(("caption --beam 1 %s/m.h5 %s"):format(folder, input))
    check.yes(status == 0, text)
    check.equal(select(2, text:gsub("[^%s]+", "")), 14) -- the image's name and 26 digits, which never end
    status, text = check.run("info " .. folder .. "/m.h5")
    check.yes(status == 0 and text:find("vocabulary  1003 digits for 3000 words\n"), text)
  end)
end

function T.a_tokenizer_that_is_not_known_is_refused()
  with_run({tokenizer = "syllables"}, function(folder)
    refused(folder, folder .. "/run", 'its tokenizer "syllables" is not known here; there are word, radix')
  end)
  with_run({tokenizer = "radix", radix_base = "many"}, function(folder)
    refused(folder, folder .. "/run", "the vocabulary is not readable: radix: the base must be a whole number")
  end)
  with_run({tokenizer = "radix", radix_base = 5000}, function(folder)
    refused(folder, folder .. "/run", "the vocabulary has 5003 digits for 3000 words, but the model only 3000")
  end)
end

function T.masks_are_folded_into_their_weights()
  local published = require "train.published"
  files.with_folder(function(folder)
    local scope <close> = lac.scope()
    local function sized(...) return lac.zeros({...}):fill(2) end
    local tensors = {
      ["embed.0.weight"] = lac.tensor {{1, 2}, {3, 4}}, ["embed.0.weight_pruning_mask"] = lac.tensor {{1, 0}, {0, 1}},
      ["fc_embed.0.weight"] = sized(3, 2), ["att_embed.0.weight"] = sized(3, 2), ["ctx2att.weight"] = sized(4, 3),
    }
    lac.safetensors.write(folder .. "/m.safetensors", tensors)
    local found = published.read(folder .. "/m.safetensors")
    check.equal(found.tensors["embed.0.weight"], {{1, 0}, {0, 4}})
    check.equal(found.tensors["embed.0.weight_pruning_mask"], nil)
    check.equal(found.config.model.attention, 4)
  end)
end

function T.an_existing_file_survives_a_failed_import()
  files.with_folder(function(folder)
    local target = files.write(folder .. "/keep.h5", "precious")
    local bad = files.write(folder .. "/bad.pth", "junk")
    check.equal((check.run(("import %s -o %s"):format(bad, target))), 1)
    check.equal(files.read(target), "precious")
  end)
end

function T.a_vocabulary_that_is_none_is_refused()
  files.with_folder(function(folder)
    local model = files.write(folder .. "/m.pth", "junk")
    local status, text = check.run(("import %s -o %s/out.h5 --vocab %s"):format(check.shared(XE), folder, folder))
    check.equal(status, 1)
    check.yes(text:find("Is a directory") and not text:find("mistake"), text)
    status, text = check.run(("import %s -o %s/out.h5 --vocab %s"):format(check.shared(XE), folder, model))
    check.equal(status, 1)
    check.yes(text:find("m%.pth: the vocabulary is not readable: vocab: line 1 is not"), text)
  end)
end

function T.missing_words_are_wrong_usage()
  check.equal((check.run("import")), 2)
  check.equal((check.run("import x.zip")), 2)
end

return T
