--- Whether a model can look at the images of a data set, and how their pictures are to be read for it.
-- @module train.sight

local function fail(text, ...)
  error(text:format(...), 0)
end

-- An encoder and features: they may be its own, kept by `lacuna data features`, as long as it stays as it is. Features
-- from elsewhere tell nothing of what made them.
local function check_kept(model, dataset, path)
  local encoder = model.encoder
  if encoder.features ~= dataset.width or encoder.fc_features ~= dataset.fc_width then
    fail("%s: its encoder gives %d features per position and %d per image, but %s has %d and %d", path,
      encoder.features, encoder.fc_features, dataset.path, dataset.width, dataset.fc_width)
  end
  if dataset.encoder and dataset.encoder ~= encoder:fingerprint() then
    fail("%s: the features in %s were made by another encoder, or by this one with other weights or settings; "
      .. "lacuna data features makes them with this one", path, dataset.path)
  end
end

--- Check that they fit, and prepare the data set.
-- @tparam nn.Module model a captioning model with values, with or without an encoder
-- @tparam table dataset see data.captions
-- @tparam string path of the model, for messages
-- @raise why not
local function sight(model, dataset, path)
  if dataset.has_pictures and not model.encoder then
    fail("%s: this model looks at features, but %s is a data file of pictures; a model with an encoder "
      .. "(model.encoder in its recipe) looks at those", path, dataset.path)
  end
  if dataset.has_pictures then return dataset:use_pictures(model.encoder.pictures) end
  if model.encoder then check_kept(model, dataset, path) end
  if model.cfg.features and model.cfg.features ~= dataset.width then
    fail("%s: the model looks at regions of %d features, those of %s have %d", path, model.cfg.features, dataset.path,
      dataset.width)
  end
  if model.cfg.fc_features and model.cfg.fc_features ~= dataset.fc_width then
    fail("%s: the model looks at a vector of %d numbers for the whole image, that of %s has %d", path,
      model.cfg.fc_features, dataset.path, dataset.fc_width)
  end
  if model.needs_boxes and not dataset.has_boxes then
    fail("%s: the model looks at the boxes of regions, and there are none in %s; lacuna data build --boxes adds them",
      path, dataset.path)
  end
end

return sight
