--- ACORT: the Object Relation Transformer with few weights. Keys are values, and layers are used several times.
-- Tan, Tan, Chan and Chuah 2022, "ACORT: a compact object relation transformer for parameter efficient image
-- captioning".
-- @module models.acort
local class = require "core.class"
local config = require "core.config"
local Ort = require "models.ort"

local Acort = class("Acort", Ort)

Acort.label = "models.acort"

--- As for models.ort, with the sharing of that paper.
Acort.defaults = config.copy(Ort.defaults)
for _, side in ipairs {"encoder", "decoder"} do
  Acort.defaults["share_att_" .. side] = "kv"
  Acort.defaults["share_layer_" .. side] = {0, 0, 0, 1, 1, 1}
end

return Acort
