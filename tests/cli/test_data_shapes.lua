--- lacuna data build --shapes: a data file out of nothing.
local lac = require "lac"
local captions = require "data.captions"
local check = require "check"
local files = require "files"
local shapes = require "data.shapes"

local T = {}

function T.a_number_is_enough_for_a_data_file()
  files.with_folder(function(folder)
    local path = folder .. "/s.h5"
    local status, text = check.run("data build --shapes 40 -o " .. path)
    check.equal(status, 0)
    check.yes(text:find("40 images, 200 captions, %d+ words, %d+ regions of 170 features"), text)
    local dataset <close> = captions.open {path = path, batch = 4}
    check.equal({dataset.name, dataset:size("train"), dataset:size("val"), dataset:size("test")},
      {"shapes", 32, 4, 4})
    local image = shapes.source {images = 40}.images[20]
    check.equal(dataset:references("test")[2], {id = 20, captions = image.captions})
    local scope <close> = lac.scope()
    check.equal(dataset:batch(1, 0, 1).att:shape(3), 170)
  end)
end

function T.the_same_command_gives_the_same_bytes_and_another_seed_others()
  files.with_folder(function(folder)
    local function build(name, seed)
      check.equal(check.run(("data build --shapes 20 --seed %d --size 48 -o %s/%s"):format(seed, folder, name)), 0)
      return files.read(folder .. "/" .. name)
    end
    local first = build("a.h5", 5)
    check.yes(first == build("b.h5", 5))
    check.yes(first ~= build("c.h5", 6))
  end)
end

function T.pictures_are_written_into_a_folder()
  files.with_folder(function(folder)
    local build = "data build --shapes 10 --seed 2 --size 40 --pictures %s -o %s/s.h5"
    check.equal(check.run(build:format(folder, folder)), 0)
    check.equal(files.read(folder .. "/shapes_000010.ppm"),
      "P6\n40 40\n255\n" .. shapes.picture(shapes.scene(2, 10), 40))
    local status, text = check.run(("data build --shapes 10 --pictures %s/none -o %s/t.h5"):format(folder, folder))
    check.equal(status, 1)
    check.yes(text:find("cannot write .*/none/shapes_000001.ppm: No such file"), text)
    check.yes(not files.exists(folder .. "/t.h5"))
  end)
end

function T.options_that_do_not_go_together_are_wrong_usage()
  for arguments, message in pairs {
    ["--shapes 9"] = "%-%-shapes must be at least 10, got 9",
    ["--shapes 1.5"] = "%-%-shapes needs a value of type integer",
    ["--shapes 20 --size 8"] = "%-%-size must be at least 32, got 8",
    ["--shapes 20 --seed -1"] = "%-%-seed must be at least 0, got %-1",
    ["--shapes 20 --captions x.json"] = "%-%-captions and %-%-shapes do not go together",
    ["--shapes 20 --features x"] = "%-%-features goes with %-%-captions, not with %-%-shapes",
    ["--captions x.json --features x --seed 1"] = "%-%-seed goes with %-%-shapes, not with %-%-captions",
    ["--size 64"] = "data build needs %-%-captions or %-%-shapes",
  } do
    local status, text = check.run("data build " .. arguments .. " -o /tmp/never.h5")
    check.equal({arguments, status}, {arguments, 2})
    check.yes(text:find(message), text)
  end
end

return T
