--- The encoder of a transformer: layers of attention among the rows and of products row by row.
-- Vaswani et al. 2017, "Attention is all you need", section 3.1; names as in the published checkpoints.
-- @module nn.encoder
local class = require "core.class"
local layers = require "nn.layers"
local FeedForward = require "nn.feed_forward"
local Heads = require "nn.heads"
local LayerNorm = require "nn.layer_norm"
local Module = require "nn.module"
local Residual = require "nn.residual"

local Layer = class("EncoderLayer", Module)

function Layer:init(cfg)
  Module.init(self)
  self.self_attn = self:add("self_attn", Heads(cfg))
  self.feed_forward = self:add("feed_forward", FeedForward(cfg))
  local around = self:add("sublayer", Module())
  self.around_attention, self.around_products = around:add("0", Residual(cfg)), around:add("1", Residual(cfg))
end

function Layer:forward(x, where)
  return self.around_products(self.around_attention(x, self.self_attn, where), self.feed_forward)
end

local Encoder = class("Encoder", Module)

--- @tparam table cfg size, inner, heads, share, dropout, geometry, activation: as for nn.heads and nn.feed_forward;
-- order: see nn.layers
function Encoder:init(cfg)
  Module.init(self)
  self.places, self.distinct = layers.add(self, cfg.order, function() return Layer(cfg) end)
  self.norm = self:add("norm", LayerNorm(cfg.size))
end

--- @tparam tensor x [rows, size]
-- @tparam segments segments which rows belong together, see lac.segments
-- @tparam[opt] tensor relations of boxes, see lac.box_embedding, where there is geometry
-- @treturn tensor [rows, size]
function Encoder:forward(x, segments, relations)
  local biases = {}
  if relations then
    local heads = {}
    for i, layer in ipairs(self.distinct) do heads[i] = layer.self_attn end
    for i, bias in ipairs(Heads.biases(heads, relations)) do biases[self.distinct[i]] = bias end
  end
  for _, layer in ipairs(self.places) do
    x = layer(x, {segments = segments, bias = biases[layer]})
  end
  return self.norm(x)
end

return Encoder
