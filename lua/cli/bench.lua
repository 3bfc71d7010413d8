--- lacuna bench: how fast this machine is, in numbers that mean something: the time of one training step or of
-- decoding some images, alone or in turns with others in the same run, and that of choosing which weights to prune.
--
-- A contestant is something to step: this process, a second lacuna, or a program that speaks the same protocol:
-- it writes "ready" when it is warm, answers each line "step" with the seconds that one step took and those that
-- all its threads computed, and "end" with its peak of resident memory in bytes. Contestants take turns, so that a
-- busy machine is busy for all.
local lac = require "lac"
local native = require "cli.native"
local options = require "cli.options"
local workload = require "cli.workload"

local MIB = 1024 * 1024

-- All that --model may name.
local MODELS = table.move(workload.ENCODERS, 1, #workload.ENCODERS, #workload.NAMES + 1,
  table.move(workload.NAMES, 1, #workload.NAMES, 1, {}))

local bench = {
  summary = "time a training step, decoding, an encoder of pictures, or one choice of weights to prune",
  usage = "lacuna bench step|decode|encoder|prune [OPTION...]",
  options = {
    {name = "model", value = "NAME", choices = MODELS, help = "network (updown; of encoders googlenet)"},
    {name = "train", help = "encoder: forward and backward in training mode, not forward alone"},
    {name = "preset", value = "NAME", choices = workload.PRESETS, default = "paper", help = "sizes"},
    {name = "prune", value = "METHOD", choices = {"none", "supermask"}, default = "none", help = "none or supermask"},
    {name = "draw", value = "WHEN", choices = {"step", "forward"}, default = "step",
      help = "masks of supermask: at every time step, or once per forward pass"},
    {name = "loss", value = "NAME", choices = {"xent", "scst"}, default = "xent",
      help = "of a step: cross-entropy, or self-critical with 15 samples of each of 5 images"},
    {name = "turns", value = "N", type = "integer", min = 1, default = 7, help = "times measured, after warm-up"},
    {name = "warm", value = "N", type = "integer", min = 1, default = 2, help = "turns before"},
    {name = "dense", help = "in turns with the dense step"},
    {name = "peer", value = "PYTHON",
      help = "in turns with tests/bench/MODEL_step.py, or encoder_step.py, under this interpreter"},
    {name = "peer-env", value = "WORDS", default = "", help = "its environment, NAME=VALUE ..."},
    {name = "peer-options", value = "WORDS", default = "", help = "more options for that script"},
    {name = "profile", help = "print where one more turn spends its time"},
    {name = "serve", help = "take part in another bench: the protocol on standard input and output"},
  },
  arguments = {name = "step, decode, encoder or prune", min = 1, max = 1},
  details = "A step is forward, cross-entropy, backward, the model's usual Adam and limit of gradients; with\n"
    .. "--loss scst captions are drawn, scored and taught. decode makes\n"
    .. "greedy captions of " .. workload.DECODED .. " images, from their region features on. encoder gives the\n"
    .. "classes of " .. workload.PICTURES .. " pictures of 224x224. prune scores all weights of the\n"
    .. "network and makes masks of the smallest 97.5 %. Printed: median, fastest and slowest of the turns in seconds,\n"
    .. "the time that all threads were busy, and peaks of memory.",
}

-- This process -----------------------------------------------------------------------------------------

local WORK = {step = workload.training, decode = workload.decoding, encoder = workload.encoding}

local function timed(step)
  local start, busy = native.clock(), os.clock()
  step()
  lac.device.synchronize()
  return native.clock() - start, os.clock() - busy
end

-- The peak of resident memory in bytes, or nil where the system does not tell.
local function peak_resident()
  local file = io.open("/proc/self/status")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  local kib = text:match("VmHWM:%s*(%d+)")
  return kib and tonumber(kib) * 1024
end

local function warm_up(args)
  local step, rewards = WORK[args[1]](args, native.clock)
  for _ = 1, args.warm do timed(step) end
  lac.device.reset_peak()
  return step, rewards
end

local function serve(args)
  local step = warm_up(args)
  io.stdout:setvbuf("line")
  print("ready")
  for line in io.lines() do
    if line ~= "step" then break end
    print(("%.6f %.6f"):format(timed(step)))
  end
  print(peak_resident() or 0)
end

-- Others -----------------------------------------------------------------------------------------------

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Start a program that speaks the protocol. Its answers come through a FIFO, since Lua's pipes have one direction.
local function start(name, command)
  local fifo = os.tmpname()
  os.remove(fifo)
  if not os.execute("mkfifo " .. quoted(fifo)) then error("bench: cannot make the FIFO " .. fifo, 0) end
  local to = assert(io.popen(command .. " >" .. quoted(fifo), "w"))
  local from = assert(io.open(fifo))
  os.remove(fifo)
  to:setvbuf("line")
  local function answer(word)
    if word then to:write(word, "\n") end
    local line = from:read("l")
    if not line then error(("bench: %s has ended without an answer; the command was: %s"):format(name, command), 0) end
    return line
  end
  answer()
  return {
    name = name, times = {}, busy = {},
    step = function()
      local line = answer "step"
      local seconds, busy = line:match("^([%d.]+) ([%d.]+)$")
      if not seconds then error(("bench: %s answered \"%s\", not two numbers"):format(name, line), 0) end
      return tonumber(seconds), tonumber(busy)
    end,
    finish = function()
      local peak = tonumber(answer "end")
      from:close()
      to:close()
      return peak
    end,
  }
end

local PEERS = native.lua_dir .. "/../tests/bench/"

-- Words of the command line that tell a peer the sizes.
local function peer_sizes(args)
  local words = {}
  if args.loss == "scst" then words[1] = "--loss scst" end
  for key, value in pairs(workload.sizes(args)) do
    if key ~= "fc_features" then words[#words + 1] = ("--%s %d"):format(key == "steps" and "time" or key, value) end
  end
  for key, value in pairs(workload.dropout(args)) do
    words[#words + 1] = ("--%s %g"):format((key:gsub("_", "-")), value)
  end
  table.sort(words)
  return table.concat(words, " ")
end

-- Words of the command line that tell a peer what to do.
local function peer_words(args)
  if args[1] == "encoder" then
    return ("--model %s --images %d %s"):format(args.model, workload.PICTURES, args.train and "--train" or "")
  end
  if args[1] == "decode" and args.model == "updown" then options.wrong("the peer of updown does not decode") end
  local masks = args.prune == "supermask" and args.draw or "none"
  return ("--masks %s %s %s"):format(masks, peer_sizes(args),
    args[1] == "decode" and "--decode " .. workload.DECODED or "")
end

local function start_peer(args)
  local name = (args[1] == "encoder" and "encoder" or args.model) .. "_step.py"
  local file = io.open(PEERS .. name)
  if not file then
    error(("bench: --peer needs tests/bench/%s; there are peers of ort and updown, in the source tree only, so run "
      .. "bench from a build tree"):format(name), 0)
  end
  file:close()
  local words = {"env", args.peer_env, quoted(args.peer), quoted(PEERS .. name), "--warmup", args.warm,
                 peer_words(args), args.peer_options}
  return start("peer", table.concat(words, " "))
end

local function start_dense(args)
  local self = "/proc/" .. io.open("/proc/self/stat"):read("n") .. "/exe"
  return start("dense", ("%s bench %s --serve --model %s --preset %s --loss %s --warm %d"):format(self, args[1],
    args.model, args.preset, args.loss, args.warm))
end

-- Numbers ----------------------------------------------------------------------------------------------

local function spread(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2, sorted[1], sorted[n]
end

local function print_times(who, text)
  print(("%-7s %8.3f s %8.3f .. %7.3f  busy %8.3f s  %s"):format(who.name, who.median, who.low, who.high,
    who.busy_median, text))
end

-- The ratio of medians, and the spread of the ratios turn by turn.
local function print_ratio(ours, other)
  local ratios = {}
  for i, t in ipairs(ours.times) do ratios[i] = t / other.times[i] end
  local median, low, high = spread(ratios)
  print(("to %-6s %.3f of medians, %.3f of busy time; by turns %.3f, %.3f .. %.3f"):format(other.name,
    ours.median / other.median, ours.busy_median / other.busy_median, median, low, high))
end

local function print_profile(step)
  lac.device.profile(true)
  local seconds = timed(step)
  local rows, total = lac.device.profile_rows(), 0
  lac.device.profile(false)
  for _, row in ipairs(rows) do total = total + row.seconds end
  print(("\nprofile of a turn of %.3f s, of which %.3f s on the device:"):format(seconds, total))
  for _, row in ipairs(rows) do
    if row.seconds > 0.0005 * total then
      print(("  %8.1f ms  %5.1f %%  %5d  %s"):format(row.seconds * 1e3, 100 * row.seconds / total, row.calls, row.name))
    end
  end
end

-- What rewards take by themselves, the median of some tries; in a step they are worked out while the device works.
local function print_rewards(rewards, step)
  local times = {}
  for i = 1, 7 do times[i] = rewards() end
  local median = spread(times)
  print(("rewards of a step's captions: %.2f ms by themselves, %.2f %% of a step"):format(1e3 * median,
    100 * median / step))
end

local function mib(bytes)
  return bytes and bytes > 0 and ("%.0f MiB resident"):format(bytes / MIB) or "resident memory unknown"
end

local function compete(args)
  local step, rewards = warm_up(args)
  local ours = {name = "lacuna", times = {}, busy = {}, step = function() return timed(step) end}
  local all = {ours}
  if args.dense then all[#all + 1] = start_dense(args) end
  if args.peer then all[#all + 1] = start_peer(args) end
  for turn = 1, args.turns do
    for _, who in ipairs(all) do who.times[turn], who.busy[turn] = who.step() end
  end
  for _, who in ipairs(all) do
    who.median, who.low, who.high = spread(who.times)
    who.busy_median = spread(who.busy)
  end
  if args[1] == "encoder" then
    print(("encoder %s, %s; %d turns"):format(args.model, args.train and "forward and backward" or "forward",
      args.turns))
  else
    print(("%s %s, %s%s; prune %s%s; %d turns"):format(args[1], args.model, args.preset,
      args.loss == "scst" and ", self-critical" or "", args.prune,
      args.prune == "none" and "" or ", a draw per " .. args.draw, args.turns))
  end
  print_times(ours, ("%s, %.0f MiB of them tensors"):format(mib(peak_resident()),
    lac.device.memory().peak_bytes / MIB))
  for i = 2, #all do print_times(all[i], mib(all[i].finish())) end
  for i = 2, #all do print_ratio(ours, all[i]) end
  if rewards then print_rewards(rewards, ours.median) end
  if args.profile then print_profile(step) end
end

-- Pruning -----------------------------------------------------------------------------------------------

-- What the scores are made of: a weight, and the moments of its tensor.
local SCORES = {"fabs(w)", "fabs((w - mean) / std)"}

local function score(text, names, w)
  local values = {w = w}
  if names.mean then values.mean, values.std = lac.moments(w) end
  return lac.map(text, values)
end

local function time_pruning(args)
  local weights, total = {}, 0
  for _, p in ipairs(workload.model(args):parameters()) do
    if p.param.maskable then
      weights[#weights + 1] = p.param.value
      total = total + p.param:numel()
    end
  end
  print(("%s, %s; %d weights in %d tensors, the smallest 97.5 %% of them; %d turns"):format(args.model, args.preset,
    total, #weights, args.turns))
  for _, text in ipairs(SCORES) do
    local names = lac.map_names(text)
    local function choose()
      local scope <close> = lac.scope() -- luacheck: ignore 211
      local scores = {}
      for i, w in ipairs(weights) do scores[i] = score(text, names, w) end
      lac.smallest(scores, math.floor(0.975 * total))
      lac.device.synchronize()
    end
    for _ = 1, args.warm do choose() end
    local times, busy = {}, {}
    for turn = 1, args.turns do times[turn], busy[turn] = timed(choose) end
    local median, low, high = spread(times)
    print(("%-24s %8.3f s %8.3f .. %7.3f  busy %8.3f s"):format(text, median, low, high, (spread(busy))))
    if args.profile then print_profile(choose) end
  end
end

local function take_part(args)
  if args.serve then return serve(args) end
  return compete(args)
end

local BENCHES = {step = take_part, decode = take_part, encoder = take_part, prune = time_pruning}

-- The network that is meant, which must be of the kind that is timed.
local function check_model(args)
  local names = args[1] == "encoder" and workload.ENCODERS or workload.NAMES
  args.model = args.model or (args[1] == "encoder" and "googlenet" or "updown")
  for _, name in ipairs(names) do
    if name == args.model then return end
  end
  options.wrong('bench %s times no "%s"; it times %s', args[1], args.model, table.concat(names, ", "))
end

function bench.run(args)
  local run = BENCHES[args[1]]
  if not run then options.wrong('there is no bench "%s"; there are decode, encoder, prune and step', args[1]) end
  check_model(args)
  if args[1] == "encoder" and (args.dense or args.prune ~= "none") then
    options.wrong("bench encoder prunes nothing: leave --prune and --dense out")
  end
  if args.loss ~= "xent" and args[1] ~= "step" then options.wrong("--loss belongs to bench step") end
  if args.loss == "scst" and args.peer and args.model ~= "updown" then
    options.wrong("the peer of %s knows no self-critical step; that of updown does", args.model)
  end
  if args.train and args[1] ~= "encoder" then options.wrong("--train belongs to bench encoder") end
  run(args)
end

return bench
