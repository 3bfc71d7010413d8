local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local tokenizer = require "data.tokenizer"
local vocab = require "data.vocab"

local T = {}

local CONFIG = {
  model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5, fc_features = 5,
           logit_layers = 2, dropout = 0.25},
  decode = {length = 6},
}

local function new_model()
  local model = checkpoint.build(CONFIG.model, "test")
  model:initialise(lac.rng(3))
  return model
end

local function save(path, config)
  local model = new_model()
  checkpoint.save(path, {model = model, config = config or CONFIG, vocab = vocab.from_words {"a", "man", "dog"}})
  return model
end

function T.a_model_comes_back_bit_for_bit_with_configuration_and_vocabulary()
  files.with_folder(function(folder)
    local saved = save(folder .. "/m.h5")
    local loaded = checkpoint.load(folder .. "/m.h5")
    local parameters = loaded.model:parameters()
    for i, p in ipairs(saved:parameters()) do
      check.equal(parameters[i].name, p.name)
      check.yes(parameters[i].param.value:tobytes() == p.param.value:tobytes(), p.name .. " differs")
    end
    check.equal(loaded.config, CONFIG)
    check.equal(loaded.vocab:decode {4, 5}, "a man")
    saved:close()
    loaded.model:close()
  end)
end

function T.a_model_keeps_its_tokenizer_and_words_are_written_as_ever()
  files.with_folder(function(folder)
    local path, model = folder .. "/m.h5", new_model()
    local words = vocab.from_words {"a", "man", "dog", "cat", "hat"}
    for version, t in pairs {[2] = vocab.from_words {"a", "man", "dog"}, [3] = tokenizer.digits(words, 3)} do
      checkpoint.save(path, {model = model, config = CONFIG, vocab = t})
      local file <close> = lac.hdf5.open(path)
      check.equal(file:attr("", "version"), version)
      local loaded = checkpoint.load(path)
      check.equal(loaded.vocab:describe(), t:describe())
      check.equal(loaded.vocab:decode(t:encode("a dog")), t:decode(t:encode("a dog")))
      loaded.model:close()
    end
    model:close()
  end)
end

function T.a_tokenizer_that_is_damaged_or_does_not_fit_is_refused()
  files.with_folder(function(folder)
    local path, model = folder .. "/m.h5", new_model()
    local function refused(text, pattern)
      checkpoint.save(path, {model = model, config = CONFIG, vocab = {text = function() return text end}})
      local message = check.fails(pattern, checkpoint.load, path)
      check.yes(message:find(path, 1, true) and not message:find("\n"), message)
    end
    local head = "<pad>\t0\n<unk>\t0\n<bos>\t0\n<eos>\t0\n"
    refused("radix 5\n" .. head, "the tokenizer has 8 digits for 4 words, but the model only 7")
    refused("radix 0\n" .. head, "the base must be a whole number")
    refused("radio 5\n" .. head, "line 1 names no tokenizer: \"radio 5\"")
    refused("char\n" .. head .. "a", "line 6 is not")
    model:close()
  end)
end

function T.a_mask_is_in_the_saved_weights()
  files.with_folder(function(folder)
    local model = save(folder .. "/m.h5")
    local weight = model:parameters()[1].param
    weight:set_mask(lac.zeros(weight.shape))
    checkpoint.save(folder .. "/m.h5", {model = model, config = CONFIG})
    local loaded = checkpoint.load(folder .. "/m.h5")
    do
      local scope <close> = lac.scope()
      check.equal(loaded.model:parameters()[1].param.value:abs():sum():item(), 0)
    end
    check.equal(loaded.vocab, nil)
    model:close()
    loaded.model:close()
  end)
end

function T.a_dropped_weight_is_saved_as_0_and_never_as_a_draw()
  files.with_folder(function(folder)
    local model = new_model()
    local weight = model:parameters()[1].param
    weight:set_mask {kind = "trained", tensor = lac.zeros(weight.shape)} -- sigmoid(0) = 1/2 rounds to 0
    model:train(lac.rng(1))
    for _, form in ipairs {"dense", "packed"} do
      checkpoint.save(folder .. "/m.h5", {model = model, config = CONFIG, form = form})
      local loaded = checkpoint.load(folder .. "/m.h5")
      check.yes(not loaded.model:parameters()[1].param.value:tobytes():find("[^\0]"))
      loaded.model:close()
    end
    model:close()
  end)
end

function T.what_a_caller_adds_is_read_from_the_same_file()
  files.with_folder(function(folder)
    local path = folder .. "/m.h5"
    local model = new_model()
    local moment <close> = lac.tensor {1, 2.5}
    checkpoint.save(path, {model = model, config = CONFIG, form = "packed", extra = function(file)
      file:write("state/moment", moment)
      file:write_text("state/where", "step 3")
      file:set_attr("state", "epoch", 4)
    end})
    local file <close> = checkpoint.open(path)
    local loaded = checkpoint.read(file, path)
    local read <close> = file:read("state/moment")
    check.equal(read, {1, 2.5})
    check.equal(file:text("state/where"), "step 3")
    check.equal(file:attr("state", "epoch"), 4)
    check.yes(loaded.model:parameters()[1].param.value:tobytes() == model:parameters()[1].param.value:tobytes())
    check.fails("oops", checkpoint.save, path, {model = model, config = CONFIG, extra = function() error("oops") end})
    check.yes(checkpoint.load(path).model)
    model:close()
    loaded.model:close()
  end)
end

function T.files_of_version_1_still_load()
  files.with_folder(function(folder)
    local path = folder .. "/old.h5"
    local model = new_model()
    do
      local file <close> = lac.hdf5.create(path)
      file:set_attr("", "format", "lacuna-model")
      file:set_attr("", "version", 1)
      file:write_text("config", lac.json.encode(CONFIG))
      for _, p in ipairs(model:parameters()) do file:write("params/" .. p.name, p.param.value) end
      file:commit()
    end
    local loaded = checkpoint.load(path)
    for i, p in ipairs(loaded.model:parameters()) do
      check.yes(p.param.value:tobytes() == model:parameters()[i].param.value:tobytes(), p.name)
    end
    model:close()
    loaded.model:close()
  end)
end

function T.a_file_that_is_no_hdf5_says_what_would_help()
  files.with_folder(function(folder)
    check.fails("x%.h5: is not an HDF5 file, so no model file; lacuna import makes one", checkpoint.load,
      files.write(folder .. "/x.h5", ("text"):rep(200)))
    check.fails("none%.h5: .*No such file", checkpoint.load, folder .. "/none.h5")
  end)
end

function T.a_failed_save_leaves_the_old_file_and_nothing_else()
  files.with_folder(function(folder)
    local path = folder .. "/m.h5"
    save(path):close()
    local before = files.read(path)
    local model = checkpoint.build(CONFIG.model, "test") -- without values
    check.fails("has no value", checkpoint.save, path, {model = model, config = CONFIG})
    check.yes(files.read(path) == before)
    local pipe = assert(io.popen("ls -A '" .. folder .. "' | wc -l"))
    check.equal(pipe:read("n"), 1)
    pipe:close()
  end)
end

function T.files_of_another_format_version_or_model_are_refused()
  files.with_folder(function(folder)
    local path = folder .. "/m.h5"
    local function write(format, version, config)
      local file <close> = lac.hdf5.create(path)
      if format then file:set_attr("", "format", format) end
      file:set_attr("", "version", version)
      if config then file:write_text("config", config) end
      file:commit()
    end
    write(nil, 1)
    check.fails("m%.h5 is no model file of lacuna %(its format is not given%)", checkpoint.load, path)
    write("lacuna-data", 1)
    check.fails('its format is "lacuna%-data"', checkpoint.load, path)
    write("lacuna-model", 4)
    check.fails("has version 4 of the model format, this program reads versions 1 to 3", checkpoint.load, path)
    write("lacuna-model", 1, "{")
    check.fails("m%.h5: the configuration in it is not readable", checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updown"}, "decode": {"length": 0}}')
    check.fails("no caption length between 1 and 1000", checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updwn"}, "decode": {"length": 5}}')
    check.fails('there is no model "updwn" in this program', checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updown", "vocab": 7}, "decode": {"length": 5}}')
    check.fails("m%.h5: the tensor .* is missing", checkpoint.load, path)
  end)
end

return T
