--- SPICE through the published program: F-measure of the objects, attributes and relations in scene graphs.
-- Anderson et al. 2016, "SPICE: semantic propositional image caption evaluation".
--
-- The program is Java and needs its models; it is run from the folder that the user names, and only then. Nothing of
-- it is part of the library.
-- @module metrics.spice
local lac = require "lac"
local config = require "core.config"
local disk = require "core.disk"

local spice = {}

local defaults = {
  folder = "", -- has spice-1.0.jar, its lib/ and its models
  timeout = 3600, -- seconds
  clock = os.time, -- seconds too
}

local JAR = "spice-1.0.jar"
local LINES = 12 -- of the program's messages in ours

--- Whether a folder has the program; raises a sentence where it has not.
-- @tparam string folder
function spice.check(folder)
  if not disk.exists(folder .. "/" .. JAR) then
    error(("%s: there is no %s in this folder; SPICE needs that of coco-caption"):format(folder, JAR), 0)
  end
end

-- A file of no name that goes when it is closed.
local function scratch()
  local path = os.tmpname()
  return setmetatable({path = path}, {__close = function() os.remove(path) end})
end

-- The file that the program reads. Images are numbers from 1, whatever their names are.
local function input(captions, references)
  local rows = {}
  for i, caption in ipairs(captions) do rows[i] = {image_id = i, test = caption, refs = references[i]} end
  return lac.json.encode(rows)
end

-- The end of what it printed, or nothing.
local function messages(child)
  local lines = {}
  for line in child:output():gmatch("[^\r\n]+") do lines[#lines + 1] = line end
  local from = math.max(1, #lines - LINES + 1)
  return #lines == 0 and ", and said nothing" or "; it said:\n" .. table.concat(lines, "\n", from)
end

local function run(cfg, words)
  local child <close> = lac.child.start(words, cfg.folder)
  local stop = cfg.clock() + cfg.timeout
  while true do
    local code = child:wait(math.max(0, math.min(0.2, stop - cfg.clock())))
    if code == 0 then return messages(child) end
    if code then
      error(("SPICE: java ended with %s%s"):format(code < 0 and "signal " .. -code or "status " .. code,
        messages(child)), 0)
    end
    if cfg.clock() >= stop then
      error(("SPICE: java has not ended within %g seconds (--spice-timeout) and was stopped%s"):format(cfg.timeout,
        messages(child)), 0)
    end
  end
end

local function bad(why, said)
  error(("SPICE: java ended well, but %s%s"):format(why, said), 0)
end

-- The F-measure in a row of its answer. As in coco-caption what is no number is NaN, and so is then the mean.
local function f_measure(row, count, said)
  local id = type(row) == "table" and math.tointeger(row.image_id)
  local all = id and type(row.scores) == "table" and row.scores.All
  if not id or id < 1 or id > count or type(all) ~= "table" or all.f == nil then
    bad("its answer has a row without an image or a score", said)
  end
  return id, tonumber(all.f) or 0 / 0
end

local function read(path, count, said)
  local good, rows = pcall(lac.json.decode, (disk.read(path):gsub(":%s*NaN", ":null")))
  if not good then bad("its answer is no JSON: " .. tostring(rows):gsub("^.-json: ", ""), said) end
  if type(rows) ~= "table" then bad("its answer is no list", said) end
  local images, total = {}, 0
  for _, row in ipairs(rows) do
    local id, f = f_measure(row, count, said)
    images[id] = f
  end
  for i = 1, count do
    if not images[i] then bad(("its answer has no score of caption %d of %d"):format(i, count), said) end
    total = total + images[i]
  end
  return {corpus = total / count, images = images}
end

--- Score a corpus and each of its images.
-- @tparam table captions list of texts, tokenised
-- @tparam table references list of lists of them
-- @tparam table cfg see defaults; DIR/cache is the program's cache where there is such a folder
-- @treturn table {corpus = mean of the images, images = list of numbers}
-- @raise what is missing, what the program said, or that its time was up
function spice.score(captions, references, cfg)
  cfg = config.merge(defaults, cfg, "spice")
  spice.check(cfg.folder)
  local from <close> = scratch()
  local to <close> = scratch()
  lac.files.write(from.path, input(captions, references))
  local words = {"java", "-jar", "-Xmx8G", JAR, from.path, "-out", to.path, "-subset", "-silent"}
  if disk.exists(cfg.folder .. "/cache") then table.move({"-cache", "cache"}, 1, 2, #words + 1, words) end
  return read(to.path, #captions, run(cfg, words))
end

return spice
