--- Multi-head attention, whose projections may share weights, and which may look at how boxes lie to each other.
--
--     softmax(q k^T / sqrt(size of a head) + log(max(relu(WG_h G), 1e-6))) v     for each head h, then concatenated
--
-- Vaswani et al. 2017, "Attention is all you need", section 3.2.2; the second term, where there are boxes: Herdade
-- et al. 2019, "Image captioning: transforming objects into words", equations 4 to 7. Names as in the published
-- checkpoints.
-- @module nn.heads
local lac = require "lac"
local class = require "core.class"
local init = require "nn.init"
local Linear = require "nn.linear"
local Module = require "nn.module"

local Heads = class("Heads", Module)

--- What may be shared -> which of `linears` each projection is. kv: the value is the key; qk: the query's projection
-- is the key's. Tan, Tan, Chan and Chuah 2022, "ACORT: a compact object relation transformer for parameter efficient
-- image captioning".
Heads.SHARING = {
  none = {query = 1, key = 2, value = 3, output = 4},
  kv = {query = 1, key = 2, value = 2, output = 3},
  qk = {query = 1, key = 1, value = 2, output = 3},
}

--- Check what is to be shared.
-- @param value
-- @tparam string what it is, for the message
-- @raise for anything but a key of SHARING
function Heads.check_sharing(value, what)
  if type(value) == "string" and Heads.SHARING[value] then return end
  error(('%s must be "none", "kv" or "qk", got %s'):format(what,
    type(value) == "string" and '"' .. value .. '"' or "a " .. type(value)), 0)
end

--- @tparam table cfg size, heads (a divisor of it), share (a key of SHARING), dropout (of the weights of attention),
-- geometry: how many numbers describe two boxes (nil: there are none)
function Heads:init(cfg)
  Module.init(self)
  self.heads, self.dropout = cfg.heads, cfg.dropout
  local list, roles, made = self:add("linears", Module()), Heads.SHARING[cfg.share], {}
  for i = 1, roles.output do
    made[i] = list:add(tostring(i - 1), Linear {inputs = cfg.size, outputs = cfg.size, start = init.xavier()})
  end
  for role, i in pairs(roles) do self[role] = made[i] end
  if not cfg.geometry then return end
  local geometry = self:add("WGs", Module())
  self.geometry = {}
  for h = 1, cfg.heads do
    self.geometry[h] = geometry:add(tostring(h - 1), Linear {inputs = cfg.geometry, outputs = 1, start = init.xavier()})
  end
end

--- What other rows may attend to.
-- @tparam tensor x [rows, size]
-- @treturn tensor keys [rows, size]
-- @treturn tensor values [rows, size]; the same tensor where they are shared
function Heads:memory(x)
  local keys = self.key(x)
  return keys, self.value == self.key and keys or self.value(x)
end

--- The three projections of the same rows.
-- @treturn tensor query
-- @treturn tensor key
-- @treturn tensor value
function Heads:project(x)
  local query = self.query(x)
  local key = self.key == self.query and query or self.key(x)
  return query, key, self.value == self.key and key or self.value(x)
end

--- Attend with projections that are there.
-- @tparam tensor query [rows, size]
-- @tparam tensor keys [others, size]
-- @tparam tensor values [others, size]
-- @tparam table where segments: which rows see which (lac.segments); causal, bias: see lac.attend
-- @treturn tensor [rows, size]
function Heads:look(query, keys, values, where)
  local drops = self.training and self.dropout > 0
  return self.output(lac.attend {
    q = query, k = keys, v = values, heads = self.heads, segments = where.segments, causal = where.causal,
    bias = where.bias, dropout = drops and self.dropout or nil, rng = drops and self.rng or nil})
end

--- Rows that attend to each other.
-- @tparam tensor x [rows, size]
-- @tparam table where see look
-- @treturn tensor [rows, size]
function Heads:forward(x, where)
  local query, key, value = self:project(x)
  return self:look(query, key, value, where)
end

-- Weights and biases of the geometry of several modules, a row per head.
local function stacked(list)
  local weights, biases = {}, {}
  for _, heads in ipairs(list) do
    for _, linear in ipairs(heads.geometry) do
      weights[#weights + 1], biases[#biases + 1] = linear.weight:tensor(), linear.bias:tensor()
    end
  end
  return lac.concat(weights, 1), lac.concat(biases, 1)
end

--- What the places of boxes add to the scores, for several modules in one product.
-- @tparam table list of Heads with geometry
-- @tparam tensor relations [images, boxes, boxes, numbers], see lac.box_embedding
-- @treturn table a tensor [images, heads, boxes, boxes] for each
function Heads.biases(list, relations)
  local images, boxes, numbers = relations:shape(1), relations:shape(2), relations:shape(4)
  local weights, bias = stacked(list)
  local all = relations:reshape(images, boxes * boxes, numbers):linear(weights, bias):clamp(1e-6, math.huge):log()
  local found, first = {}, 1
  for i, heads in ipairs(list) do
    local mine = all:slice(3, first, heads.heads):transpose(2, 3):contiguous()
    found[i], first = mine:reshape(images, heads.heads, boxes, boxes), first + heads.heads
  end
  return found
end

return Heads
