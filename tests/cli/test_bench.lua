local check = require "check"
local files = require "files"

local T = {}

local SMALL = "bench step --preset small --turns 1 --warm 1 "

function T.a_step_is_timed_and_profiled()
  local status, text = check.run(SMALL .. "--profile")
  check.yes(status == 0, text)
  check.yes(text:find "lacuna +%d+%.%d+ s +%d+%.%d+ %.%. +%d+%.%d+  busy +%d+%.%d+ s  %d+ MiB resident", text)
  check.yes(text:find "profile of a turn", text)
  check.yes(text:find "%d+  additive_bwd\n", text)
end

function T.choosing_weights_to_prune_is_timed()
  local status, text = check.run "bench prune --preset small --turns 3 --warm 1 --profile"
  check.yes(status == 0, text)
  check.yes(text:find "%d+ weights in %d+ tensors", text)
  check.yes(text:find "\nfabs%(w%) +%d+%.%d+ s +%d+%.%d+ %.%. +%d+%.%d+  busy", text)
  check.yes(text:find("\nfabs((w - mean) / std) ", 1, true), text)
  check.yes(text:find "%d+  smallest_count\n", text)
end

function T.decoding_and_other_networks_are_timed()
  for _, what in ipairs {"step --model ort", "decode --model ort", "decode", "step --model softattention"} do
    local status, text = check.run("bench " .. what .. " --preset small --turns 1 --warm 1")
    check.yes(status == 0, text)
    check.yes(text:find(("^%s %s, small; prune none; 1 turns\nlacuna +%%d+%%.%%d+ s"):format(what:match "^%a+",
      what:match "model (%a+)" or "updown")), text)
  end
end

function T.a_self_critical_step_is_timed_with_the_share_of_its_rewards()
  local status, text = check.run(SMALL .. "--loss scst")
  check.yes(status == 0, text)
  check.yes(text:find("^step updown, small, self%-critical; prune none; 1 turns\nlacuna +%d"), text)
  local share = text:match "rewards of a step's captions: %d+%.%d+ ms by themselves, (%d+%.%d+) %% of a step"
  check.yes(share and tonumber(share) < 5, text)
  local _, refused = check.run "bench decode --loss scst"
  check.yes(refused:find("--loss belongs to bench step", 1, true), refused)
  _, refused = check.run "bench step --model ort --loss scst --peer python3"
  check.yes(refused:find("the peer of ort knows no self-critical step", 1, true), refused)
end

function T.supermask_takes_turns_with_the_dense_step()
  local status, text = check.run(SMALL .. "--prune supermask --dense")
  check.yes(status == 0, text)
  check.yes(text:find "\ndense +%d+%.%d+ s", text)
  check.yes(text:find "\nto dense +%d+%.%d+ of medians", text)
end

-- A peer that needs no PyTorch: an interpreter that ignores its script.
local function with_peer(lines, fn)
  local path = os.tmpname()
  files.write(path, "#!/bin/sh\n" .. lines)
  os.execute("chmod +x " .. path)
  fn(path)
  os.remove(path)
end

function T.a_peer_takes_turns_too()
  with_peer('echo ready; read a; echo "8 16"; read b; [ "$a $b" = "step end" ] && echo 1048576\n', function(path)
    local status, text = check.run(SMALL .. "--peer " .. path)
    check.yes(status == 0, text)
    check.yes(text:find("^step updown, small; prune none; 1 turns\n"), text)
    check.yes(text:find("\npeer       8.000 s    8.000 ..   8.000  busy   16.000 s  1 MiB resident", 1, true), text)
  end)
end

function T.a_peer_that_fails_is_named()
  with_peer("exit 1\n", function(path)
    local status, text = check.run(SMALL .. "--peer " .. path)
    check.equal(status, 1)
    check.yes(text:find("bench: peer has ended without an answer; the command was: env", 1, true), text)
  end)
  with_peer('echo ready; read a; echo hello\n', function(path)
    local _, text = check.run(SMALL .. "--peer " .. path)
    check.yes(text:find('bench: peer answered "hello", not two numbers', 1, true), text)
  end)
end

function T.encoders_are_timed()
  for train, what in pairs {[""] = "forward", ["--train"] = "forward and backward"} do
    local status, text = check.run("bench encoder --model mobilenet_v1 --turns 1 --warm 1 " .. train)
    check.yes(status == 0, text)
    check.yes(text:find("^encoder mobilenet_v1, " .. what .. "; 1 turns\nlacuna +%d+%.%d+ s"), text)
  end
end

function T.wrong_usage_is_refused()
  local _, other = check.run "bench encoder --model updown"
  check.yes(other:find('bench encoder times no "updown"; it times googlenet, mobilenet_v1, mobilenet_v2', 1, true))
  local status, text = check.run "bench speed"
  check.equal(status, 2)
  check.yes(text:find('there is no bench "speed"; there are decode, encoder, prune and step', 1, true), text)
end

return T
