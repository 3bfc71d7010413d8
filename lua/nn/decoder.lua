--- The decoder of a transformer: rows that see those before them in their caption, and what an encoder gives.
--
-- Step by step it keeps the keys and values of the steps before. Layers that are used at several places keep one such
-- cache for all of them where the published program's behaviour is wanted (`shared_cache`): the rows of a place are
-- then seen at the next ones too, which teacher forcing does not do. With a cache per place both agree.
-- Vaswani et al. 2017, "Attention is all you need", section 3.1; names as in the published checkpoints.
-- @module nn.decoder
local lac = require "lac"
local class = require "core.class"
local layers = require "nn.layers"
local FeedForward = require "nn.feed_forward"
local Heads = require "nn.heads"
local LayerNorm = require "nn.layer_norm"
local Module = require "nn.module"
local Residual = require "nn.residual"

local Layer = class("DecoderLayer", Module)

function Layer:init(cfg)
  Module.init(self)
  self.self_attn = self:add("self_attn", Heads(cfg))
  self.src_attn = self:add("src_attn", Heads(cfg))
  self.feed_forward = self:add("feed_forward", FeedForward(cfg))
  local around = self:add("sublayer", Module())
  self.around_self, self.around_source = around:add("0", Residual(cfg)), around:add("1", Residual(cfg))
  self.around_products = around:add("2", Residual(cfg))
end

-- What the rows see of the encoder, and the products after it.
function Layer:finish(x, source, seen)
  x = self.around_source(x, function(rows)
    return self.src_attn:look(self.src_attn.query(rows), source.keys, source.values, {segments = seen})
  end)
  return self.around_products(x, self.feed_forward)
end

function Layer:forward(x, own, source, seen)
  return self:finish(self.around_self(x, self.self_attn, {segments = own, causal = true}), source, seen)
end

local Decoder = class("Decoder", Module)

--- @tparam table cfg size, inner, heads, share, dropout, activation: as for nn.heads and nn.feed_forward; order: see
-- nn.layers; shared_cache
function Decoder:init(cfg)
  Module.init(self)
  self.size = cfg.size
  self.places, self.distinct = layers.add(self, cfg.order, function() return Layer(cfg) end)
  self.norm = self:add("norm", LayerNorm(cfg.size))
  self.caches = {} -- the name of the cache at each place
  local first = {}
  for i, layer in ipairs(self.places) do
    first[layer] = cfg.shared_cache and first[layer] or i
    self.caches[i] = tostring(first[layer])
  end
end

--- Keys and values of what the encoder gives, made once for all steps and captions.
-- @tparam tensor x [rows, size]
-- @treturn table for each place {keys, values}
function Decoder:sources(x)
  local made, list = {}, {}
  for i, layer in ipairs(self.places) do
    if not made[layer] then
      local keys, values = layer.src_attn:memory(x)
      made[layer] = {keys = keys, values = values}
    end
    list[i] = made[layer]
  end
  return list
end

--- Teacher forcing.
-- @tparam tensor x [rows, size], caption after caption
-- @tparam segments own the rows of each caption, see lac.segments
-- @tparam table sources from `sources`
-- @tparam segments seen the rows of each caption, and which of the sources they see
-- @treturn tensor [rows, size]
function Decoder:forward(x, own, sources, seen)
  for i, layer in ipairs(self.places) do x = layer(x, own, sources[i], seen) end
  return self.norm(x)
end

-- A cache [rows, steps, size] with the rows of one more step.
local function longer(cache, new)
  local rows, size = new:shape(1), new:shape(2)
  new = new:reshape(rows, 1, size)
  return cache and lac.concat({cache, new}, 2) or new
end

-- A query per row, which has `steps` keys of its own.
local function own_segments(rows, steps)
  local queries, keys = {0}, {}
  for r = 1, rows do queries[r + 1], keys[r] = r, {(r - 1) * steps, steps} end
  return lac.segments(queries, keys)
end

-- Self-attention of the newest rows; adds their keys and values to the caches. `own`: the segments by how many steps
-- caches hold.
function Decoder:look_back(place, x, caches, own)
  local heads, name = self.places[place].self_attn, self.caches[place]
  local query, key, value = heads:project(x)
  local key_name, value_name = "keys " .. name, "values " .. name
  caches[key_name] = longer(caches[key_name], key)
  if value ~= key then caches[value_name] = longer(caches[value_name], value) end
  local keys, values = caches[key_name], caches[value_name] or caches[key_name]
  local rows, steps = keys:shape(1), keys:shape(2)
  own[steps] = own[steps] or own_segments(rows, steps)
  return heads:look(query, keys:reshape(rows * steps, self.size), values:reshape(rows * steps, self.size),
                    {segments = own[steps]})
end

--- One step of every caption.
-- @tparam tensor x [rows, size]
-- @tparam table caches of the steps before, empty at the first: name -> [rows, steps, size]
-- @tparam table sources from `sources`
-- @tparam segments seen as for `forward`, with a row per caption
-- @treturn tensor [rows, size]
-- @treturn table the caches of the next step
function Decoder:step(x, caches, sources, seen)
  local own, new = {}, {}
  for name, cache in pairs(caches) do new[name] = cache end
  for i, layer in ipairs(self.places) do
    x = layer.around_self(x, function(rows) return self:look_back(i, rows, new, own) end)
    x = layer:finish(x, sources[i], seen)
  end
  for _, segments in pairs(own) do segments:close() end
  return self.norm(x), new
end

--- How many steps caches hold.
-- @tparam table caches from `step`
-- @treturn integer
function Decoder:steps(caches)
  local name, uses = self.caches[1], 0
  local cache = caches["keys " .. name]
  if not cache then return 0 end
  for _, other in ipairs(self.caches) do
    if other == name then uses = uses + 1 end
  end
  return cache:shape(2) // uses
end

return Decoder
