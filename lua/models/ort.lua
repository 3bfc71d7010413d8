--- Object Relation Transformer: a transformer whose encoder looks at how the boxes of regions lie to each other.
-- Herdade, Kappeler, Boakye and Soares 2019, "Image captioning: transforming objects into words", as in Tan, Chan and
-- Chuah 2022. Parameter names are those of the published checkpoints.
-- @module models.ort
local lac = require "lac"
local class = require "core.class"
local config = require "core.config"
local Module = require "nn.module"
local Transformer = require "models.transformer"

local Ort = class("Ort", Transformer)

Ort.label = "models.ort"

--- Whether batches must have boxes.
Ort.needs_boxes = true

--- As for models.transformer; trigonometric: the four numbers that describe two boxes as 64 sines and cosines.
Ort.defaults = config.copy(Transformer.defaults)
Ort.defaults.trigonometric = true

function Ort:init(cfg)
  Module.init(self)
  cfg = self:settings(cfg)
  self.region_embed = self:add("att_embed", Transformer.region_embedding(cfg))
  self:add_body(self:add("model", Module()), cfg, {geometry = cfg.trigonometric and 64 or 4})
end

--- @tparam table batch boxes [images, regions, 4]: left, top, right, bottom, relative to the image's sides
-- @treturn tensor [images, regions, regions, numbers]
function Ort:relations(batch)
  local images, most = batch.att:shape(1), batch.att:shape(2)
  if not batch.boxes then
    error(self.label .. ": this model looks at the boxes of regions, but there are none with these features", 0)
  end
  local shape = batch.boxes:shape()
  if #shape ~= 3 or shape[1] ~= images or shape[2] ~= most or shape[3] ~= 4 then
    error(("%s: boxes of these features have the shape [%d, %d, 4], got [%s]"):format(self.label, images, most,
      table.concat(shape, ", ")), 0)
  end
  local good, relations = pcall(lac.box_embedding, batch.boxes, {trigonometric = self.cfg.trigonometric})
  if good then return relations end
  error(("%s: for the boxes of %d images with up to %d regions, every pair of them: %s; fewer regions or a smaller "
    .. "batch (--batch, data.batch, eval.batch) take less memory"):format(self.label, images, most, relations), 0)
end

return Ort
