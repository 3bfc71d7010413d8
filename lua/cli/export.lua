--- lacuna export: a model file in another form, or as safetensors.
local lac = require "lac"
local disk = require "core.disk"
local stats = require "prune.stats"
local checkpoint = require "train.checkpoint"
local storage = require "train.storage"
local make_room = require "cli.make_room"
local options = require "cli.options"

local export = {
  summary = "write a model as a packed, dense or masked file, or as safetensors",
  usage = "lacuna export MODEL -o OUT [--form FORM] [--values VALUES]",
  options = {
    {name = "output", short = "o", value = "FILE", help = "the file to write; *.safetensors for other programs"},
    {name = "form", value = "FORM", help = "packed (default), dense or masked"},
    {name = "values", value = "VALUES", help = "of a packed file: float32 (default, exact), float16 or int8"},
  },
  arguments = {name = "MODEL", min = 1, max = 1},
  details = "packed: only what is not zero, in few bytes. float16 rounds to nearest; int8 to 1/127 of the largest\n"
    .. "weight among 256 neighbours, biases to float16.\n"
    .. "masked: the weights with a mask beside each: the model's own, or zeros and ones where it has none.\n"
    .. "safetensors: dense float32 with masks multiplied in; beside it go the vocabulary and the configuration, OUT\n"
    .. "with .vocab and .json in place of .safetensors, where lacuna import finds them.",
}

local function choose(args)
  local is_safetensors = args.output:find("%.safetensors$") ~= nil
  if is_safetensors and ((args.form or "dense") ~= "dense" or (args.values or "float32") ~= "float32") then
    options.wrong("a safetensors file holds dense float32 tensors: leave --form and --values out")
  end
  local good, cfg = pcall(storage.options, {form = args.form or "packed", values = args.values})
  if not good then options.wrong("%s", cfg) end
  return cfg, is_safetensors
end

-- Weights without a mask get one that keeps what is not zero.
local function add_masks(model)
  for _, p in ipairs(model:parameters()) do
    if p.param.maskable and not p.param.mask then
      local magnitude <close> = p.param.value:abs()
      p.param:set_mask(magnitude:greater(0))
    end
  end
end

-- Tokenizer and configuration beside a file of tensors, which has no place for them.
local function write_beside(path, found)
  local config = path:gsub("%.safetensors$", ".json")
  lac.files.write(config, lac.json.encode(found.config) .. "\n")
  print(("%s: the configuration"):format(config))
  if not found.vocab then return end
  local words = path:gsub("%.safetensors$", ".vocab")
  lac.files.write(words, found.vocab:text())
  print(("%s: %s"):format(words, found.vocab:describe()))
end

local function write_safetensors(path, model)
  local scope <close> = lac.scope()
  local tensors = {}
  for _, p in ipairs(model:tensors()) do tensors[p.name] = p.param:pruned() end
  lac.safetensors.write(path, tensors)
end

local function count_nonzeros(model)
  local count = 0
  for _, p in ipairs(model:parameters()) do count = count + stats.nonzeros(p.param) end
  return count
end

function export.run(args)
  if not args.output then options.wrong("export needs --output FILE, the file to write") end
  local cfg, is_safetensors = choose(args)
  local found = checkpoint.load(args[1], "any")
  make_room(args.output)
  if is_safetensors then
    write_safetensors(args.output, found.model)
  else
    if cfg.form == "masked" then add_masks(found.model) end
    found.form, found.values = cfg.form, cfg.values
    checkpoint.save(args.output, found)
  end
  local nonzeros = count_nonzeros(found.model)
  local what = is_safetensors and "safetensors" or cfg.form == "packed" and "packed " .. cfg.values or cfg.form
  print(("%s: %s, %d non-zeros, %d bytes"):format(args.output, what, nonzeros, disk.size(args.output)))
  if is_safetensors then write_beside(args.output, found) end
end

return export
