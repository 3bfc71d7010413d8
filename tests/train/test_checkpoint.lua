local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local vocab = require "data.vocab"

local T = {}

local CONFIG = {
  model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5, fc_features = 5,
           logit_layers = 2, dropout = 0.25},
  decode = {length = 6},
}

local function save(path, config)
  local model = checkpoint.build(CONFIG.model, "test")
  model:initialise(lac.rng(3))
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
    write("lacuna-model", 2)
    check.fails("has version 2 of the model format, this program reads version 1", checkpoint.load, path)
    write("lacuna-model", 1, "{")
    check.fails("m%.h5: the configuration in it is not readable", checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updown"}, "decode": {"length": 0}}')
    check.fails("no caption length between 1 and 1000", checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updwn"}, "decode": {"length": 5}}')
    check.fails('there is no model "updwn"; did you mean "updown"', checkpoint.load, path)
    write("lacuna-model", 1, '{"model": {"name": "updown", "vocab": 7}, "decode": {"length": 5}}')
    check.fails("m%.h5: the tensor .* is missing", checkpoint.load, path)
  end)
end

return T
