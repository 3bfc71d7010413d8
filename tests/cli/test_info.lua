local lac = require "lac"
local check = require "check"
local checkpoint = require "train.checkpoint"
local files = require "files"
local toy = require "toy"

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
    local last = table.move(rows["embed.0.weight"], #rows["embed.0.weight"] - 2, 100, 1, {})
    check.equal(last, {"0", "0", "0"}) -- COO, and no products
    check.yes(text:find("m%.h5: MACs for an image of 36 regions and 10 words, "), text)
    check.equal({rows["logit.bias"][2], rows["logit.bias"][4]}, {"7", "plain"}) -- no sparsity
    check.yes(rows.total and rows.total[3] ~= "0.00")
  end)
end

function T.lists_of_layers_are_shown_in_place_of_their_number()
  files.with_folder(function(folder)
    local config = {model = {name = "ort", vocab = 7, size = 4, inner = 4, heads = 1, features = 5, layers = 6,
                             share_layer_encoder = {0, 1, 1}}, decode = {length = 6}}
    local function shown()
      local model = checkpoint.build(config.model, "test")
      model:initialise(lac.rng(3))
      checkpoint.save(folder .. "/m.h5", {model = model, config = config})
      model:close()
      return select(2, check.run("info " .. folder .. "/m.h5"))
    end
    check.yes(shown():find("layers 6, share_layer_encoder 0, 1, 1, size 4", 1, true))
    config.model.share_layer_decoder = {0}
    check.yes(shown():find("inner 4, share_layer_decoder 0, share_layer_encoder 0, 1, 1, size 4", 1, true))
  end)
end

function T.masks_and_dense_tensors_are_named()
  files.with_folder(function(folder)
    local _, text = check.run("info " .. save(folder .. "/m.h5", "masked", true))
    check.yes(text:find("embed%.0%.weight +7x3 +0 +100%.00 %% +dense %+ trained mask +%d+ +84 "), text)
    check.yes(text:find("logit%.weight +7x4 +28 +0%.00 %% +dense +112 "), text)
  end)
end

function T.products_are_counted_for_the_image_that_is_asked_for()
  files.with_folder(function(folder)
    local _, text = check.run(("info %s --regions 4 --words 2.5"):format(save(folder .. "/m.h5", "packed")))
    local function macs(name)
      local cells = rows_of(text)[name]
      return table.move(cells, #cells - 1, #cells, 1, {})
    end
    check.equal(macs "fc_embed.0.weight", {"20", "20"})         -- 4x5, once
    check.equal(macs "att_embed.0.weight", {"80", "80"})        -- 4x5, a region each
    check.equal(macs "core.att_lstm.weight_ih", {"440", "440"}) -- 16x11, a word each
    check.equal(macs "core.attention.alpha_net.weight", {"30", "30"}) -- 3, a region of a word each
    check.equal(macs "logit.bias", {"0", "0"})
    check.yes(text:find("image of 4 regions and 2.5 words, 100.00 %% of them left by zeros"), text)
    check.equal(check.run("info " .. folder .. "/m.h5 --regions 0"), 2)
  end)
end

function T.a_run_is_shown_with_its_state_and_its_layers()
  files.with_folder(function(folder)
    local run = ("run --out %s/run %s prune.lr=100 seed=3"):format(folder, toy.pruning(folder))
    check.equal(check.run(run .. " stages.1.epochs=40 eval.every=40"), 0)
    local status, text = check.run("info " .. folder .. "/run/")
    check.equal(status, 0)
    check.yes(text:find("^[^\n]*/run: a run of [^\n]*/pruned.lua\n  overrides   prune.lr=100 seed=3 [^\n]*\n"), text)
    check.yes(text:find("\n  state       finished\n  best        CIDEr %d.%d+ on the validation split, at step %d+\n"
      .. "  test        BLEU%-1 "), text)
    check.yes(text:find("/run/best_sparse.h5: updown, "), text)
    check.yes(text:find("/run/best_sparse.h5: MACs for an image of 3 regions and 5 words, %d+.%d+ %%"), text)
    local total = rows_of(text).total
    local lines = files.read(folder .. "/run/layers.csv")
    check.yes(lines:find("^layer,shape,size,nonzeros,sparsity,dense32,.*,macs_dense,macs_sparse\n"), lines)
    check.yes(lines:find(("\ntotal,,4747,%s,0.%%d+,18988,.*,%s,%s\n$"):format(total[2], total[#total - 1],
      total[#total])), lines)
    os.remove(folder .. "/run/result.json")
    text = select(2, check.run("info " .. folder .. "/run"))
    check.yes(text:find("\n  state       at step 240\n"), text)
    for _, name in ipairs {"last", "best", "best_sparse"} do os.remove(("%s/run/%s.h5"):format(folder, name)) end
    files.write(folder .. "/run/failed.txt", "the disk is full\n")
    text = select(2, check.run("info " .. folder .. "/run"))
    check.yes(text:find("state       not one step is saved, it failed: the disk is full\n"), text)
    check.yes(text:find("\n  best        none yet\n"), text)
    check.yes(text:find("there is no model yet\n$"), text)
  end)
end

-- Where weights come back as 0: what is in the exported model is what every table counts.
function T.a_runs_tables_count_what_its_exported_model_holds()
  for _, method in ipairs {"rigl", "set"} do
    files.with_folder(function(folder)
      local status, said = check.run(("run --out %s/run %s prune.method=%s prune.target=0.5 prune.every=2 "
        .. "prune.least=0 prune.last=12 stages.1.epochs=2 eval.every=6"):format(folder, toy.recipe(folder), method))
      check.equal(status, 0)
      local result = lac.json.decode(files.read(folder .. "/run/result.json"))
      local rows = rows_of(select(2, check.run(("info %s/run/%s"):format(folder, result.model))))
      local lines = files.read(folder .. "/run/layers.csv")
      local all, kept = lines:match "\ntotal,,%d+,(%d+),(0.%d+),"
      check.equal({all, kept}, {rows.total[2], ("%.5f"):format(result.sparsity)})
      check.yes(result.sparsity > 0.5, "no weight came back as 0")
      local heads, cells = files.read(folder .. "/run/sparsity.csv"):match "^(.-)\n(.-)\n$"
      check.equal({heads:match "^sparsity,nnz,", cells:match "^(0.%d+),(%d+),"},
                  {"sparsity,nnz,", kept, ("%d"):format(result.nonzeros)})
      local next_cell = cells:gmatch "[^,]+"
      for name in heads:gmatch "[^,]+" do
        local cell = next_cell()
        local row = lines:match("\n" .. name:gsub("%p", "%%%0") .. ",([^\n]*)")
        if row then
          local size, nonzeros, share = row:match "^[%dx]+,(%d+),(%d+),(0.%d+),"
          check.equal({name, nonzeros, cell}, {name, rows[name][3], share})
          check.equal(tonumber(row:match("^" .. ("[^,]*,"):rep(9) .. "(%d+),")), 20 * nonzeros) -- COO
          check.close(tonumber(share), 1 - nonzeros / size, 1e-5)
        end
      end
      check.yes(said:find(("%.2f"):format(100 * result.sparsity), 1, true), said)
    end)
  end
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
    refuse(folder .. "/none.h5", "info shows .* and there is no file .*none%.h5")
    files.write(folder .. "/config.json", "{}")
    refuse(folder, "config%.json: there is no recipe in it")
    os.remove(folder .. "/config.json")
    local file <close> = lac.hdf5.create(folder .. "/data.h5")
    file:set_attr("", "format", "lacuna-data")
    file:commit()
    refuse(folder .. "/data.h5", 'is no model file of lacuna %(its format is "lacuna%-data"%)')
  end)
end

return T
