--- A captioning model that looks at pictures: any model with an encoder in front.
-- @module models.encoders.attach
local lac = require "lac"

-- The places of positions row by row, for models that look at boxes: [images, positions, 4].
local function cells(images, positions)
  local rows, columns = positions[1], positions[2]
  local list = {}
  for i = 0, rows * columns - 1 do
    local y, x = i // columns, i % columns
    list[i + 1] = {x / columns, y / rows, (x + 1) / columns, (y + 1) / rows}
  end
  local boxes = lac.tensor(list):reshape(1, rows * columns * 4)
  return boxes:repeat_rows(images):reshape(images, rows * columns, 4)
end

-- Features of the pictures; a frozen encoder is in evaluation mode, and nothing of it is recorded.
local function look(encoder, pictures)
  if not encoder.cfg.frozen then return encoder(pictures) end
  if encoder.training then encoder:eval() end
  local scope <close> = lac.scope()
  return scope:keep(encoder(pictures))
end

-- The batch with what the encoder makes of its pictures.
local function seen_by(encoder, batch, needs_boxes)
  local seen = {}
  for key, value in pairs(batch) do seen[key] = value end
  seen.att, seen.fc = look(encoder, batch.pictures)
  seen.pictures, seen.mask, seen.regions = nil, nil, nil
  if needs_boxes then seen.boxes = cells(seen.att:shape(1), encoder.positions) end
  return seen
end

--- Put an encoder in front of a model: it becomes its part "encoder" and the field of that name, and batches may have
-- `pictures` [images, size, size, 3] in place of att and fc, which work as before. The parameters of a frozen encoder
-- are idle: pruning leaves them out.
-- @tparam nn.Module model of the encoder's features and fc_features
-- @tparam nn.Module encoder see models.encoders.base
-- @treturn nn.Module the model
local function attach(model, encoder)
  if model.encoder then error("attach: this model has an encoder already", 2) end
  model.encoder = model:add("encoder", encoder)
  for _, p in ipairs(encoder:parameters()) do p.param.idle = encoder.cfg.frozen end
  local encode, uses = model.encode, model.uses
  function model.encode(self, batch)
    if batch.pictures then batch = seen_by(encoder, batch, self.needs_boxes) end
    return encode(self, batch)
  end
  if uses then
    function model.uses(self, name, image)
      local own = name:match("^encoder%.(.+)$")
      if own then return encoder:uses(own) end
      return uses(self, name, image)
    end
  end
  return model
end

return attach
