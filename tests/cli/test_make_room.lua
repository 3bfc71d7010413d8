--- Folders that commands make for the file they write.
local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local native = require "cli.native"

local T = {}

local function save_model(path)
  local config = {model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5,
                           fc_features = 5}, decode = {length = 6}}
  local model = checkpoint.build(config.model, "test")
  model:initialise(lac.rng(3))
  checkpoint.save(path, {model = model, config = config})
  model:close()
end

function T.a_missing_folder_of_the_output_is_made()
  files.with_folder(function(folder)
    check.equal(check.run(("data build --shapes 10 -o %s/data/small/shapes.h5"):format(folder)), 0)
    save_model(folder .. "/m.h5")
    check.equal(check.run(("import %s/tensors.safetensors -o %s/imported/m.h5"):format(folder, folder)), 1)
    check.equal(native.list(folder .. "/imported"), nil)
    check.equal(check.run(("export %s/m.h5 -o %s/out/packed/m.h5"):format(folder, folder)), 0)
    check.equal(check.run(("export %s/m.h5 -o %s/tensors/m.safetensors"):format(folder, folder)), 0)
    check.yes(files.exists(folder .. "/out/packed/m.h5") and files.exists(folder .. "/tensors/m.safetensors"))
    local status, text = check.run(("export %s/m.h5 -o %s/m.h5/sub/m.h5"):format(folder, folder))
    check.equal({status, select(2, text:gsub("\n", ""))}, {1, 1})
    check.yes(text:find(folder .. "/m.h5", 1, true), text)
    check.equal(check.run(("export %s/none.h5 -o %s/never/m.h5"):format(folder, folder)), 1)
    check.equal(native.list(folder .. "/never"), nil) -- nothing is made for what fails before
  end)
end

function T.import_makes_it_too()
  local source = check.shared "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"
  files.with_folder(function(folder)
    local status, text = check.run(("import %s -o %s/models/published/m.h5"):format(source, folder))
    check.yes(status == 0 and files.exists(folder .. "/models/published/m.h5"), text)
  end)
end

return T
