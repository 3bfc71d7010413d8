--- lacuna import: a published checkpoint becomes a model file.
local checkpoint = require "train.checkpoint"
local make_room = require "cli.make_room"
local published = require "train.published"

local import = {
  summary = "make a model file of a published checkpoint",
  usage = "lacuna import SOURCE -o MODEL.h5",
  options = {
    {name = "output", short = "o", value = "FILE", help = "the model file to write"},
    {name = "vocab", value = "FILE", help = "the tokenizer's .vocab or .model, where SOURCE has none"},
    {name = "config", value = "FILE", help = "the published program's config.json, where SOURCE has none"},
    {name = "length", value = "N", type = "integer", min = 1, max = 1000, help = "tokens per caption at most"},
  },
  arguments = {name = "SOURCE", min = 1, max = 1},
  details = "SOURCE is a published zip or its unpacked folder (config.json and tokenizer inside), or a bare\n"
    .. ".pth or .safetensors file. Nothing in it is ever run. Tensors stored as COO become dense; masks are\n"
    .. "multiplied into their weights.",
}

function import.run(args)
  local options = require "cli.options"
  if not args.output then options.wrong("import needs --output FILE, the model file to write") end
  local found = published.read(args[1], {vocab = args.vocab, config = args.config, length = args.length})
  local good, model = pcall(function()
    local model = checkpoint.build(found.config.model, args[1])
    model:load(found.tensors)
    return model
  end)
  if not good then error(args[1] .. ": " .. tostring(model):gsub("^%S-:%d+: ", ""), 0) end
  make_room(args.output)
  checkpoint.save(args.output, {model = model, config = found.config, vocab = found.vocab})
  local count = 0
  for _, p in ipairs(model:parameters()) do count = count + p.param:numel() end
  print(("%s: %s, %d parameters, %s"):format(args.output, found.config.model.name, count,
    found.vocab and found.vocab:describe() or "no vocabulary"))
end

return import
