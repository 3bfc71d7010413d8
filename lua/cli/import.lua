--- lacuna import: a published checkpoint becomes a model file, or weights of an encoder of pictures an encoder file.
local checkpoint = require "train.checkpoint"
local make_room = require "cli.make_room"
local published = require "train.published"

local import = {
  summary = "make a model file of a published checkpoint, or an encoder file of published weights",
  usage = "lacuna import SOURCE -o MODEL.h5",
  options = {
    {name = "output", short = "o", value = "FILE", help = "the model file to write"},
    {name = "vocab", value = "FILE", help = "the tokenizer's .vocab or .model, where SOURCE has none"},
    {name = "config", value = "FILE", help = "the published program's config.json, where SOURCE has none; or export's"},
    {name = "length", value = "N", type = "integer", min = 1, max = 1000, help = "tokens per caption at most"},
    {name = "input", value = "KIND", choices = {"byte", "imagenet", "symmetric", "unit"},
      help = "what an encoder's pictures become: (p - 128) / 128, mean 0 and variance 1, -1 to 1, 0 to 1"},
    {name = "size", value = "N", type = "integer", min = 32, max = 4096, help = "an encoder's pictures, in pixels"},
  },
  arguments = {name = "SOURCE", min = 1, max = 1},
  details = "SOURCE is a published zip or its unpacked folder (config.json and tokenizer inside), or a bare\n"
    .. ".pth or .safetensors file; or the variables of the published TensorFlow program (Soft-Attention) under\n"
    .. "their names in a .npz, .h5 or .safetensors file, whose words --vocab FILE names in the order of their ids.\n"
    .. "Nothing in it is ever run. Tensors stored as COO become dense; masks are multiplied into their weights.\n"
    .. "The variables of its image encoder, if they are there, become the model's encoder. What lacuna export wrote\n"
    .. "beside a .safetensors, settings and words, is taken from there, or from where --config and --vocab say.\n"
    .. "Of encoders of pictures (GoogLeNet, MobileNet-V1 and -V2) a .pth, .safetensors or .h5 file with the names of\n"
    .. "torchvision or TF-slim is read, and NAME.json, the description of the 8-bit network in NAME.tflite.",
}

function import.run(args)
  local options = require "cli.options"
  if not args.output then options.wrong("import needs --output FILE, the model file to write") end
  local found = published.read(args[1], {vocab = args.vocab, config = args.config, length = args.length,
                                         input = args.input, size = args.size})
  local build = found.config.kind == "encoder" and checkpoint.encoder or checkpoint.build
  local good, model = pcall(function()
    local model = build(found.config.model, args[1])
    model:load(found.tensors)
    return model
  end)
  if not good then error(args[1] .. ": " .. tostring(model):gsub("^%S-:%d+: ", ""), 0) end
  make_room(args.output)
  checkpoint.save(args.output, {model = model, config = found.config, vocab = found.vocab})
  local count = 0
  for _, p in ipairs(model:parameters()) do count = count + p.param:numel() end
  local vocabulary = found.vocab and found.vocab:describe() or "no vocabulary"
  print(("%s: %s, %d parameters, %s"):format(args.output, found.config.model.name, count,
    found.config.kind == "encoder" and "an encoder of pictures" or vocabulary))
  if found.settings then print("settings: " .. found.settings) end
  for _, what in ipairs(found.left or {}) do print("left out: " .. what) end
end

return import
