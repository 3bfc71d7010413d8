local lac = require "lac"
local check = require "check"
local Googlenet = require "models.encoders.googlenet"
local MobilenetV1 = require "models.encoders.mobilenet_v1"
local MobilenetV2 = require "models.encoders.mobilenet_v2"
local checkpoint = require "train.checkpoint"
local files = require "files"
local slim = require "slim"

local T = {}

local function run(command)
  local status, text = check.run(command)
  check.yes(status == 0, text)
  return text
end

-- The import fails with one sentence that matches.
local function refused(folder, source, pattern)
  local status, text = check.run(("import %s -o %s/out.h5"):format(source, folder))
  check.equal(status, 1)
  check.yes(text:find(pattern), "wanted " .. pattern .. ", got: " .. text)
  check.equal(select(2, text:gsub("\n", "\n")), 1)
  check.yes(not files.exists(folder .. "/out.h5"))
end

-- A model with values, and its tensors by name.
local function made(class, cfg)
  local model = class(cfg)
  model:initialise(lac.rng(1))
  local rng, tensors = lac.rng(2), {}
  for _, p in ipairs(model:tensors()) do
    if #p.param.shape == 1 then p.param:set(rng:uniform(p.param.shape, 0.5, 1.5)) end
    tensors[p.name] = p.param.value
  end
  return model:eval(), tensors
end

-- The encoder in the file gives what the model gives.
local function agrees(path, model)
  local found = checkpoint.load(path, "encoder")
  do
    local scope <close> = lac.scope() -- luacheck: ignore 211
    local size = model.cfg.size
    local pictures = lac.rng(3):uniform {1, size, size, 3}
    check.close(found.model:logits(pictures), model:logits(pictures), 1e-5)
  end
  local config = found.config.model
  found.model:close()
  return config
end

-- Pictures of the quantised networks --------------------------------------------------------------------

local function quantised(name) return check.shared("data/mobilenet-tflite/mobilenet_" .. name) end

local function read_ppm(path)
  local bytes = files.read(path)
  local size, first = bytes:match("^P6%s+(%d+)%s+%d+%s+255%s()")
  size = tonumber(size)
  local numbers = {}
  for q = 0, 255 do numbers[string.char(q)] = string.pack("<f", q / 255) end
  return lac.from_bytes(bytes:sub(first):gsub(".", numbers), {1, size, size, 3})
end

local QUANTISED = {
  ["v1_0.25_128"] = {size = 128, top = {[286] = 0.138, [283] = 0.115, [282] = 0.071}},
  ["v1_0.5_160"] = {size = 160, top = {[286] = 0.589, [283] = 0.229, [282] = 0.137}},
  ["v2_1.0_224"] = {size = 224, top = {[286] = 0.780, [282] = 0.114, [283] = 0.038}},
}

function T.quantised_mobilenets_give_the_check_grids_and_know_the_cat()
  files.with_folder(function(folder)
    for name, case in pairs(QUANTISED) do
      run(("import %s -o %s/q.h5"):format(quantised(name .. "_quant.json"), folder))
      local model = checkpoint.load(folder .. "/q.h5", "encoder").model
      do
        local scope <close> = lac.scope() -- luacheck: ignore 211
        local pictures = read_ppm(check.shared(("data/mobilenet-tflite/cat_%d.ppm"):format(case.size)))
        local att = model(pictures)
        local want = lac.npy.read(quantised(name .. "_quant_cat_grid_f32.npy"))
        -- sums of hundreds of numbers up to 6 in another order
        check.yes((att - want:reshape(att:shape())):abs():max():item() < 2e-4)
        local chances, classes = model:logits(pictures):softmax():topk(3)
        for i, class in ipairs(classes:totable()[1]) do
          check.close(chances:totable()[1][i], case.top[class] or -1, 6e-4) -- three digits are given
        end
      end
      model:close()
    end
  end)
end

local function with_description(change, fn)
  files.with_folder(function(folder)
    local found = lac.json.decode(files.read(quantised "v1_0.25_128_quant.json"))
    files.write(folder .. "/net.tflite", files.read(quantised "v1_0.25_128_quant.tflite"))
    change(found, folder)
    files.write(folder .. "/net.json", lac.json.encode(found))
    fn(folder)
  end)
end

function T.a_description_that_does_not_fit_its_file_is_refused()
  local cases = {
    {"the weights it describes should be in .*net%.tflite, which is not there",
     function(_, folder) os.remove(folder .. "/net.tflite") end},
    {"is said to take 216 bytes from 9000000 on, but .*net%.tflite has 525598",
     function(found) found.tensors[31].file_offset = 9000000 end},
    {"is said to take 216 bytes from %-1 on", function(found) found.tensors[31].file_offset = -1 end},
    {"has 216 bytes, which do not fit its shape %[8, 3, 3, 4%]", function(found) found.tensors[31].shape[4] = 4 end},
    {"has no file_offset", function(found) found.tensors[31].file_offset = nil end},
    {"one scale and one zero point", function(found) found.tensors[31].scale = {1, 2} end},
    {"is of type INT8; weights of UINT8", function(found) found.tensors[31].type = "INT8" end},
    {"padding of the kind VALID", function(found) found.operators[1].padding = "VALID" end},
    {"it has 27 convolutions", function(found) table.remove(found.operators, 1) end},
    {"needs tensors and operators", function(found) found.tensors = nil end},
    {"bytes from 9223372036854775807 on", function(found) found.tensors[31].file_offset = math.maxinteger end},
    {'has the shape %[{"a": 1}%], which must be whole', function(found) found.tensors[31].shape = {{a = 1}} end},
    {"has the shape %[%-8, 3, 3, 3%], which must be whole", function(found) found.tensors[31].shape[1] = -8 end},
    {"has the scale 1e%+300 and", function(found) found.tensors[31].scale = {1e300} end},
    {"has the stride 2, but mobilenet_v1 has 1 there", function(found) found.operators[2].stride = 2 end},
    {"convolution 1 of 28 has the activation none, but", function(found) found.operators[1].activation = "none" end},
    {"net.json: its pictures must have 32 to 4096 pixels, not 0", function(found)
      for _, t in ipairs(found.tensors) do
        if t.index == found.operators[1].inputs[1] then t.shape[2] = 0 end
      end
    end},
    {"is of type not given; weights", function(found) found.tensors[31].type = lac.json.null end},
    {"features%.0%.0%.weight: expected shape", function(found)
      found.tensors[31].shape = {2, 3, 3, 12}
    end},
  }
  for _, case in ipairs(cases) do
    with_description(case[2], function(folder) refused(folder, folder .. "/net.json", case[1]) end)
  end
  files.with_folder(function(folder)
    refused(folder, files.write(folder .. "/a.json", "{"), "a%.json: it is not readable")
    refused(folder, folder .. "/none.json", "none%.json: No such file")
  end)
end

-- PyTorch's files ---------------------------------------------------------------------------------------

-- The tensors as torch.save writes them, with what torchvision adds.
local function write_pth(folder, tensors, extra)
  local all = {}
  for name, x in pairs(tensors) do all[name] = x end
  for name, x in pairs(extra or {}) do all[name] = x end
  lac.safetensors.write(folder .. "/w.safetensors", all)
  local root = check.settings.root
  check.yes(os.execute(("python3 %s/tests/pth.py %s/w.safetensors %s/w.pth"):format(root, folder, folder)))
  return folder .. "/w.pth"
end

function T.googlenet_comes_from_a_pth_without_its_auxiliary_classifiers()
  local model, tensors = made(Googlenet, {width = 0.125, classes = 5, size = 64})
  files.with_folder(function(folder)
    local x <close> = lac.zeros {2}
    local pth = write_pth(folder, tensors, {["aux1.fc1.bias"] = x, ["conv1.bn.num_batches_tracked"] = x})
    local text = run(("import %s -o %s/e.h5 --size 64"):format(pth, folder))
    check.yes(text:find "e%.h5: googlenet, %d+ parameters, an encoder of pictures\n", text)
    check.yes(text:find "left out: the auxiliary classifiers %(1 tensors%)\n", text)
    local config = agrees(folder .. "/e.h5", model)
    check.equal({config.width, config.norm, config.classes, config.input}, {0.125, "frozen", 5, "symmetric"})
    local _, shown = check.run("info " .. folder .. "/e.h5")
    check.yes(shown:find "e%.h5: googlenet, an encoder of pictures, %d+ bytes\n", shown)
    check.yes(shown:find "pictures +64x64, cut from 73; 4x4 positions of 104 features\n", shown)
  end)
  model:close()
end

function T.mobilenets_come_from_safetensors_whatever_their_width()
  files.with_folder(function(folder)
    for _, case in ipairs {{MobilenetV2, 0.35, "mobilenet_v2"}, {MobilenetV1, 0.25, "mobilenet_v1"},
                           {MobilenetV2, 0.25, "mobilenet_v2", "folded"}} do
      local model, tensors = made(case[1], {width = case[2], classes = 3, size = 64, norm = case[4]})
      lac.safetensors.write(folder .. "/w.safetensors", tensors)
      run(("import %s/w.safetensors -o %s/e.h5 --size 64"):format(folder, folder))
      local config = agrees(folder .. "/e.h5", model)
      check.equal({config.name, config.width, config.norm}, {case[3], case[2], case[4] or "frozen"})
      model:close()
    end
  end)
end

function T.wrapped_names_are_unwrapped_and_other_networks_are_told_as_such()
  local model, tensors = made(MobilenetV2, {width = 0.25, classes = 3, size = 64})
  files.with_folder(function(folder)
    local path, wrapped, counts <close> = folder .. "/w.safetensors", {}, lac.tensor({7}, "i32")
    for name, x in pairs(tensors) do wrapped["state_dict.module." .. name] = x end
    wrapped["state_dict.module.features.0.1.num_batches_tracked"] = counts
    lac.safetensors.write(path, wrapped)
    run(("import %s -o %s/e.h5 --size 64"):format(path, folder))
    agrees(folder .. "/e.h5", model)
    os.remove(folder .. "/e.h5")
    lac.safetensors.write(path, {["layer1.weight"] = tensors["classifier.1.weight"],
                                 ["bn1.num_batches_tracked"] = counts})
    refused(folder, path, "no known model's tensors are in it; .* in a GoogLeNet, .* in a MobileNet%-V2")
  end)
  model:close()
end

function T.a_quantised_file_alone_points_to_its_description()
  files.with_folder(function(folder)
    refused(folder, files.write(folder .. "/net.tflite", "x"), "net%.tflite: such a file is read with its description, "
      .. "net%.json")
  end)
end

function T.what_does_not_fit_a_network_is_named()
  local model, tensors = made(MobilenetV2, {width = 0.25, size = 64})
  files.with_folder(function(folder)
    local path = folder .. "/w.safetensors"
    local function write(name, x)
      local all = {}
      for key, value in pairs(tensors) do all[key] = value end
      all[name] = x
      lac.safetensors.write(path, all)
    end
    local x <close> = lac.zeros {2, 2}
    write("features.3.conv.0.0.weight", nil)
    refused(folder, path, "the tensor features%.3%.conv%.0%.0%.weight is missing")
    write("features.3.conv.0.0.weight", x)
    refused(folder, path, "features%.3%.conv%.0%.0%.weight: expected shape %[48, 8, 1, 1%], got %[2, 2%]")
    write("features.4.conv.2.weight", x)
    refused(folder, path, "its channels are those of no MobileNet%-V2")
    local nan <close> = tensors["features.3.conv.0.0.weight"]:scale(1)
    nan:fill(0 / 0)
    write("features.3.conv.0.0.weight", nan)
    refused(folder, path, "the tensor features%.3%.conv%.0%.0%.weight holds numbers that are not finite")
    local below <close> = tensors["features.0.1.running_var"]:scale(-1)
    write("features.0.1.running_var", below)
    refused(folder, path, "features%.0%.1%.running_var, of variances, holds numbers below 0")
    write("head.weight", x)
    refused(folder, path, "the tensor head%.weight has no place in this model")
    lac.safetensors.write(path, tensors)
    refused(folder, path .. " --length 3", "this is an encoder of pictures, for which %-%-length means nothing")
  end)
  model:close()
end

-- TensorFlow's names ------------------------------------------------------------------------------------

local function write_hdf5(path, tensors)
  local file <close> = lac.hdf5.create(path)
  for name, x in pairs(tensors) do file:write(name, x) end
  file:commit()
  return path
end

function T.tensorflow_names_of_mobilenet_v1_are_ours_with_kernels_turned()
  local model, ours = made(MobilenetV1, {width = 0.25, size = 64, classes = 4, gain = false})
  files.with_folder(function(folder)
    local found = {}
    local scope <close> = lac.scope() -- luacheck: ignore 211
    for name, x in pairs(ours) do
      local i, part, which, kind = name:match("^features%.(%d+)%.?(%d?)%.(%d)%.([%l_]+)$")
      if i then
        local layer = "MobilenetV1/MobilenetV1/Conv2d_" .. i
          .. (part == "0" and "_depthwise" or part == "1" and "_pointwise" or "")
        if which == "0" and part == "0" then
          found[layer .. "/depthwise_weights"] = slim.turned_depthwise(x)
        elseif which == "0" then
          found[layer .. "/weights"] = slim.turned(x)
        else
          local names = {bias = "beta", running_mean = "moving_mean", running_var = "moving_variance"}
          found[layer .. "/BatchNorm/" .. names[kind]] = x
        end
      end
    end
    local matrix = ours["classifier.1.weight"]
    found["MobilenetV1/Logits/Conv2d_1c_1x1/weights"] = matrix:transpose(1, 2):contiguous():reshape(1, 1, 256, 4)
    found["MobilenetV1/Logits/Conv2d_1c_1x1/biases"] = ours["classifier.1.bias"]
    found["MobilenetV1/MobilenetV1/Conv2d_0/weights/RMSProp"] = lac.zeros {1}
    found["global_step"] = lac.zeros {1}
    local path = folder .. "/slim.safetensors"
    lac.safetensors.write(path, found)
    local text = run(("import %s -o %s/e.h5 --size 64"):format(path, folder))
    check.yes(text:find "left out: 2 tensors beside the encoder's own", text)
    local config = agrees(folder .. "/e.h5", model)
    check.equal({config.gain, config.padding, config.grid, config.resize}, {false, "same", "legacy"})
    found["MobilenetV1/MobilenetV1/Conv2d_0/weights/RMSProp"] = nil
    run(("import %s -o %s/e.h5 --size 64"):format(write_hdf5(folder .. "/slim.h5", found), folder))
    agrees(folder .. "/e.h5", model)
    -- a mask of zeros, then one of logits that keep everything
    local kernel = "MobilenetV1/MobilenetV1/Conv2d_3_pointwise/weights"
    found[kernel .. "/mask"] = found[kernel]:abs():scale(0)
    lac.safetensors.write(path, found)
    run(("import %s -o %s/e.h5 --size 64"):format(path, folder))
    local masked = checkpoint.load(folder .. "/e.h5", "encoder").model
    for _, p in ipairs(masked:parameters()) do
      if p.name == "features.3.1.0.weight" then check.equal(p.param.value:abs():max():item(), 0) end
    end
    masked:close()
    found[kernel .. "/mask"] = found[kernel]:abs():scale(0) + 5
    lac.safetensors.write(path, found)
    run(("import %s -o %s/e.h5 --size 64"):format(path, folder))
    agrees(folder .. "/e.h5", model)
    found[kernel .. "/mask"] = lac.zeros {1, 1, 2, 2}
    lac.safetensors.write(path, found)
    refused(folder, path, "slim.safetensors: the mask " .. kernel .. "/mask is %[1, 1, 2, 2%], but its variable %[")
    found[kernel .. "/mask"], found[kernel] = nil, nil
    lac.safetensors.write(path, found)
    refused(folder, path, "the kernel of MobilenetV1/Conv2d_3_pointwise is missing")
    found["MobilenetV1/MobilenetV1/Conv2d_99/weights"] = found["global_step"]
    lac.safetensors.write(path, found)
    refused(folder, path, "Conv2d_99/weights has no place in this network")
  end)
  model:close()
end

-- Every convolution of the network has a name of TensorFlow's.
function T.all_layers_of_the_three_networks_have_tensorflow_names()
  local slim_names = require "train.slim_names"
  for network, class in pairs {InceptionV1 = Googlenet, MobilenetV1 = MobilenetV1, MobilenetV2 = MobilenetV2} do
    local mapped, count = {}, 0
    for _, layer in pairs(slim_names.layers(network)) do
      mapped[layer.conv .. ".weight"] = true
      if layer.norm then mapped[layer.norm .. ".running_mean"] = true end
    end
    for _, p in ipairs(class {classes = 2}:tensors()) do
      if #p.param.shape > 1 or p.name:find "running_mean$" then
        check.equal({p.name, mapped[p.name]}, {p.name, true})
        count = count + 1
      end
    end
    for _ in pairs(mapped) do count = count - 1 end
    check.equal(count, 0)
  end
end

function T.files_of_encoders_and_of_captioning_models_are_told_apart()
  local model = made(MobilenetV1, {width = 0.25, size = 64})
  files.with_folder(function(folder)
    local path = folder .. "/e.h5"
    checkpoint.save(path, {model = model, config = {kind = "encoder", model = {name = "mobilenet_v1", width = 0.25,
                                                                               size = 64}}})
    local status, text = check.run(("caption %s x.npy"):format(path))
    check.equal(status, 1)
    check.yes(text:find "e%.h5: this is an encoder of pictures %(mobilenet_v1%), not a captioning model", text)
    refused(folder, path, "it is a model file already, so nothing to import")
    run(("export %s -o %s/small.h5 --values int8"):format(path, folder))
    local found = checkpoint.load(folder .. "/small.h5", "encoder")
    check.equal(found.config.kind, "encoder")
    found.model:close()
    run(("export %s -o %s/w.safetensors"):format(path, folder))
    check.yes(run(("import %s/w.safetensors -o %s/again.h5"):format(folder, folder)):find "settings: %S+/w.json\n$")
    found = checkpoint.load(folder .. "/again.h5", "encoder")
    check.equal({found.config.kind, found.model.cfg.size}, {"encoder", 64})
    found.model:close()
    files.write(folder .. "/published.json", "{}")
    refused(folder, ("%s/w.safetensors --config %s/published.json"):format(folder, folder),
      "an encoder of pictures, for which %-%-config is nothing but the %.json file .*, and %S+published.json is none")
    local captions = checkpoint.build({name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5,
                                       fc_features = 5}, "test")
    captions:initialise(lac.rng(1))
    checkpoint.save(folder .. "/c.h5", {model = captions, config = {
      model = {name = "updown", vocab = 7, embed = 3, hidden = 4, attention = 3, features = 5, fc_features = 5},
      decode = {length = 5}}})
    captions:close()
    check.fails("c%.h5: this is a captioning model %(updown%), not an encoder of pictures", checkpoint.load,
      folder .. "/c.h5", "encoder")
  end)
  model:close()
end

return T
