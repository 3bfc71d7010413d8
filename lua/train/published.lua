--- Published checkpoints of the reference programs -> configuration, vocabulary and parameters of ours.
-- Tan, Chan and Chuah 2022; the files as their PyTorch program wrote them, or the variables of their TensorFlow program
-- in a file of arrays.
--
-- A source is the published zip, the unpacked folder, or a bare .pth, .safetensors, .npz or HDF5 file. PyTorch's
-- parameter names are ours already, variables are renamed (train.published_variables); train.published_models finds out
-- which model it is. Weights of an encoder of pictures are told from those of captioning models by their names
-- (train.published_encoders); NAME.json is the description of an 8-bit encoder (train.tflite). What lacuna export made
-- of a model comes back with the settings that it wrote beside it.
-- @module train.published
local lac = require "lac"
local checkpoint = require "train.checkpoint"
local disk = require "core.disk"
local plural = require "core.plural"
local sorted_keys = require "core.keys"
local Dropout = require "nn.dropout"
local Heads = require "nn.heads"
local published_encoders = require "train.published_encoders"
local published_models = require "train.published_models"
local published_variables = require "train.published_variables"
local tflite = require "train.tflite"
local tokenizer = require "data.tokenizer"

local published = {}

-- Best first: pruned weights are what was published, masks and full weights what training left.
local WEIGHTS = {"model_best_pruned_sparse.pth", "model_best_pruned.pth", "model_best_bin_mask.pth",
                 "model_best.pth", "model_last.pth"}

local LENGTH = 18 -- tokens of a caption at most, where neither settings nor a tokenizer say

local MASK = "_pruning_mask"

-- By the name that config.json has, the files with a tokenizer's pieces, best first: .model has all digits of scores.
local TOKENIZERS = {
  word = {"tokenizer/word.vocab", "tokenizer/word.model"},
  radix = {"tokenizer/word.vocab", "tokenizer/word.model", "tokenizer/radix.vocab", "tokenizer/radix.model"},
  character = {"tokenizer/character.model", "tokenizer/char.model"},
  bpe = {"tokenizer/bpe.model"},
  unigram = {"tokenizer/unigram.model"},
}

-- What is taken from an archive beside the weights.
local WANTED = {"config.json"}
for _, names in pairs(TOKENIZERS) do table.move(names, 1, #names, #WANTED + 1, WANTED) end

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local function read_file(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local bytes, failed = file:read("a")
  file:close()
  if not bytes then return nil, path .. ": " .. failed end
  return bytes
end

-- A source is {path, read = function(name) -> bytes or nil}.
local function folder_source(path)
  return {path = path, read = function(name) return (read_file(path .. "/" .. name)) end}
end

local function zip_source(path, zip)
  local entries = {}
  for _, name in ipairs(zip:names()) do
    for _, tail in ipairs {name, name:match("/(.+)$")} do entries[tail] = entries[tail] or name end
  end
  return {path = path, read = function(name) return entries[name] and zip:read(entries[name]) end}
end

local function any_entry(zip, ...)
  for _, name in ipairs(zip:names()) do
    for _, pattern in ipairs {...} do
      if name:find(pattern) then return true end
    end
  end
  return false
end

local function read_hdf5(path)
  local tensors, file <close> = {}, lac.hdf5.open(path)
  if file:attr("", "format") == "lacuna-model" then fail(path, "it is a model file already, so nothing to import") end
  for _, name in ipairs(file:names()) do tensors[name] = file:read(name) end
  return tensors
end

-- Parameters of the best weights a source has.
local function read_weights(source)
  for _, name in ipairs(WEIGHTS) do
    local bytes = source.read(name)
    if bytes then return lac.pth.parse(bytes, source.path .. " (" .. name .. ")"), name end
  end
  fail(source.path, "there is no model in it (looked for %s)", table.concat(WEIGHTS, ", "))
end

-- The numbers of an HDF5 file that is none of ours.
local function read_parts(path)
  if disk.is_folder(path) then
    local source = folder_source(path)
    return read_weights(source), source
  end
  local head, why = io.open(path, "rb")
  if not head then error("cannot open " .. why, 0) end
  local magic = head:read(9) or ""
  head:close()
  if magic:sub(1, 4) == "PK\3\4" then
    local zip <close> = lac.zip.open(path)
    if any_entry(zip, "/data%.pkl$", "^data%.pkl$") then return (lac.pth.read(path)) end
    if any_entry(zip, "%.npy$") then return (lac.npz.read(path)) end
    local source = zip_source(path, zip)
    local tensors = read_weights(source)
    local files = {} -- the archive is closed on return, so take what may be wanted
    for _, name in ipairs(WANTED) do files[name] = source.read(name) end
    return tensors, {path = path, read = function(name) return files[name] end}
  end
  if disk.is_hdf5(path) then return read_hdf5(path) end
  if magic:sub(9, 9) == "{" then return (lac.safetensors.read(path)) end
  return (lac.pth.read(path))
end

-- Wrappings that training programs put around the names of all weights of a network.
local WRAPPINGS = {"state_dict.", "module."}

-- The tensors by their names without wrappings, where all that go by one are weights of one network.
local function unwrap(tensors)
  for _, wrapping in ipairs(WRAPPINGS) do
    local bare, wrapped = {}, next(tensors) ~= nil
    for name, x in pairs(tensors) do
      wrapped = wrapped and name:sub(1, #wrapping) == wrapping
      bare[name:sub(#wrapping + 1)] = x
    end
    if wrapped then tensors = bare end
  end
  return tensors
end

-- All that is in these files is weights, also where a mask or a position is not looked at until later.
local function check_types(tensors, path)
  for _, name in ipairs(sorted_keys(tensors)) do
    local dtype = tensors[name]:dtype()
    local counter = name:find("num_batches_tracked$") -- of networks that are refused by name later
    if dtype ~= "f32" and not counter then
      fail(path, "the tensor %s holds numbers of the type %s, not f32", name, dtype)
    end
  end
end

-- Masks are folded into the weights they belong to: W := round(sigmoid(M)) W for trained logits, M W for
-- masks of zeros and ones (reference program, finalisation).
local function fold_masks(tensors, prune_type, path)
  for name, mask in pairs(tensors) do
    if name:sub(-#MASK) == MASK then
      local weight = tensors[name:sub(1, -#MASK - 1)]
      if not weight then fail(path, "the mask %s belongs to no tensor", name) end
      local scope <close> = lac.scope()
      local keep = mask
      if prune_type == "supermask" then keep = mask:sigmoid():greater(0.5) end
      tensors[name:sub(1, -#MASK - 1)] = scope:keep(weight * keep + 0) -- a dropped weight is 0, not -0
      weight:close()
    end
  end
  for name, mask in pairs(tensors) do
    if name:sub(-#MASK) == MASK then
      mask:close()
      tensors[name] = nil
    end
  end
end

local CAPTION_MODELS = {"relation_transformer", "relation_transformer_prune", "transformer", "up_down_lstm",
                        "up_down_lstm_prune"}

local function is_known(name)
  for _, known in ipairs(CAPTION_MODELS) do
    if name == known then return true end
  end
  return false
end

-- What would be found out late, or not at all.
local function check_settings(config, where)
  local good, message = pcall(function()
    for _, key in ipairs {"share_att_encoder", "share_att_decoder"} do
      if config[key] ~= nil then Heads.check_sharing(config[key], key) end
    end
    for _, key in ipairs {"drop_prob_src", "drop_prob_lm"} do
      if config[key] ~= nil then Dropout.check(config[key], key) end
    end
  end)
  if not good then fail(where, "%s", message) end
end

-- The settings that lacuna export wrote beside its tensors, nil where `file` holds others.
local function own_config(file)
  local text = file and read_file(file)
  local good, config = pcall(lac.json.decode, text or "")
  if not good or type(config) ~= "table" or type(config.model) ~= "table" then return nil end
  return checkpoint.parse_config(text, file, "any")
end

-- The settings of the program that wrote the file: `file` or, without it, the source's config.json.
local function read_config(source, file)
  local text, where = source and source.read("config.json"), source and source.path
  if file then
    local why
    text, why = read_file(file)
    if not text then error("cannot open " .. why, 0) end
    where = file
  end
  if not text then return {} end
  local good, config = pcall(lac.json.decode, text)
  if not good or type(config) ~= "table" then
    fail(where, "%s is not readable: %s", file and "it" or "config.json", tostring(config))
  end
  for key, value in pairs(config) do
    if value == lac.json.null then config[key] = nil end
  end
  if config.caption_model and not is_known(config.caption_model) then
    fail(where, 'its model "%s" is not known here; there are %s', tostring(config.caption_model),
      table.concat(CAPTION_MODELS, ", "))
  end
  check_settings(config, where)
  return config
end

-- The bytes of a tokenizer's file: `file` or, without it, the first that the source has.
local function read_tokenizer(source, file, names)
  if file then
    local bytes, why = read_file(file)
    return bytes or error("cannot open " .. why, 0)
  end
  for _, name in ipairs(source and names or {}) do
    local bytes = source.read(name)
    if bytes then return bytes end
  end
end

-- The tokenizer, which has `most` words at most; nil where there is none.
local function read_vocab(source, path, file, config, most)
  local kind = config.tokenizer or "word"
  if not TOKENIZERS[kind] then
    fail(path, 'its tokenizer "%s" is not known here; there are word, radix, character, bpe, unigram', tostring(kind))
  end
  local bytes = read_tokenizer(source, file, TOKENIZERS[kind])
  if not bytes then return nil end
  local good, words = pcall(function()
    local found = tokenizer.read(bytes)
    if kind ~= "radix" or found.kind == "radix" then return found end
    return tokenizer.digits(found, config.radix_base)
  end)
  if not good then
    fail(file or path, "the vocabulary is not readable: %s", tostring(words):gsub("^.-:%d+: ", ""):gsub("[^%g ]", "?"))
  end
  if words:size() > most then
    fail(path, "the vocabulary has %s, but the model only %d", words:describe(), most)
  end
  return words
end

-- Tokens at most in decoding, where the published programs differ.
local USUAL_LENGTH = {softattention = 30}

-- What the reader says of an encoder's pictures over what the file says.
local function take_view(cfg, options, path)
  for _, key in ipairs {"input", "size"} do
    if options[key] and type(cfg) ~= "table" then
      fail(path, "what it becomes has no encoder of pictures, for which --%s is meant", key)
    end
    if options[key] then cfg[key] = options[key] end
  end
end

-- What would give no features, or only wrong ones.
local function check_encoder(tensors, path)
  check_types(tensors, path)
  for _, name in ipairs(sorted_keys(tensors)) do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local x = tensors[name]
    if x:numel() > 0 and (x * 0):sum():item() ~= 0 then -- NaN
      fail(path, "the tensor %s holds numbers that are not finite", name)
    end
    if name:find("running_var$") and -(x:scale(-1):max():item()) < 0 then
      fail(path, "the tensor %s, of variances, holds numbers below 0", name)
    end
  end
end

-- An encoder alone.
local function encoder_of(tensors, cfg, left, options, path)
  for _, key in ipairs {"vocab", "length"} do
    if options[key] then fail(path, "this is an encoder of pictures, for which --%s means nothing", key) end
  end
  take_view(cfg, options, path)
  check_encoder(tensors, path)
  return {tensors = tensors, config = {kind = "encoder", model = cfg}, left = left}
end

-- Put the encoder in front of the model whose decoder was trained with it, if they fit. What is not taken is closed.
local function put_in_front(model, tensors, variables, options, path)
  local count = #sorted_keys(variables)
  if count == 0 then return {} end
  local cfg, left = published_encoders.read(variables, path)
  if not cfg then
    for _, x in pairs(variables) do x:close() end
    return {plural(count, "variable") .. " of an image encoder that this program does not know"}
  end
  published_encoders.drop_classifier(variables, cfg, left)
  check_encoder(variables, path)
  local encoder = checkpoint.encoder(cfg, path)
  if encoder.features ~= model.features or encoder.fc_features ~= model.fc_features then
    for _, x in pairs(variables) do x:close() end
    return {("the image encoder, %s: it gives %d features per position and %d per image, but this decoder looks at "
      .. "%d and %d"):format(cfg.name, encoder.features, encoder.fc_features, model.features, model.fc_features)}
  end
  take_view(cfg, options, path)
  for name, x in pairs(variables) do tensors["encoder." .. name] = x end
  model.encoder = cfg
  return left
end

-- The variables of the TensorFlow program as model and tensors, and what was left out.
local function soft_attention(variables, config, options, path)
  local tensors, masked, others = published_variables.convert(variables, path)
  config.masked = masked
  check_types(tensors, path)
  local model = published_models.read(tensors, config, path)
  local left = put_in_front(model, tensors, variables, options, path)
  if others > 0 then left[#left + 1] = plural(others, "variable") .. " of the optimiser" end
  return model, tensors, left
end

-- Names as they are in programs: some writers of variables put the number of an operation's result behind them.
local function plain_names(tensors)
  local out = {}
  for name, x in pairs(tensors) do out[name:gsub(":0$", "")] = x end
  return out
end

-- A file that lacuna export wrote beside a .safetensors, if it is there.
local function beside(path, ending)
  local file, count = path:gsub("%.safetensors$", ending)
  return count == 1 and disk.exists(file) and file or nil
end

-- The tensors and settings that lacuna export wrote; `from` is the file with these.
local function exported(tensors, config, from, options, path)
  if config.kind == "encoder" then return encoder_of(tensors, config.model, {}, options, path) end
  take_view(config.model.encoder, options, path)
  check_types(tensors, path)
  config.decode.length = options.length or config.decode.length
  local most = config.model.vocab
  if math.type(most) ~= "integer" then fail(from, "model.vocab must be a whole number") end
  local words = read_vocab(nil, path, options.vocab or beside(path, ".vocab"), {}, most)
  return {tensors = tensors, config = config, vocab = words}
end

-- A captioning model of the published programs.
local function captioning(tensors, source, options, path)
  for _, name in ipairs(sorted_keys(tensors)) do
    if name:find "^encoder%.[^.]+%." then -- our export; no published model has such names
      fail(path, "%s is of an encoder in front of a captioning model, whose settings (pictures' size and input) are in "
        .. "the .json file that lacuna export wrote beside this one; --config FILE reads it", name)
    end
  end
  local config, left = read_config(source, options.config), {}
  local model
  if published_variables.are(tensors, path) then
    model, tensors, left = soft_attention(tensors, config, options, path)
  else
    check_types(tensors, path)
    fold_masks(tensors, config.prune_type, path)
    model = published_models.read(tensors, config, path)
  end
  if not model.encoder then take_view(nil, options, path) end
  local words = read_vocab(source, path, options.vocab, config, model.vocab)
  local length = options.length or config.max_seq_length or USUAL_LENGTH[model.name] or words and words.usual_length
    or LENGTH
  if math.tointeger(length) == nil or length < 1 or length > 1000 then
    fail(path, "max_seq_length must be a whole number from 1 to 1000, got %s", tostring(length))
  end
  return {tensors = tensors, config = {model = model, decode = {length = length}}, vocab = words, left = left}
end

--- Read a published checkpoint.
-- @tparam string path zip, folder, .pth, .safetensors, .npz, .h5 or .json
-- @tparam[opt] table options vocab: the tokenizer's .vocab or .model; config: a config.json, or the settings that
-- lacuna export wrote beside a .safetensors; length: tokens at most in decoding; of an encoder, input and size: see
-- models.encoders.base
-- @treturn table tensors (name -> tensor), config ({model, decode}, or {kind = "encoder", model}), vocab (or nil),
-- left: a list of what was left out; settings: the file that lacuna export wrote them into, which is found beside a
-- .safetensors of that name, as is the tokenizer
-- @raise one sentence that names the file and what is wrong with it
function published.read(path, options)
  options = options or {}
  if path:find("%.json$") then
    local found, cfg = tflite.read(path)
    return encoder_of(found, cfg, {}, options, path)
  end
  if path:find("%.tflite$") then
    fail(path, "such a file is read with its description, %s", path:match("([^/]*)%.tflite$") .. ".json")
  end
  local from = options.config or beside(path, ".json")
  local own = own_config(from)
  local tensors, source = read_parts(path)
  tensors = unwrap(plain_names(tensors))
  if own then
    local found = exported(tensors, own, from, options, path)
    found.settings = from
    return found
  end
  if not published_variables.are(tensors, path) then
    local cfg, left = published_encoders.read(tensors, path)
    if cfg and options.config then
      fail(path, "this is an encoder of pictures, for which --config is nothing but the .json file that lacuna export "
        .. "wrote beside it, and %s is none", options.config)
    end
    if cfg then return encoder_of(tensors, cfg, left, options, path) end
  end
  return captioning(tensors, source, options, path)
end

return published
