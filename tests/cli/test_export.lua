local lac = require "lac"
local check = require "check"
local files = require "files"

local T = {}

local XE = "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip"
local INPUT = "data/coco5/bu/cocobu_att/391895.npy"

local function run(arguments, status)
  local got, text = check.run(arguments)
  check.yes(got == (status or 0), arguments .. ": " .. text)
  return text
end

-- The published model as an ordinary file.
local function import(folder)
  local source = check.shared(XE)
  run(("import %s -o %s/m.h5"):format(source, folder))
  return folder .. "/m.h5"
end

local function tensors_of(path)
  local checkpoint = require "train.checkpoint"
  local found, out = checkpoint.load(path), {}
  for _, p in ipairs(found.model:parameters()) do out[p.name] = p.param.value:tobytes() end
  found.model:close()
  return out, found
end

function T.the_published_model_is_small_and_captions_stay()
  local images = ""
  for _, name in ipairs {"391895", "184613", "522418", "384029", "57870"} do
    images = images .. " " .. check.shared("data/coco5/bu/cocobu_att/" .. name .. ".npy")
  end
  files.with_folder(function(folder)
    local model = import(folder)
    local want = run("caption " .. model .. images)
    local tensors = tensors_of(model)
    local limits = {float32 = 300000, float16 = 200000, int8 = 150000}
    for _, values in ipairs {"float32", "float16", "int8"} do
      local out = folder .. "/" .. values .. ".h5"
      local text = run(("export %s -o %s --values %s"):format(model, out, values))
      local size = #files.read(out)
      check.yes(size <= limits[values], values .. " takes " .. size)
      check.yes(text:find(("packed %s, 53049 non%%-zeros, %d bytes\n"):format(values, size)), text)
      local got = run("caption " .. out .. images)
      if values ~= "int8" then check.equal(got, want) end
      check.equal(select(2, got:gsub("\n", "")), select(2, want:gsub("\n", "")))
    end
    local packed, found = tensors_of(folder .. "/float32.h5")
    for name, bytes in pairs(tensors) do check.yes(packed[name] == bytes, name .. " differs") end
    check.equal(found.vocab:size(), 3000)
  end)
end

function T.every_form_leads_back_to_the_same_tensors()
  files.with_folder(function(folder)
    local model = import(folder)
    local want = tensors_of(model)
    local from = model
    for _, form in ipairs {"packed", "masked", "dense"} do
      local out = ("%s/%s.h5"):format(folder, form)
      run(("export %s -o %s --form %s"):format(from, out, form))
      local got, found = tensors_of(out)
      for name, bytes in pairs(want) do check.yes(got[name] == bytes, form .. ": " .. name .. " differs") end
      check.equal(found.config.decode.length, 16)
      from = out
    end
    run(("export %s -o %s"):format(from, from)) -- onto itself
    local got = tensors_of(from)
    for name, bytes in pairs(want) do check.yes(got[name] == bytes, name .. " differs") end
  end)
end

function T.masks_of_a_masked_file_keep_what_is_not_zero()
  local checkpoint = require "train.checkpoint"
  local stats = require "prune.stats"
  files.with_folder(function(folder)
    local model = import(folder)
    run(("export %s -o %s/k.h5 --form masked"):format(model, folder))
    local found = checkpoint.load(folder .. "/k.h5")
    local masked = 0
    for _, p in ipairs(found.model:parameters()) do
      check.equal(p.param.mask ~= nil, p.param.maskable)
      if p.param.mask then
        check.equal(p.param.mask:state().kind, "fixed")
        masked = masked + stats.kept(p.param)
      end
    end
    check.equal(masked, 47264)
    found.model:close()
  end)
end

function T.safetensors_hold_the_same_numbers_densely()
  files.with_folder(function(folder)
    local model = import(folder)
    run(("export %s -o %s/m.safetensors"):format(model, folder))
    local want, count = tensors_of(model), 0
    for name, x in pairs(lac.safetensors.read(folder .. "/m.safetensors")) do
      check.yes(x:tobytes() == want[name], name .. " differs")
      x:close()
      count = count + 1
    end
    check.equal(count, 21)
  end)
end

function T.a_damaged_packed_file_is_refused_in_one_sentence()
  local input = check.shared(INPUT)
  files.with_folder(function(folder)
    run(("export %s -o %s/p.h5"):format(import(folder), folder))
    local bytes = files.read(folder .. "/p.h5")
    for _, at in ipairs {600, #bytes // 4, #bytes // 2, #bytes - 5000} do
      local bad = bytes:sub(1, at) .. string.char(bytes:byte(at + 1) ~ 0x55) .. bytes:sub(at + 2)
      local text = run(("caption %s %s"):format(files.write(folder .. "/bad.h5", bad), input), 1)
      check.yes(text:find("^lacuna: [^\n]*bad%.h5: [^\n]*\n$"), text)
    end
    local text = run(("export %s -o %s/x.h5"):format(files.write(folder .. "/cut.h5", bytes:sub(1, 70000)), folder), 1)
    check.yes(text:find("^lacuna: [^\n]*cut%.h5: [^\n]*truncated[^\n]*\n$"), text)
    check.yes(not files.exists(folder .. "/x.h5"))
  end)
end

function T.places_that_cannot_be_written_are_named()
  files.with_folder(function(folder)
    local model = import(folder)
    local function refuse(target, pattern)
      local text = run(("export %s -o %s"):format(model, target), 1)
      check.yes(text:find(pattern) and select(2, text:gsub("\n", "")) == 1, text)
    end
    os.execute(("ln -s %s %s/to_folder; ln -s /dev/full %s/to_device"):format(folder, folder, folder))
    refuse(folder, "is a directory, not a regular file; it is not replaced")
    refuse(folder .. "/to_folder", "to_folder: is a directory")
    refuse(folder .. "/to_device", "to_device: is a device or pipe")
    for _, name in ipairs {"x.h5", "x.safetensors"} do
      refuse(model .. "/none/" .. name, "cannot make the folder [^\n]*: a file of that name is there")
    end
  end)
end

function T.wrong_words_are_wrong_usage()
  check.yes(run("export m.h5", 2):find("export needs %-%-output FILE"))
  check.yes(run("export m.h5 -o x --form paked", 2):find('no form of a model file "paked"; did you mean "packed"'))
  check.yes(run("export m.h5 -o x --form dense --values int8", 2):find("values of type int8 need the packed form"))
  check.yes(run("export m.h5 -o x.safetensors --values float16", 2):find("dense float32 tensors"))
  check.yes(run("export none.h5 -o x", 1):find("none%.h5: .*No such file"))
end

return T
