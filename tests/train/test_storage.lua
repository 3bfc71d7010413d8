local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local storage = require "train.storage"

local T = {}

local CONFIG = {
  model = {name = "updown", vocab = 40, embed = 12, hidden = 16, attention = 12, features = 20, fc_features = 20,
           logit_layers = 1, dropout = 0.25},
  decode = {length = 6},
}

-- A model with nine tenths of every maskable weight zero.
local function pruned_model()
  local model = checkpoint.build(CONFIG.model, "test")
  local rng = lac.rng(5)
  model:initialise(rng)
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable then
      local scope <close> = lac.scope()
      p.param:set(scope:keep(p.param.value * rng:uniform(p.param.shape, 0, 1):greater(0.9) + 0))
    end
  end
  return model:eval()
end

local function round_trip(folder, model, form, values)
  checkpoint.save(folder .. "/m.h5", {model = model, config = CONFIG, form = form, values = values})
  return checkpoint.load(folder .. "/m.h5").model
end

local function same(a, b, what)
  local list = b:parameters()
  for i, p in ipairs(a:parameters()) do
    check.equal(list[i].name, p.name)
    check.yes(list[i].param.value:tobytes() == p.param.value:tobytes(), what .. ": " .. p.name .. " differs")
  end
end

local function close(...)
  for _, model in ipairs {...} do model:close() end
end

function T.exact_forms_bring_every_tensor_back_bit_for_bit()
  files.with_folder(function(folder)
    local model = pruned_model()
    for _, form in ipairs(({"dense", "masked", "packed"})) do
      local loaded = round_trip(folder, model, form)
      same(model, loaded, form)
      close(loaded)
    end
    close(model)
  end)
end

function T.signs_of_zeros_nan_and_infinities_survive_packing()
  files.with_folder(function(folder)
    local model = pruned_model()
    local weight = model:parameters()[1].param
    local n = weight:numel()
    local bytes = string.pack("<fffff", -0.0, 0 / 0, 1 / 0, -1 / 0, 1e-45) .. ("\0"):rep(4 * n - 20)
    weight:set(lac.from_bytes(bytes, weight.shape))
    local loaded = round_trip(folder, model, "packed")
    check.yes(loaded:parameters()[1].param.value:tobytes() == bytes)
    close(model, loaded)
  end)
end

function T.masks_come_back_with_their_kind_and_settings()
  files.with_folder(function(folder)
    local model = pruned_model()
    local list = model:parameters()
    local rng = lac.rng(8)
    local fixed, trained, soft
    for _, p in ipairs(list) do
      if p.param.maskable and not fixed then
        fixed = p
        local draws <close> = rng:uniform(p.param.shape, 0, 1)
        p.param:set_mask(draws:greater(0.5))
      elseif p.param.maskable and not trained then
        trained = p
        p.param:set_mask {kind = "trained", tensor = rng:normal(p.param.shape, 0, 3),
                          cfg = {draw = "forward", bypass = true}}
      elseif p.param.maskable and not soft then
        soft = p
        p.param:set_mask {kind = "soft", tensor = lac.tensor {-3.25}}
      end
    end
    local loaded = round_trip(folder, model, "masked")
    same(model, loaded, "masked")
    local masks = 0
    for i, p in ipairs(loaded:parameters()) do
      local old = list[i].param.mask
      check.equal(p.param.mask ~= nil, old ~= nil)
      if old then
        masks = masks + 1
        local got, want = p.param.mask:state(), old:state()
        check.equal(got.kind, want.kind)
        check.equal(got.cfg, want.cfg)
        check.yes(got.tensor:tobytes() == want.tensor:tobytes(), p.name)
      end
    end
    check.equal(masks, 3)
    close(model, loaded)
  end)
end

function T.float16_and_int8_stay_within_their_error_and_keep_biases_at_float16()
  files.with_folder(function(folder)
    local model = pruned_model()
    for values, bound in pairs {float16 = 1 / 2048, int8 = 1 / 254} do
      local loaded = round_trip(folder, model, "packed", values)
      for i, p in ipairs(model:parameters()) do
        local scope <close> = lac.scope()
        local off = (loaded:parameters()[i].param.value - p.param.value):abs():max():item()
        local largest = p.param.value:abs():max():item()
        check.yes(off <= largest * (p.param.maskable and bound or 1 / 2048) * 1.001, values .. " " .. p.name)
      end
      close(loaded)
    end
    close(model)
  end)
end

function T.what_packing_would_lengthen_is_kept_plain()
  local x <close> = lac.tensor {1.5}
  local bytes, form = storage.pack(x, "float32", "x")
  check.equal(form, "plain")
  check.equal(bytes, string.pack("<f", 1.5))
  local zeros <close> = lac.zeros {10, 10}
  bytes, form = storage.pack(zeros, "float32", "x")
  check.equal(form, "packed")
  check.yes(#bytes < 12)
end

function T.forms_and_values_are_checked()
  local function refuse(pattern, cfg) check.fails(pattern, storage.options, cfg) end
  refuse('there is no form of a model file "paked"; did you mean "packed"', {form = "paked"})
  refuse('there is no kind of values "double"; there are float32, float16, int8', {form = "packed", values = "double"})
  refuse("values of type float16 need the packed form; the dense form keeps float32", {values = "float16"})
  check.equal(storage.options(), {form = "dense", values = "float32"})
end

function T.a_value_that_does_not_fit_is_refused_by_its_tensor()
  files.with_folder(function(folder)
    local model = pruned_model()
    local p = model:parameters()[1]
    p.param:set(lac.zeros(p.param.shape):fill(1e6))
    check.fails("'params/" .. p.name:gsub("%.", "%%.") .. "': value 1e%+06 at element 0 does not fit float16",
      checkpoint.save, folder .. "/m.h5", {model = model, config = CONFIG, form = "packed", values = "float16"})
    check.yes(not files.exists(folder .. "/m.h5"))
    close(model)
  end)
end

-- Damage -----------------------------------------------------------------------------------------------

-- Write the parts of a packed file again, changed by edit{records =, stream =}; the checksum of the file is right.
local function forge(folder, edit)
  local parts, path = {}, folder .. "/m.h5"
  do
    local file <close> = lac.hdf5.open(path)
    parts.records, parts.stream = lac.json.decode(file:text("tensors")), file:text("packed")
    parts.tensors = nil
  end
  edit(parts)
  path = folder .. "/forged.h5"
  local file <close> = lac.hdf5.create(path)
  file:set_attr("", "format", "lacuna-model")
  file:set_attr("", "version", 2)
  file:write_text("config", lac.json.encode(CONFIG))
  file:write_text("tensors", parts.text or lac.json.encode(parts.records))
  file:write_bytes("packed", parts.stream)
  file:commit()
  return path
end

function T.lists_and_bytes_that_lie_are_refused_in_one_sentence()
  files.with_folder(function(folder)
    local model = pruned_model()
    round_trip(folder, model, "packed"):close()
    local function refuse(pattern, edit)
      local message = check.fails("forged%.h5: .*" .. pattern, checkpoint.load, forge(folder, edit))
      check.yes(not message:find("\n") and not message:find("%.lua:"), message)
    end
    checkpoint.load(forge(folder, function() end)).model:close()
    refuse("the list of tensors in it is damaged", function(p) p.text = "[1" end)
    refuse("the list of tensors in it is damaged", function(p) p.text = "3" end)
    refuse("the list of tensors in it is damaged", function(p) p.text = "[3]" end)
    refuse("gives no shape for params/", function(p) p.records[1].shape = {1.5} end)
    refuse("how many bytes params/embed.0.weight takes", function(p) p.records[1].bytes = -1 end)
    refuse("is stored as \"zip\"", function(p) p.records[1].form = "zip" end)
    refuse("expected shape %[40, 12%], got %[40, 1099511627776%]", function(p) p.records[1].shape[2] = 1 << 40 end)
    refuse("the tensor x has no place in this model", function(p) p.records[1].name = "params/x" end)
    refuse("the tensor embed.0.weight has no place in this model", function(p)
      p.records[1].name = "others/embed.0.weight"
    end)
    refuse("the tensor embed.0.weight is missing", function(p)
      p.stream = p.stream:sub(p.records[1].bytes + 1)
      table.remove(p.records, 1)
    end)
    refuse("the packed bytes end before", function(p) p.stream = p.stream:sub(1, -2) end)
    refuse("1 packed bytes belong to no tensor", function(p) p.stream = p.stream .. "x" end)
    refuse("'params/embed.0.weight': its packed bytes are damaged: their checksum is another", function(p)
      p.stream = p.stream:sub(1, 9) .. string.char(p.stream:byte(10) ~ 1) .. p.stream:sub(11)
    end)
    refuse("has %d+ bytes, which do not fit its shape", function(p) p.records[1].form = "plain" end)
    refuse("the mask of embed.0.weight: .*no kind of mask \"odd\"", function(p)
      local r = {}
      for k, v in pairs(p.records[1]) do r[k] = v end
      r.name, r.mask = "masks/embed.0.weight", "odd"
      table.insert(p.records, 2, r)
      p.stream = p.stream:sub(1, r.bytes) .. p.stream
    end)
    close(model)
  end)
end

return T
