--- Which model the tensors of a published checkpoint are, and of which sizes: read off the tensors, since they are what
-- has to fit. The published settings say only what tensors cannot.
-- @module train.published_models
local lac = require "lac"
local published_encoders = require "train.published_encoders"

local published_models = {}

local function fail(path, text, ...)
  error(path .. ": " .. text:format(...), 0)
end

local function sizes(tensors, name, path, kind)
  local x = tensors[name]
  if not x then fail(path, "the tensor %s is missing, so this is no %s model", name, kind) end
  if #x:shape() ~= 2 then fail(path, "the tensor %s has %d dimensions in place of 2", name, #x:shape()) end
  return x:shape(1), x:shape(2)
end

local function updown(tensors, config, path)
  local function of(name) return sizes(tensors, name, path, "Up-Down") end
  local count, embed = of "embed.0.weight"
  local hidden, fc_features = of "fc_embed.0.weight"
  local attention = of "ctx2att.weight"
  local _, features = of "att_embed.0.weight"
  local layers = 1
  while tensors[("logit.%d.weight"):format(3 * (layers - 1))] do layers = layers + 1 end
  return {name = "updown", vocab = count, embed = embed, hidden = hidden, attention = attention,
          features = features, fc_features = fc_features, logit_layers = math.max(layers - 1, 1),
          dropout = config.drop_prob_lm or 0.5}
end

-- Transformers ---------------------------------------------------------------------------------------

-- How many tensors a pattern with the number has, from 0.
local function count(tensors, pattern)
  local n = 0
  while tensors[pattern:format(n)] do n = n + 1 end
  return n
end

local function is_pruned(config)
  return tostring(config.caption_model or ""):find "_prune$" ~= nil
end

-- What attention shares on a side, which three projections leave open.
local function sharing(tensors, side, config, path)
  local linears = count(tensors, side.prefix .. ".layers.0.self_attn.linears.%d.weight")
  local said = config["share_att_" .. side.name] or "none"
  if linears == 4 and said ~= "none" and not is_pruned(config) then -- the published class that prunes shares nothing
    fail(path, "%s.layers.0.self_attn has four projections, but share_att_%s = \"%s\" makes them three",
      side.prefix, side.name, said)
  end
  if linears == 4 then return "none" end
  if linears == 3 and said ~= "none" then return said end
  if linears == 3 then
    fail(path, "three projections in %s.layers.0.self_attn are those of keys that are values (kv), or of queries that "
      .. "are keys (qk), which tensors do not tell; --config FILE with share_att_%s does", side.prefix, side.name)
  end
  fail(path, "%s.layers.0.self_attn has %d projections, not 4 or 3", side.prefix, linears)
end

-- Tensors by layer: index -> list of the ends of names.
local function layer_names(tensors, prefix)
  local layers, most = {}, -1
  for name in pairs(tensors) do
    if name:sub(1, #prefix) == prefix then
      local index, rest = name:sub(#prefix + 1):match("^%.layers%.(%d%d?)%.(.+)$")
      if index and index == tostring(tonumber(index)) then
        index = tonumber(index)
        layers[index], most = layers[index] or {}, math.max(most, index)
        table.insert(layers[index], rest)
      end
    end
  end
  return layers, most + 1
end

-- Whether two layers hold the same numbers under the same names.
local function same_layer(tensors, prefix, names, a, b)
  for _, rest in ipairs(names) do
    local x = tensors[("%s.layers.%d.%s"):format(prefix, a, rest)]
    local y = tensors[("%s.layers.%d.%s"):format(prefix, b, rest)]
    if not y or x:numel() ~= y:numel() or x:tobytes() ~= y:tobytes() then return false end
  end
  return true
end

-- The settings say "(0, 0, 1, 1)" or hold a list; nil where they say nothing.
local function said_order(value)
  if type(value) == "table" then return #value > 0 and value or nil end
  local order = {}
  for number in tostring(value or ""):gmatch("%d+") do order[#order + 1] = math.tointeger(number) end
  return #order > 0 and order or nil
end

-- The number of the layer at each place where layers are used more than once, else nil. Their further names go.
local function layer_order(tensors, side, config, path)
  local layers, places = layer_names(tensors, side.prefix)
  local said = said_order(config["share_layer_" .. side.name])
  local order, first, distinct = {}, {}, 0
  for i = 0, (said and #said or places) - 1 do
    local like
    for j in pairs(first) do -- places that came first
      local same = said and said[j + 1] == said[i + 1]
      if same == nil then same = layers[i] and same_layer(tensors, side.prefix, layers[j], j, i) end
      if same then like = j end
    end
    if not like and not layers[i] then fail(path, "there are no tensors of %s.layers.%d", side.prefix, i) end
    if not like then first[i], distinct = distinct, distinct + 1 end
    if like and layers[i] and not same_layer(tensors, side.prefix, layers[like], like, i) then
      fail(path, "%s.layers.%d should be %s.layers.%d once more, but holds other numbers", side.prefix, i, side.prefix,
        like)
    end
    order[i + 1] = first[like or i]
    for _, rest in ipairs(like and layers[i] or {}) do
      local name = ("%s.layers.%d.%s"):format(side.prefix, i, rest)
      tensors[name]:close()
      tensors[name] = nil
    end
  end
  return distinct < #order and order or nil, #order
end

-- The sines and cosines of positions are computed here: those of the file must be these, and go.
local function drop_positions(tensors, name, size, path)
  local stored = tensors[name]
  if not stored then return end
  local scope <close> = lac.scope() -- luacheck: ignore 211
  local steps = stored:numel() // size
  if steps < 1 or steps * size ~= stored:numel() or steps > 1 << 20 then
    fail(path, "the positions in %s do not fit a model of size %d", name, size)
  end
  local off = (stored:reshape(steps, size) - lac.positions(steps, size)):abs():max():item()
  if not (off < 0.01) then -- luacheck: ignore 581 (NaN); float32 angles of thousands are this uncertain
    fail(path, "the positions in %s are not the sines and cosines that this model computes (off by %g)", name, off)
  end
  stored:close()
  tensors[name] = nil
end

-- Both transformers: what lies under `core`, and the tensor that embeds regions.
local function transformer(tensors, config, path, core, source)
  local vocab, size = sizes(tensors, core .. ".tgt_embed.0.lut.weight", path, "transformer")
  local _, features = sizes(tensors, source, path, "transformer")
  local inner = sizes(tensors, core .. ".decoder.layers.0.feed_forward.w_1.weight", path, "transformer")
  local own = {vocab = vocab, size = size, inner = inner, features = features, dropout = config.drop_prob_src or 0.5,
               inner_dropout = is_pruned(config) and 0.1 / 3 or 0.1}
  for _, name in ipairs {"encoder", "decoder"} do
    local side = {name = name, prefix = core .. "." .. name}
    own["share_att_" .. name] = sharing(tensors, side, config, path)
    own["share_layer_" .. name], own[name] = layer_order(tensors, side, config, path)
    if own["share_layer_" .. name] == nil and own[name] ~= own.encoder then -- the one number of layers is the encoder's
      own.share_layer_decoder = {}
      for i = 1, own.decoder do own.share_layer_decoder[i] = i - 1 end
    end
  end
  own.layers, own.encoder, own.decoder = own.encoder, nil, nil
  drop_positions(tensors, core .. ".tgt_embed.1.pe", size, path)
  return own
end

local function ort(tensors, config, path)
  local own = transformer(tensors, config, path, "model", "att_embed.0.weight")
  local geometry = "model.encoder.layers.0.self_attn.WGs.%d.weight"
  own.name, own.heads = "ort", count(tensors, geometry)
  local _, numbers = sizes(tensors, geometry:format(0), path, "Object Relation Transformer")
  if numbers ~= 64 and numbers ~= 4 then
    fail(path, "%s has %d numbers for two boxes, not 64 or 4", geometry:format(0), numbers)
  end
  own.trigonometric = numbers == 64
  return own
end

local function plain(tensors, config, path)
  local own = transformer(tensors, config, path, "core", "core.src_embed.0.weight")
  own.name, own.heads = "transformer", config.num_heads or 8 -- which no tensor tells; the published program's default
  return own
end

-- Soft-Attention, whose tensors train.published_variables has given our names.
local function soft_attention(tensors, config, path)
  local function of(name) return sizes(tensors, name, path, "Soft-Attention") end
  local vocab, embed = of "embed.weight"
  local hidden, fc_features = of "start.weight"
  local attention, features = of "keys.weight"
  return {name = "softattention", vocab = vocab, embed = embed, hidden = hidden, attention = attention,
          features = features, fc_features = fc_features, cell = tensors["cell.candidate.weight"] and "gru" or "lstm",
          dropout = config.masked and 0.11 or 0.35, attention_dropout = config.masked and 0.03 or 0.1}
end

-- The models: the tensor that tells one, beginnings of names that it alone has, and what the settings call it.
local KINDS = {
  {read = ort, what = "an Object Relation Transformer", key = "model.tgt_embed.0.lut.weight", starts = {"model."},
   called = "^relation_transformer"},
  {read = plain, what = "a transformer", key = "core.tgt_embed.0.lut.weight", called = "^transformer",
   starts = {"core.encoder.", "core.decoder.", "core.src_embed.", "core.tgt_embed.", "core.generator."}},
  {read = soft_attention, what = "a Soft-Attention", key = "attention.h2att.weight", called = "^soft_attention",
   starts = {"keys.", "cell."}},
  {read = updown, what = "an Up-Down", key = "embed.0.weight", called = "^up_down_lstm",
   starts = {"core.att_lstm.", "core.lang_lstm.", "core.attention.", "fc_embed.", "ctx2att.", "logit."}},
}

local function has_any(tensors, starts)
  for name in pairs(tensors) do
    for _, start in ipairs(starts) do
      if name:sub(1, #start) == start then return true end
    end
  end
  return false
end

-- An incomplete file is told by what else is in it, so that what is missing can be named.
local function kind_of(tensors, config, path)
  local signs = {
    function(kind) return tensors[kind.key] ~= nil end,
    function(kind) return has_any(tensors, kind.starts) end,
    function(kind) return tostring(config.caption_model or ""):find(kind.called) ~= nil end,
  }
  for _, sign in ipairs(signs) do
    for _, kind in ipairs(KINDS) do
      if sign(kind) then return kind end
    end
  end
  local keys = {}
  for _, kinds in ipairs {KINDS, published_encoders.SIGNS} do
    for _, kind in ipairs(kinds) do keys[#keys + 1] = ("%s would be in %s"):format(kind.key, kind.what) end
  end
  fail(path, "no known model's tensors are in it; %s", table.concat(keys, ", "))
end

--- The configuration of the model that tensors belong to. What a model has no place for (further names of shared
-- layers, positions) is closed and taken out.
-- @tparam table tensors name -> tensor
-- @tparam table config the published program's settings, may be empty
-- @tparam string path quoted in messages
-- @treturn table name and the model's own keys
-- @raise what is missing or does not fit
function published_models.read(tensors, config, path)
  return kind_of(tensors, config, path).read(tensors, config, path)
end

return published_models
