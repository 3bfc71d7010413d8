local lac = require "lac"
local build = require "data.build"
local check = require "check"
local files = require "files"

local T = {}

local function source(read, count)
  local images = {}
  for i = 1, count or 2 do
    images[i] = {id = i, file = i .. ".jpg", split = "train", captions = {"A."}, tokens = {"a"}}
  end
  return {name = "x", width = 2, images = images, read = read}
end

local function plain()
  return {att = lac.tensor {{1, 2}}}
end

function T.progress_is_told_and_memory_given_back()
  files.with_folder(function(folder)
    local told = {}
    local before = lac.device.memory().used_bytes
    build.write(folder .. "/x.h5", source(plain, 4), {progress = function(done, total)
      told[#told + 1] = done .. "/" .. total
      check.equal(lac.device.memory().used_bytes, before) -- nothing of an image stays
    end})
    check.equal(told, {"1/4", "2/4", "3/4", "4/4"})
  end)
end

function T.equal_sources_give_equal_files()
  files.with_folder(function(folder)
    for _, name in ipairs {"a", "b"} do build.write(folder .. "/" .. name, source(plain), {dtype = "f16"}) end
    check.yes(files.read(folder .. "/a") == files.read(folder .. "/b"))
  end)
end

-- Building fails with one sentence; the old file stays, and no other is left.
local function fails(pattern, read, options)
  files.with_folder(function(folder)
    local path = files.write(folder .. "/x.h5", "old")
    check.fails(pattern, build.write, path, source(read), options)
    check.equal(files.read(path), "old")
    local pipe <close> = assert(io.popen("ls " .. folder))
    check.equal(pipe:read("a"), "x.h5\n")
  end)
end

function T.a_source_that_changes_its_mind_is_refused()
  fails("image 2 %(2.jpg%) has no boxes, unlike those before it", function(image)
    return {att = lac.tensor {{1, 2}}, boxes = image.id == 1 and lac.tensor {{0, 0, 1, 1}} or nil}
  end)
  fails("image 2 %(2.jpg%) has fc, unlike those before it", function(image)
    return {att = lac.tensor {{1, 2}}, fc = image.id == 2 and lac.tensor {1, 1} or nil}
  end)
  fails("has rows of 2 numbers, got 3 %(image 2, 2.jpg%)", function(image)
    return {att = lac.zeros {1, image.id + 1}}
  end)
end

function T.a_vocabulary_needs_training_captions()
  local without = source(plain)
  for _, image in ipairs(without.images) do image.split = "test" end
  check.fails("x: there is no word in the captions of training images", build.write, "/nowhere.h5", without)
end

function T.what_does_not_fit_float16_is_refused()
  fails("value 70000 at element 1 does not fit float16.*%(image 1, 1.jpg%)", function()
    return {att = lac.tensor {{1, 70000}}}
  end, {dtype = "f16"})
  fails('dtype must be "f32" or "f16", got "f64"', plain, {dtype = "f64"})
end

return T
