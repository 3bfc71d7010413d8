--- A transformer that captions images: an encoder of regions, a decoder of words.
-- Vaswani et al. 2017, "Attention is all you need", with the layers normalised first; as in Tan, Chan and Chuah 2022.
-- Parameter names are those of the published checkpoints; positions are computed and have none.
--
-- models.ort and models.acort are the same with boxes. Training sees each word and each region once, without padding:
-- words come step after step, and lie caption after caption inside. Decoding keeps keys and values, see nn.decoder.
-- @module models.transformer
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local init = require "nn.init"
local ragged = require "nn.ragged"
local Decoder = require "nn.decoder"
local Dropout = require "nn.dropout"
local Embedding = require "nn.embedding"
local Encoder = require "nn.encoder"
local FeedForward = require "nn.feed_forward"
local Heads = require "nn.heads"
local Linear = require "nn.linear"
local Module = require "nn.module"
local Relu = require "nn.relu"
local Sequential = require "nn.sequential"

local Transformer = class("Transformer", Module)

Transformer.label = "models.transformer"

--- vocab: rows of the word table and of the classifier; size: of every row between; inner: of the products in a
-- layer; features: of a region; dropout: of the embedded regions; inner_dropout: of everything else; share_att_encoder
-- and share_att_decoder: "none", "kv" or "qk", see nn.heads; share_layer_encoder and share_layer_decoder: the number
-- of the layer at each place, in place of `layers`; shared_cache: see nn.decoder; activation: see nn.feed_forward.
Transformer.defaults = {
  vocab = config.optional("number"), size = 512, inner = 2048, layers = 6, heads = 8, features = 2048,
  dropout = 0.5, inner_dropout = 0.1, share_att_encoder = "none", share_att_decoder = "none",
  share_layer_encoder = config.optional("table"), share_layer_decoder = config.optional("table"), shared_cache = true,
  activation = "relu",
}

--- Settings that a recipe does not get from here, since the data or other settings decide them.
Transformer.unfilled = {"features", "layers"}

--- Why training cannot feed words that the model drew itself.
Transformer.no_sampling = "words drawn by the model itself (sampling) need a decoder that goes step by step in "
  .. "training, such as updown"

-- Settings -------------------------------------------------------------------------------------------

local MOST = {layers = 100, heads = 256} -- beyond these a file or recipe is wrong, and building would take for ever

local function check_sizes(cfg, label)
  if not cfg.vocab then error(label .. ": vocab must be given", 0) end
  for _, key in ipairs {"vocab", "size", "inner", "layers", "heads", "features"} do
    local n, most = cfg[key], MOST[key] or math.maxinteger
    if math.tointeger(n) == nil or n < 1 or n > most then
      error(("%s: %s must be a whole number %s, got %s"):format(label, key,
        most < math.maxinteger and "from 1 to " .. most or ">= 1", n), 0)
    end
  end
  if cfg.size % cfg.heads ~= 0 then
    error(("%s: size must be divisible by heads, got %d and %d"):format(label, cfg.size, cfg.heads), 0)
  end
  if cfg.size < 2 then error(label .. ": size must be at least 2, got 1", 0) end
end

local function is_one_of(value, list)
  for _, item in ipairs(list) do
    if value == item then return true end
  end
  return false
end

-- What a list of layers has beside places 1 to n: a key, or nil.
local function stray_key(list)
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > #list then return key end
  end
  for i = 1, #list do
    if list[i] == nil then return i end
  end
end

-- The number of the layer at each place.
local function layer_order(cfg, key, label)
  local given, order, known, most = cfg[key], {}, {}, -1
  if not given then
    for i = 1, cfg.layers do order[i] = i - 1 end
    return order
  end
  local function refuse(got)
    local shown = {}
    for i = 1, math.min(#given, MOST.layers) do shown[i] = tostring(given[i]) end
    error(("%s: %s must be a list of the layers 0 to n - 1 at up to %d places, such as 0, 0, 1, 1; got %s"):format(
      label, key, MOST.layers, got or #shown > 0 and table.concat(shown, ", ") or "an empty list"), 0)
  end
  local stray = stray_key(given)
  if stray ~= nil then refuse(("a table with gaps or names (at %s)"):format(tostring(stray))) end
  if #given < 1 or #given > MOST.layers then refuse() end
  for i, number in ipairs(given) do
    order[i] = math.tointeger(number)
    if not order[i] or order[i] < 0 or order[i] >= #given then refuse() end
    known[order[i]], most = true, math.max(most, order[i])
  end
  for i = 0, most do
    if not known[i] then refuse() end
  end
  return order
end

--- Refuse what a recipe says without effect: a number of layers that is not that of the lists which take its place.
-- @tparam table cfg settings as the recipe has them
-- @raise the key
function Transformer.check_recipe(cfg)
  local encoder, decoder = cfg.share_layer_encoder, cfg.share_layer_decoder
  if not (cfg.layers and encoder and decoder) or cfg.layers == #encoder or cfg.layers == #decoder then return end
  error(("model.layers is %s, but it has no effect where share_layer_encoder and share_layer_decoder list the layers, "
    .. "here %d and %d"):format(cfg.layers, #encoder, #decoder), 0)
end

--- The settings of a model, checked.
-- @tparam table cfg over the class's defaults
-- @treturn table
function Transformer:settings(cfg)
  cfg = config.merge(self.defaults, cfg, self.label)
  check_sizes(cfg, self.label)
  for _, side in ipairs {"encoder", "decoder"} do
    Heads.check_sharing(cfg["share_att_" .. side], ("%s: share_att_%s"):format(self.label, side))
  end
  if not is_one_of(cfg.activation, FeedForward.ACTIVATIONS) then
    error(('%s: activation must be "%s", got "%s"'):format(self.label,
      table.concat(FeedForward.ACTIVATIONS, '" or "'), cfg.activation), 0)
  end
  for _, key in ipairs {"dropout", "inner_dropout"} do Dropout.check(cfg[key], self.label .. ": " .. key) end
  return cfg
end

-- Parts ----------------------------------------------------------------------------------------------

--- The part that embeds regions.
-- @tparam table cfg settings
-- @tparam[opt] function start of the weights, see nn.init
function Transformer.region_embedding(cfg, start)
  return Sequential {Linear {inputs = cfg.features, outputs = cfg.size, start = start}, Relu(), Dropout(cfg.dropout)}
end

--- Add encoder, decoder, word table and classifier to a module.
-- @tparam nn.Module core
-- @tparam table cfg settings
-- @tparam table more geometry: as for nn.heads; source: a part to be added between decoder and word table
function Transformer:add_body(core, cfg, more)
  local function sizes(side)
    return {size = cfg.size, inner = cfg.inner, heads = cfg.heads, dropout = cfg.inner_dropout,
            share = cfg["share_att_" .. side], order = layer_order(cfg, "share_layer_" .. side, self.label),
            shared_cache = cfg.shared_cache, activation = cfg.activation,
            geometry = side == "encoder" and more.geometry or nil}
  end
  self.cfg = cfg
  self.region_encoder = core:add("encoder", Encoder(sizes "encoder"))
  self.decoder = core:add("decoder", Decoder(sizes "decoder"))
  if more.source then core:add("src_embed", more.source) end
  local words = core:add("tgt_embed", Module())
  self.table = words:add("0", Module()):add("lut",
    Embedding {count = cfg.vocab, size = cfg.size, start = init.xavier()})
  self.word_dropout = words:add("dropout", Dropout(cfg.inner_dropout))
  self.classifier = core:add("generator", Module()):add("proj",
    Linear {inputs = cfg.size, outputs = cfg.vocab, start = init.xavier()})
end

function Transformer:init(cfg)
  Module.init(self)
  cfg = self:settings(cfg)
  self.region_embed = Transformer.region_embedding(cfg, init.xavier())
  self:add_body(self:add("core", Module()), cfg, {source = self.region_embed})
end

-- Costs ----------------------------------------------------------------------------------------------

-- How many places of a stack use the layer that has its parameters at `index`.
local function count_places(stack, index)
  local count, layer = 0, stack.places[index + 1]
  for _, other in ipairs(stack.places) do
    if other == layer then count = count + 1 end
  end
  return count
end

-- How often a weight of attention over the regions is multiplied: at each place for words, once for regions.
local function source_uses(roles, linear, places, image)
  local uses, seen = 0, roles.key == linear or roles.value == linear
  if roles.query == linear or roles.output == linear then uses = places * image.words end
  return uses + (seen and image.regions or 0)
end

--- How often each weight of a parameter is multiplied for one image with one caption. Keys and values of the regions
-- are made once for an image and layer, and a projection that is key and value at once is multiplied once.
-- @tparam string name of a parameter
-- @tparam table image regions; words, steps of the decoder, the one that ends the caption included
-- @treturn number 0 for what is added, and for tables
function Transformer:uses(name, image)
  local part, kind = name:match("^(.*)%.([^.]+)$")
  if kind ~= "weight" or part:find("lut$") then return 0 end
  if part:find("proj$") then return image.words end
  local side, index, inner = part:match("%.(%a+)%.layers%.(%d+)%.(.+)$")
  if not side then return image.regions end
  local places = count_places(side == "encoder" and self.region_encoder or self.decoder, tonumber(index))
  local linear = inner:match("^src_attn%.linears%.(%d+)$")
  if linear then
    return source_uses(Heads.SHARING[self.cfg.share_att_decoder], tonumber(linear) + 1, places, image)
  end
  if inner:find("%.WGs%.") then return image.regions ^ 2 end -- once for all places
  return places * (side == "encoder" and image.regions or image.words)
end

-- Images ---------------------------------------------------------------------------------------------

--- What the encoder knows of how boxes lie to each other; nothing here.
-- @tparam table _ batch
function Transformer.relations(_)
  return nil
end

--- Encode the images, once however many captions each has.
-- @tparam table batch as for nn.ragged.regions
-- @treturn table what the steps look at
function Transformer:encode(batch)
  local good, rows, lie = pcall(ragged.regions, batch)
  if not good then error(self.label .. ": " .. rows, 0) end
  local relations = self:relations(batch)
  local embedded = self.region_embed(rows)
  local segments <close> = lac.segments(lie.queries, lie.keys)
  local encoded = self.region_encoder(embedded, segments, relations)
  return {images = batch.att:shape(1), embedded = embedded, encoded = encoded, regions = lie.keys,
          sources = self.decoder:sources(encoded)}
end

-- Training -------------------------------------------------------------------------------------------

-- The regions that each of `rows` captions sees. `owners`: the image of each, from 0; else those of an image lie
-- together.
local function seen_regions(regions, rows, owners)
  local seen = {}
  for r = 1, rows do seen[r] = regions[owners and owners[r] + 1 or (r - 1) * #regions // rows + 1] end
  return seen
end

--- Teacher forcing: the scores of every next word.
-- @tparam table batch as for encode, and either
--
-- * words: i32 [steps, captions] (time first), the ids fed at each step; the captions of an image lie together, each
--   image has as many
-- * or, captions in the order of their lengths, longest first: counts, how many there are at each step; words: i32
--   [sum of counts], step after step; owners: i32 [captions], the image of each, from 0, and maybe owner_list, the
--   same as a list, for which the device need not be waited for
--
-- and maybe seen, what encode gave for these images
-- @treturn tensor logits [words, vocab], step after step
function Transformer:forward(batch)
  if (batch.sampling or 0) ~= 0 then error(self.label .. ": " .. self.no_sampling, 0) end
  local held <close> = self:hold {once = true}
  local seen = ragged.seen(self, batch)
  local counts, words = ragged.steps(batch)
  local captions = ragged.by_caption(counts)
  local x = lac.embedding(self.table(words), captions.order):scale(self.cfg.size ^ 0.5)
  x = self.word_dropout(x + lac.embedding(lac.positions(#counts, self.cfg.size), captions.places))
  local owners = batch.owner_list or batch.owners and batch.owners:totable()
  local own <close> = lac.segments(captions.queries, captions.keys)
  local regions <close> = lac.segments(captions.queries, seen_regions(seen.regions, counts[1], owners))
  x = self.decoder(x, own, seen.sources, regions)
  return self.classifier(lac.embedding(x, captions.back))
end

-- Decoding -------------------------------------------------------------------------------------------

local STEPS = 32 -- positions computed ahead

-- Segments of one query per row of a decoding session; `owners` as in seen_regions.
local function session_segments(regions, rows, owners)
  local queries = {}
  for r = 0, rows do queries[r + 1] = r end
  return lac.segments(queries, seen_regions(regions, rows, owners))
end

--- Begin decoding, `each` captions per image at once.
-- @tparam table seen from encode
-- @tparam integer each
-- @treturn table a session for step; close it with session:close()
-- @treturn table the state before the first step; those after have rows first, like every state of train.beam
function Transformer:begin(seen, each)
  local held = self:hold()
  held:prepare(self.decoder)
  held:prepare(self.classifier)
  local session = {
    sources = seen.sources, regions = seen.regions, places = lac.positions(STEPS, self.cfg.size),
    seen = session_segments(seen.regions, seen.images * each),
  }
  function session.close()
    session.seen:close()
    held:close()
  end
  return session, {}
end

--- Go on with some of a session's rows; see models.updown.
function Transformer.narrow(_, session, _, owners)
  session.seen:close()
  session.seen = session_segments(session.regions, #owners, owners)
end

--- One step of decoding.
-- @tparam table session from begin
-- @tparam table state from begin or the step before
-- @tparam tensor words i32 [rows]
-- @treturn tensor logits [rows, vocab]
-- @treturn table the new state
function Transformer:step(session, state, words)
  local steps = self.decoder:steps(state)
  local places = steps < STEPS and session.places or lac.positions(steps + 1, self.cfg.size)
  local x = self.word_dropout(self.table(words):scale(self.cfg.size ^ 0.5) + places:slice(1, steps + 1, 1))
  local caches
  x, caches = self.decoder:step(x, state, session.sources, session.seen)
  return self.classifier(x), caches
end

return Transformer
