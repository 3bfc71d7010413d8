--- Additive attention as in Up-Down: e = alpha_net(tanh(keys + h2att(h))), weights = softmax over regions.
-- Bahdanau et al. 2015; names as in the published checkpoints.
-- @module nn.additive_attention
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local Module = require "nn.module"
local Linear = require "nn.linear"

local AdditiveAttention = class("AdditiveAttention", Module)

local defaults = {
  query = config.optional("number"), size = config.optional("number"), bias = true, dropout = 0,
  query_start = config.optional("function"), vector_start = config.optional("function"),
}

--- @tparam table cfg query (its size), size (of the scoring space); bias: of both layers; dropout: of the weights, in
-- training, which do not sum to 1 then; query_start, vector_start: initial distributions in place of nn.linear's
function AdditiveAttention:init(cfg)
  Module.init(self)
  cfg = config.merge(defaults, cfg, "nn.additive_attention")
  if not (cfg.dropout >= 0 and cfg.dropout < 1) then
    error(("nn.additive_attention: dropout must be in [0, 1), got %s"):format(cfg.dropout), 2)
  end
  self.size, self.dropout = cfg.size, cfg.dropout
  self.h2att = self:add("h2att", Linear {inputs = cfg.query, outputs = cfg.size, bias = cfg.bias,
                                         start = cfg.query_start})
  self.alpha_net = self:add("alpha_net", Linear {inputs = cfg.size, outputs = 1, bias = cfg.bias,
                                                 start = cfg.vector_start})
end

--- The scoring vector; the bias of alpha_net moves all scores alike and so changes nothing.
function AdditiveAttention:vector()
  return self.alpha_net.weight:tensor():reshape(self.size)
end

-- The part of the scores that the query gives; `onto` holds the bias already.
local function score(self, query, h2att, onto)
  if onto then return lac.linear {query, h2att or self.h2att.weight:weights(), onto = onto} end
  return h2att and query:linear(h2att, self.h2att.bias and self.h2att.bias:tensor()) or self.h2att(query)
end

--- @tparam tensor query [rows, query]
-- @tparam table seen keys [images, regions, size], values [images, regions, width] and, if there are, mask [images,
-- regions] and the tables owners and members of lac.attention; without these the rows of an image lie together
-- @tparam[opt] tensor v self:vector(), where it was made before a loop
-- @tparam[opt] weights h2att as self.h2att.weight:weights(), likewise
-- @tparam[opt] table places of results: scored [rows, size], which holds the bias of h2att or 0, and context [rows,
-- width]
-- @treturn tensor [rows, width]
function AdditiveAttention:forward(query, seen, v, h2att, places)
  local scored = score(self, query, h2att, places and places.scored)
  return (lac.attention {query = scored, keys = seen.keys, values = seen.values, mask = seen.mask,
                         owners = seen.owners, members = seen.members, v = v or self:vector(),
                         place = places and places.context,
                         dropout = self.training and self.dropout or 0, rng = self.rng})
end

return AdditiveAttention
