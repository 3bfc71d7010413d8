local check = require "check"
local files = require "files"

local T = {}

-- Run shell text; its exit status and output.
local function shell(text)
  local pipe = assert(io.popen("( " .. text .. " ) 2>&1; echo \"=$?\""))
  local all = pipe:read("a")
  pipe:close()
  local output, status = all:match("^(.*)=(%d+)\n$")
  return tonumber(status), output
end

-- The sanitizers' runtime must be loaded first, which a stock interpreter does not do.
local function skip_with_sanitizers()
  if check.settings.mode == "asan" then check.skip("a stock interpreter cannot load a sanitized library") end
end

function T.an_installed_program_works_from_any_folder_and_after_a_move()
  files.with_folder(function(folder)
    local status, output = shell(("cmake --install %s --prefix %s/a"):format(check.settings.build, folder))
    check.yes(status == 0, output)
    check.yes(os.rename(folder .. "/a", folder .. "/b"))
    local script = files.write(folder .. "/s.lua", "print((lac.tensor {1, 2} + 1):totable()[2], require('nn.linear'))")
    status, output = shell(("cd / && %s/b/bin/lacuna run %s"):format(folder, script))
    check.equal(status, 0)
    check.yes(output:find("^3%.0\t.*class Linear"), output)
  end)
end

function T.a_stock_lua_can_require_the_installed_module()
  skip_with_sanitizers()
  files.with_folder(function(folder)
    check.equal((shell(("cmake --install %s --prefix %s"):format(check.settings.build, folder))), 0)
    local status, output = shell(([[cd / && lua5.4 -e "package.cpath = '%s/lib/lua/5.4/?.so'
      print(require('lac').tensor({1, 2}):totable()[2])"]]):format(folder))
    check.equal({status, output}, {0, "2.0\n"})
  end)
end

function T.a_c_program_builds_against_the_installed_library_through_pkg_config()
  skip_with_sanitizers()
  files.with_folder(function(folder)
    check.equal((shell(("cmake --install %s --prefix %s"):format(check.settings.build, folder))), 0)
    files.write(folder .. "/u.c", [[
      #include <lacuna.h>
      int main(void) {
        lac_device *device;
        if (lac_device_open(&device, "no such device") != LAC_EINVAL) return 1;
        if (lac_device_open(&device, 0) != LAC_OK) return 2;
        lac_device_release(device);
        return 0;
      }]])
    local status, output = shell(([[cd %s && export PKG_CONFIG_PATH=$PWD/lib/pkgconfig &&
      cc u.c -o u $(pkg-config --cflags --libs lacuna) -Wl,-rpath,$PWD/lib && ./u]]):format(folder))
    check.yes(status == 0, output)
  end)
end

return T
