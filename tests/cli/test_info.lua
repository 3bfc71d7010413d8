local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"

local T = {}

local CONFIG = {
  model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5, fc_features = 5,
           logit_layers = 1, dropout = 0.25},
  decode = {length = 6},
}

local function save(path, form, mask)
  local model = checkpoint.build(CONFIG.model, "test")
  model:initialise(lac.rng(3))
  local embed = model:parameters()[1].param
  embed:set(lac.zeros(embed.shape))
  if mask then embed:set_mask {kind = "trained", tensor = lac.zeros(embed.shape)} end
  checkpoint.save(path, {model = model, config = CONFIG, form = form})
  model:close()
  return path
end

local function rows_of(text)
  local rows = {}
  for line in text:gmatch("[^\n]+") do
    local cells = {}
    for cell in line:gmatch("%S+") do cells[#cells + 1] = cell end
    if cells[1] then rows[cells[1]] = cells end
  end
  return rows
end

function T.a_model_file_is_a_table_of_its_tensors()
  files.with_folder(function(folder)
    local status, text = check.run("info " .. save(folder .. "/m.h5", "packed"))
    check.yes(status == 0, text)
    check.yes(text:find("m%.h5: updown, " .. #files.read(folder .. "/m.h5") .. " bytes\n"), text)
    check.yes(text:find("attention 3, dropout 0.25, embed 3, .* vocab 7\n"), text)
    check.yes(text:find("decoding +length 6\n  vocabulary +none\n"), text)
    local rows = rows_of(text)
    check.equal(table.move(rows["embed.0.weight"], 2, 7, 1, {}), {"7x3", "0", "100.00", "%", "packed", "float32"})
    check.equal({rows["embed.0.weight"][9], rows["embed.0.weight"][10]}, {"84", "42"})
    check.equal(rows["embed.0.weight"][#rows["embed.0.weight"]], "0") -- COO
    check.equal({rows["logit.bias"][2], rows["logit.bias"][4]}, {"7", "plain"}) -- no sparsity
    check.yes(rows.total and rows.total[3] ~= "0.00")
  end)
end

function T.masks_and_dense_tensors_are_named()
  files.with_folder(function(folder)
    local _, text = check.run("info " .. save(folder .. "/m.h5", "masked", true))
    check.yes(text:find("embed%.0%.weight +7x3 +0 +100%.00 %% +dense %+ trained mask +%d+ +84 "), text)
    check.yes(text:find("logit%.weight +7x4 +28 +0%.00 %% +dense +112 "), text)
  end)
end

function T.what_is_no_model_file_is_refused_in_one_sentence()
  files.with_folder(function(folder)
    local function refuse(path, pattern)
      local status, text = check.run("info " .. path)
      check.equal(status, 1)
      check.yes(text:find(pattern) and select(2, text:gsub("\n", "")) == 1, text)
    end
    refuse(files.write(folder .. "/x.h5", "text"), "x%.h5: is not an HDF5 file, so no model file")
    refuse(folder, "is not a file")
    refuse(folder .. "/none.h5", "there is no file .*none%.h5")
    local file <close> = lac.hdf5.create(folder .. "/data.h5")
    file:set_attr("", "format", "lacuna-data")
    file:commit()
    refuse(folder .. "/data.h5", 'is no model file of lacuna %(its format is "lacuna%-data"%)')
  end)
end

return T
