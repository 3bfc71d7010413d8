local lac = require "lac"
local build = require "data.build"
local captions = require "data.captions"
local check = require "check"
local files = require "files"

local T = {}

-- Images 1 to 13: ten train, two val, one test; image i has 1 + i % 3 regions of 6 features, 10 * i + region + j / 8.
local SPLIT = {[4] = "val", [9] = "val", [11] = "test"}

local function regions(i)
  local rows, boxes = {}, {}
  for r = 1, 1 + i % 3 do
    rows[r], boxes[r] = {}, {0, r / 8, 0.5, i / 16}
    for j = 1, 6 do rows[r][j] = 10 * i + r + j / 8 end
  end
  return rows, boxes
end

-- Caption c of image i: "image<letter> is number<c> and so on ..." with c further words.
local function caption(i, c)
  return ("image%s is number%s%s"):format(string.char(96 + i), string.char(96 + c), (" and"):rep(c))
end

local function source(options)
  local images = {}
  for i = 1, 13 do
    local image = {id = 100 + i, file = i .. ".jpg", split = SPLIT[i] or "train", captions = {}, tokens = {}}
    for c = 1, options.captions or 5 do
      image.captions[c], image.tokens[c] = caption(i, c):upper() .. ".", caption(i, c)
    end
    images[i] = image
  end
  return {name = "small", width = 6, images = images, read = function(image)
    local rows, boxes = regions(image.id - 100)
    return {att = lac.tensor(rows), boxes = options.boxes and lac.tensor(boxes) or nil,
            fc = options.fc and lac.tensor {image.id, 0.5} or nil}
  end}
end

-- Build the file and call fn(dataset, path).
local function with_data(options, fn)
  return files.with_folder(function(folder)
    local path = folder .. "/small.h5"
    build.write(path, source(options), {dtype = options.dtype, coverage = 1})
    local dataset <close> = captions.open {path = path, batch = options.batch or 3, length = options.length,
      captions_per_image = options.captions_per_image}
    return fn(dataset, path)
  end)
end

local TENSORS = {"att", "fc", "mask", "boxes", "words", "targets", "weights", "owners", "word_owners", "members"}

-- A batch as tables.
local function host(batch)
  local out = {ids = batch.ids, rows = batch.rows, counts = batch.counts, regions = batch.regions,
               owner_list = batch.owner_list}
  for _, name in ipairs(TENSORS) do out[name] = batch[name] and batch[name]:totable() end
  return out
end

local function take(dataset, seed, epoch, index)
  local scope <close> = lac.scope()
  return host(dataset:batch(seed, epoch, index))
end

-- All batches of a split's evaluation.
local function evaluate(dataset, split, size)
  local next_batch, out = dataset:evaluation(split, size), {}
  while true do
    local scope <close> = lac.scope()
    local batch = next_batch()
    if not batch then return out end
    out[#out + 1] = host(batch)
  end
end

local function mean(rows)
  local out = {}
  for j = 1, #rows[1] do
    local sum = 0
    for _, row in ipairs(rows) do sum = sum + row[j] end
    out[j] = sum / #rows
  end
  return out
end

-- Features, mask and boxes of a batch are those of the images named in it.
local function check_features(batch, options)
  local most = 0
  for _, id in ipairs(batch.ids) do most = math.max(most, 1 + (id - 100) % 3) end
  for i, id in ipairs(batch.ids) do
    local rows, boxes = regions(id - 100)
    local mask, average = {}, mean(rows)
    for r = 1, most do
      mask[r] = rows[r] and 1 or 0
      rows[r], boxes[r] = rows[r] or {0, 0, 0, 0, 0, 0}, boxes[r] or {0, 0, 0, 0}
    end
    check.equal(batch.att[i], rows)
    check.equal({batch.mask[i], batch.regions[i]}, {mask, 1 + (id - 100) % 3})
    if options.boxes then check.equal(batch.boxes[i], boxes) else check.equal(batch.boxes, nil) end
    if options.fc then check.equal(batch.fc[i], {id, 0.5}) else check.close(batch.fc[i], average, 1e-4) end
  end
end

-- The caption in row r: what is fed, and then the last target. Checks what belongs to each word on the way.
local function read_row(batch, r, dataset)
  local ids, at = {}, 0
  for t, count in ipairs(batch.counts) do
    check.yes(count <= (batch.counts[t - 1] or batch.rows), "rows begin after the first step")
    if r <= count then
      local here = at + r
      if t > 1 then check.equal(batch.words[here], ids[t]) end -- what is fed was the target before
      ids[t], ids[t + 1] = batch.words[here], batch.targets[here]
      check.equal({batch.word_owners[here], batch.weights[here]}, {batch.owners[r], 1})
    end
    at = at + count
  end
  check.equal({#batch.words, #batch.targets, #batch.weights, #batch.word_owners}, {at, at, at, at})
  check.equal(ids[1], dataset.vocab.bos)
  return ids
end

-- The numbers of an image's captions in a batch, in their order.
local function drawn(batch, i, dataset)
  local per_image, numbers = batch.rows // #batch.ids, {}
  for k = 1, per_image do
    local row = batch.members[i][k] + 1
    check.equal({batch.owners[row], batch.owner_list[row]}, {i - 1, i - 1})
    check.yes(k == 1 or row > batch.members[i][k - 1] + 1, "the rows of an image do not ascend")
    local ids = read_row(batch, row, dataset)
    local text, found = dataset.vocab:decode(ids), nil
    for c = 1, 9 do
      if text == caption(batch.ids[i] - 100, c) then found = c end
    end
    check.equal(ids[#ids], dataset.vocab.eos)
    numbers[k] = found or error("no caption of image " .. batch.ids[i] .. ": " .. text)
  end
  return numbers
end

function T.what_was_built_is_described()
  with_data({boxes = true}, function(d)
    check.equal({d.name, d.width, d.fc_width, d.has_boxes, d.dtype}, {"small", 6, 6, true, "f32"})
    check.equal({d:size("train"), d:size("val"), d:size("test"), d:steps()}, {10, 2, 1, 3})
    check.equal(d:ids("val"), {104, 109})
    check.equal(d:references("test"), {{id = 111, captions = {
      "IMAGEK IS NUMBERA AND.", "IMAGEK IS NUMBERB AND AND.", "IMAGEK IS NUMBERC AND AND AND.",
      "IMAGEK IS NUMBERD AND AND AND AND.", "IMAGEK IS NUMBERE AND AND AND AND AND."}}})
    check.equal(d.vocab:size(), 4 + 10 + 2 + 5) -- of the training images only
    check.equal(d:regions(), {total = 26, min = 1, max = 3, mean = 2.0})
    check.equal({d:caption_words()}, {6.0, 8})
  end)
end

function T.a_batch_holds_features_and_captions_of_its_images()
  for _, options in ipairs {{}, {boxes = true, dtype = "f16"}, {fc = true}, {fc = true, boxes = true, dtype = "f16"}} do
    with_data(options, function(d)
      check.equal(d.fc_width, options.fc and 2 or 6)
      for index = 1, 3 do
        local batch = take(d, 1, 0, index)
        check.equal({#batch.ids, batch.rows, #batch.counts}, {3, 15, 9})
        check_features(batch, options)
        for i = 1, 3 do
          local numbers = drawn(batch, i, d)
          table.sort(numbers)
          check.equal(numbers, {1, 2, 3, 4, 5})
        end
      end
    end)
  end
end

function T.an_epoch_visits_every_image_at_most_once_and_the_next_in_another_order()
  with_data({}, function(d)
    local orders, left_out = {}, {}
    for epoch = 0, 5 do
      local seen, order = {}, {}
      for index = 1, 3 do
        for _, id in ipairs(take(d, 7, epoch, index).ids) do
          check.yes(not seen[id] and not SPLIT[id - 100])
          seen[id], order[#order + 1] = true, id
        end
      end
      check.equal(#order, 9)
      orders[table.concat(order, " ")] = true
      for _, id in ipairs(d:ids("train")) do if not seen[id] then left_out[id] = true end end
    end
    check.yes(next(orders, next(orders)), "every epoch has the same order")
    check.yes(next(left_out, next(left_out)), "the same image is left out in every epoch")
    check.yes(table.concat(take(d, 8, 0, 1).ids) ~= table.concat(take(d, 7, 0, 1).ids))
  end)
end

function T.captions_are_drawn_anew_in_every_epoch()
  with_data({captions = 7, captions_per_image = 3}, function(d)
    local draws, all = {}, {}
    for epoch = 0, 7 do
      for index = 1, 3 do
        local batch = take(d, 1, epoch, index)
        check.equal(batch.rows, 9)
        for i = 1, 3 do
          local numbers, seen = drawn(batch, i, d), {}
          for _, c in ipairs(numbers) do
            check.yes(not seen[c], "a caption was drawn twice")
            seen[c], all[c] = true, true
          end
          draws[table.concat(numbers, " ")] = true
        end
      end
    end
    check.equal(#all, 7) -- each is drawn now and then
    local count = 0
    for _ in pairs(draws) do count = count + 1 end
    check.yes(count > 20, "only " .. count .. " different draws of 72")
  end)
end

function T.an_image_with_too_few_captions_repeats_them()
  with_data({captions = 2, captions_per_image = 5}, function(d)
    local times = {0, 0}
    for _, c in ipairs(drawn(take(d, 1, 0, 1), 1, d)) do times[c] = times[c] + 1 end
    table.sort(times)
    check.equal(times, {2, 3})
  end)
end

function T.long_captions_lose_their_end()
  with_data({length = 6}, function(d)
    local batch = take(d, 1, 0, 1)
    check.equal(batch.counts, {15, 15, 15, 15, 15})
    local lengths = {}
    for r = 1, batch.rows do
      local ids = read_row(batch, r, d)
      lengths[#ids] = (lengths[#ids] or 0) + 1
      check.yes(ids[#ids] ~= d.vocab.eos or #ids == 6, "cut captions have no end")
    end
    check.equal(lengths, {[6] = 15}) -- five words at least and bos: 6 of 7 to 10 ids
  end)
end

function T.a_batch_depends_on_its_three_numbers_only()
  with_data({boxes = true, dtype = "f16"}, function(d, path)
    local wanted = {}
    for epoch = 0, 1 do
      for index = 1, 3 do wanted[#wanted + 1] = take(d, 3, epoch, index) end
    end
    local other <close> = captions.open {path = path, batch = 3}
    for _, k in ipairs {5, 1, 1, 6, 2, 4, 3, 5} do -- as after a resume, and against what is prefetched
      check.equal(take(other, 3, (k - 1) // 3, (k - 1) % 3 + 1), wanted[k])
      if k % 2 == 0 then check.equal(#evaluate(other, "val", 1), 2) end
    end
  end)
end

function T.evaluation_goes_through_a_split_in_order()
  with_data({boxes = true}, function(d)
    local batches, ids = evaluate(d, "train", 4), {}
    check.equal({#batches, #batches[3].ids}, {3, 2})
    for _, batch in ipairs(batches) do
      check_features(batch, {boxes = true})
      table.move(batch.ids, 1, #batch.ids, #ids + 1, ids)
      check.equal(batch.words, nil)
    end
    check.equal(ids, d:ids("train"))
    check.equal(#evaluate(d, "val"), 1)
    check.fails('there is no split "vall"; did you mean "val"', d.evaluation, d, "vall")
  end)
end

function T.a_split_may_be_empty()
  files.with_folder(function(folder)
    local few = source {}
    few.images = {few.images[1], few.images[2]}
    build.write(folder .. "/few.h5", few)
    local d <close> = captions.open {path = folder .. "/few.h5", batch = 3}
    check.equal({d:size("val"), #evaluate(d, "val"), d:steps()}, {0, 0, 0})
    check.fails("there is no training batch 1; 2 images make 0 of 3", d.batch, d, 1, 0, 1)
  end)
end

function T.wrong_use_is_a_sentence()
  with_data({}, function(d, path)
    check.fails("no training batch 4; 10 images make 3 of 3", d.batch, d, 1, 0, 4)
    check.fails("seed and epoch must be whole numbers, got 0.5 and 0", d.batch, d, 0.5, 0, 1)
    check.fails("data.length must be a whole number, at least 2, got 1", captions.open, {path = path, length = 1})
    check.fails('unknown key "bach"; did you mean "batch"', captions.open, {path = path, bach = 1})
    check.fails("the data file, is missing", captions.open, {})
    d:close()
    check.fails("closed feature reader", d.batch, d, 1, 0, 1)
  end)
end

-- Files that cannot be used -----------------------------------------------------------------------------

local function refused(path, pattern)
  local message = check.fails(pattern, captions.open, {path = path})
  check.yes(message:find(path, 1, true) and not message:find("\n"), message)
end

function T.damaged_files_are_refused()
  with_data({}, function(_, path)
    local bytes, other = files.read(path), path .. ".bad"
    files.write(other, bytes:sub(1, -100))
    refused(other, "is truncated: %d+ of %d+ bytes")
    files.write(other, bytes:sub(1, 3000) .. string.char(bytes:byte(3001) ~ 1) .. bytes:sub(3002))
    refused(other, "is damaged: its checksum")
    files.write(other, "nothing like it")
    refused(other, "is not an HDF5 file")
    refused(path .. ".none", "No such file")
  end)
end

function T.the_checksum_may_be_left_out()
  with_data({}, function(_, path)
    local bytes, row = files.read(path), string.pack("<ff", 11.125, 11.25) -- of the first region
    local at = bytes:find(row, 1, true)
    files.write(path, bytes:sub(1, at - 1) .. string.pack("<f", 7) .. bytes:sub(at + 4))
    refused(path, "is damaged: its checksum")
    local dataset <close> = captions.open {path = path, verify = false}
    check.equal(evaluate(dataset, "train")[1].att[1][1], {7, 11.25, 11.375, 11.5, 11.625, 11.75})
  end)
end

-- A file with the parts given; features have two regions.
local function write_parts(path, parts)
  local file <close> = lac.hdf5.create(path)
  local scope <close> = lac.scope()
  local ints = {region_start = {0, 2}, caption_start = {0, 1}, token_start = {0, 3}, tokens = {2, 4, 3}, split = {0}}
  local texts = {vocab = "<pad>\t0\n<unk>\t0\n<bos>\t0\n<eos>\t0\n\u{2581}a\t-1\n",
                 images = '[{"id": 1, "captions": ["a"]}]'}
  file:set_attr("", "format", parts.format or "lacuna-data")
  file:set_attr("", "version", parts.version or 1)
  file:set_attr("", "boxes", parts.boxes or 0)
  for name, list in pairs(ints) do file:write(name, lac.tensor(parts[name] or list, "i32")) end
  for name, text in pairs(texts) do file:write_text(name, parts[name] or text) end
  file:append("features", lac.zeros {2, 3})
  if parts.fc then file:append("fc", lac.zeros {parts.fc, 3}) end
  file:commit()
end

function T.files_whose_parts_do_not_fit_are_refused()
  files.with_folder(function(folder)
    local path = folder .. "/parts.h5"
    local function wrong(parts, pattern)
      write_parts(path, parts)
      refused(path, pattern)
    end
    write_parts(path, {})
    captions.open({path = path}):close() -- the parts themselves are right
    wrong({format = "lacuna-model"}, 'is no data file of lacuna %(its format is "lacuna%-model"%)')
    wrong({version = 4}, "has version 4 of the data format, this program reads versions 1 to 3; build it again")
    wrong({region_start = {0, 3}}, "it has features of another number of images")
    wrong({region_start = {0}}, "region_start does not fit")
    wrong({region_start = {0, 0}}, "region_start does not fit")
    wrong({caption_start = {0, 2}}, "token_start does not fit")
    wrong({token_start = {0, 4}}, "token_start does not fit")
    wrong({tokens = {2, 5, 3}}, "it has the id 5, but 5 words")
    wrong({split = {3}}, "image 1 is in no known split")
    wrong({split = {0, 0}}, "split does not fit")
    wrong({images = '[{"id": 1, "captions": []}]'}, "image 1 does not have 1 captions")
    wrong({images = '[{"id": 1, "captions": [7]}]'}, "image 1 has a caption that is no text")
    wrong({images = "[]"}, "there is no image in it")
    wrong({images = "[{"}, "cannot be used: .*json")
    wrong({vocab = "nonsense"}, "cannot be used: vocab")
    wrong({boxes = 1}, "has no dataset 'boxes'")
    wrong({fc = 2}, "it has features of another number of images")
  end)
end

return T
