local lac = require "lac"
local check = require "check"

local T = {}

local function memory()
  return lac.device.memory()
end

function T.the_device_in_use_describes_itself()
  local info = lac.device.info()
  check.yes(#info.name > 0 and #info.platform > 0 and #info.driver > 0)
  check.yes(info.compute_units >= 1 and info.max_group >= 64)
  check.yes(info.global_bytes > 0 and info.local_bytes >= 16384)
  local found = false
  for _, listed in ipairs(lac.device.list()) do
    check.yes(listed.spec:match("^%d+:%d+$"))
    found = found or listed.name == info.name
  end
  check.yes(found)
end

function T.an_unknown_device_is_refused_with_the_list_of_devices()
  local message = check.fails('device: nothing matches "abacus"', lac.device.use, "abacus")
  check.yes(message:find(lac.device.info().name, 1, true))
  check.fails('nothing matches "77:0"', lac.device.use, "77:0")
  check.fails('nothing matches "99"', lac.device.use, "99")
  local x <close> = lac.tensor {1} -- the one in use stays
  check.equal(x, {1})
end

function T.used_and_peak_bytes_follow_what_is_held()
  local before = memory()
  lac.device.reset_peak()
  local x = lac.zeros {1000}
  local y = lac.zeros {500}
  check.equal(memory().used_bytes, before.used_bytes + 6000)
  check.equal(memory().used_buffers, before.used_buffers + 2)
  x:close()
  check.equal(memory().used_bytes, before.used_bytes + 2000)
  check.equal(memory().peak_bytes, before.used_bytes + 6000)
  y:close()
  lac.device.reset_peak()
  check.equal(memory().peak_bytes, before.used_bytes)
  check.equal(memory().used_buffers, before.used_buffers)
end

function T.buffers_given_back_are_reused_and_trimmed()
  lac.device.trim()
  check.equal(memory().cached_bytes, 0)
  lac.zeros({1000}):close()
  local cached = memory().cached_bytes
  check.yes(cached >= 4000 and cached <= 5000) -- at most a fifth of a buffer is unused
  local x <close> = lac.zeros {1010}
  check.equal(memory().cached_bytes, 0) -- taken again, though a little larger
  check.equal(x:shape(), {1010})
  x:close()
  check.equal(memory().cached_bytes, cached)
  lac.device.trim()
  check.equal(memory().cached_bytes, 0)
end

function T.a_tensor_no_device_can_hold_is_refused_with_the_sizes()
  local before = memory().used_bytes
  check.fails("262144.0 MiB", lac.zeros, {1 << 36})
  check.equal(memory().used_bytes, before)
end

function T.profile_rows_name_kernels_and_count_calls()
  local x <close> = lac.tensor {1, 2, 3}
  lac.device.profile(true)
  for _ = 1, 3 do x:tanh():close() end
  local y <close> = x:exp()
  check.equal(#y:totable(), 3)
  local calls = {}
  for i, row in ipairs(lac.device.profile_rows()) do
    calls[row.name] = row.calls
    check.yes(row.seconds >= 0)
    local next_row = lac.device.profile_rows()[i + 1]
    check.yes(not next_row or next_row.seconds <= row.seconds)
  end
  check.equal(calls.tanh_fwd, 3)
  check.equal(calls.exp_fwd, 1)
  check.equal(calls["(read)"], 1)
  lac.device.profile(true) -- starts again from nothing
  check.equal(lac.device.profile_rows(), {})
  lac.device.profile(false)
  check.fails("profile: event timing is off", lac.device.profile_rows)
end

function T.more_events_than_a_profile_keeps_waiting_are_all_counted()
  if check.settings.mode == "oclgrind" then check.skip("too long for the simulator") end
  local x <close> = lac.tensor {1}
  lac.device.profile(true)
  for _ = 1, 5000 do x:fill(2) end
  local rows = lac.device.profile_rows()
  lac.device.profile(false)
  check.equal(rows[1].name, "(fill)")
  check.equal(rows[1].calls, 5000)
end

function T.synchronize_waits_and_changes_nothing()
  local x <close> = lac.tensor {1, 2}
  local y <close> = x + 1
  lac.device.synchronize()
  check.equal(y, {2, 3})
end

return T
