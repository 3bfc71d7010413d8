/*
 * The state's device in Lua: lac.device.*.
 *
 * The device lives in a registry box. Lua cannot see device bytes, so the pool's pressure hook
 * paces the collector: a step for every PACE_BYTES taken, a full collection when the device has run
 * out.
 */
#include "bind/bind.h"

#include "core/memory.h"
#include "gemm/gemm.h"

#include <string.h>

enum { PACE_BYTES = 64 << 20 };

typedef struct device_box {
  lac_device *device;
  lua_State *L;     /* the main thread, for the collector */
  uint64_t pending; /* bytes taken since the last step */
  bool collecting;  /* inside an allocation: what operations work on must stay */
} device_box;

static const char *const DEVICE = "lac.device"; // metatable and registry key

static void on_pressure(void *user, size_t bytes, bool exhausted) {
  device_box *box = user;
  box->pending += bytes;
  if (box->collecting || (!exhausted && box->pending < PACE_BYTES)) return;
  box->pending = 0;
  box->collecting = true;
  lua_gc(box->L, exhausted ? LUA_GCCOLLECT : LUA_GCSTEP, 0);
  box->collecting = false;
}

static void close_box(device_box *box) {
  lac_device *device = box->device;
  box->device = NULL;
  if (!device) return;
  lac_pool_set_hook(device, NULL, NULL);
  lac_device_release(device);
}

static int l_close(lua_State *L) {
  close_box(luaL_checkudata(L, 1, DEVICE));
  return 0;
}

static device_box *get_box(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "lac.device.box");
  device_box *box = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return box;
}

static void open_device(lua_State *L, const char *spec) {
  device_box *box = get_box(L);
  lac_device *device;
  bind_try(L, lac_device_open(&device, spec));
  close_box(box);
  box->device = device;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  box->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  lac_pool_set_hook(device, on_pressure, box);
}

void bind_check_calm(lua_State *L, const char *what) {
  if (get_box(L)->collecting)
    luaL_error(L, "%s: a finaliser cannot do this while a device operation waits for memory", what);
}

lac_device *bind_device(lua_State *L) {
  device_box *box = get_box(L);
  if (!box->device) open_device(L, NULL);
  return box->device;
}

/* lac.device.use([spec]): "0:0", a number, or a word in its name; nil chooses by $LACUNA_DEVICE */
static int l_use(lua_State *L) {
  open_device(L, luaL_optstring(L, 1, NULL));
  return 0;
}

static void set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static void push_caps(lua_State *L, const lac_caps *caps) {
  lua_createtable(L, 0, 16);
  set_string(L, "name", caps->name);
  set_string(L, "vendor", caps->vendor);
  set_string(L, "driver", caps->driver);
  set_string(L, "version", caps->version);
  set_string(L, "platform", caps->platform);
  set_string(L, "platform_version", caps->platform_version);
  set_string(L, "kind", caps->kind);
  set_boolean(L, "native_kernels", caps->native_kernels);
  set_boolean(L, "unified", caps->unified);
  set_integer(L, "compute_units", caps->compute_units);
  set_integer(L, "clock_mhz", caps->clock_mhz);
  set_integer(L, "max_group", caps->max_group);
  set_integer(L, "global_bytes", caps->global_bytes);
  set_integer(L, "max_alloc_bytes", caps->max_alloc_bytes);
  set_integer(L, "local_bytes", caps->local_bytes);
}

static lac_status push_listed(void *user, const char *spec, const lac_caps *caps) {
  lua_State *L = user;
  push_caps(L, caps);
  set_string(L, "spec", spec);
  lua_seti(L, -2, luaL_len(L, -2) + 1);
  return LAC_OK;
}

/* lac.device.list() -> {caps, ...} with spec = "P:D", in the order that numbers count */
static int l_list(lua_State *L) {
  lua_newtable(L);
  bind_try(L, lac_device_describe(push_listed, L));
  return 1;
}

/* lac.device.info() -> caps of the device in use */
static int l_info(lua_State *L) {
  push_caps(L, lac_device_caps(bind_device(L)));
  return 1;
}

/* lac.device.memory() -> {used_bytes, used_buffers, cached_bytes, peak_bytes} */
static int l_memory(lua_State *L) {
  lac_pool_stats stats;
  lac_pool_stats_get(bind_device(L), &stats);
  lua_createtable(L, 0, 4);
  set_integer(L, "used_bytes", stats.used_bytes);
  set_integer(L, "used_buffers", stats.used_buffers);
  set_integer(L, "cached_bytes", stats.cached_bytes);
  set_integer(L, "peak_bytes", stats.peak_bytes);
  return 1;
}

static int l_reset_peak(lua_State *L) {
  lac_pool_reset_peak(bind_device(L));
  return 0;
}

static int l_trim(lua_State *L) {
  lac_pool_trim(bind_device(L));
  return 0;
}

static int l_synchronize(lua_State *L) {
  bind_try(L, lac_device_finish(bind_device(L)));
  return 0;
}

/* lac.device.profile(boolean): start or stop event timing */
static int l_profile(lua_State *L) {
  bind_try(L, lac_device_profile(bind_device(L), lua_toboolean(L, 1)));
  return 0;
}

/* lac.device.profile_rows() -> {{name, calls, seconds}, ...}, longest first */
static int l_profile_rows(lua_State *L) {
  const lac_profile_row *rows;
  size_t count;
  bind_try(L, lac_device_profile_rows(bind_device(L), &rows, &count));
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_createtable(L, 0, 3);
    set_string(L, "name", rows[i].name);
    set_integer(L, "calls", rows[i].calls);
    lua_pushnumber(L, rows[i].seconds);
    lua_setfield(L, -2, "seconds");
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* lac.device.gemm() -> the product provider's name; gemm(name) chooses one, gemm("auto") the best
 */
static int l_gemm(lua_State *L) {
  lac_device *device = bind_device(L);
  const char *name = luaL_optstring(L, 1, NULL);
  if (name) bind_try(L, lac_gemm_use(device, strcmp(name, "auto") == 0 ? NULL : name));
  bind_try(L, lac_gemm_name(device, &name));
  lua_pushstring(L, name);
  return 1;
}

#ifdef LAC_FAULTS
/* lac.fault(n) -> what was left: let the n-th allocation from now on fail; 0 switches off */
static int l_fault(lua_State *L) {
  const uint64_t nth = bind_check_count(L, 1);
  lua_pushinteger(L, (lua_Integer)lac_fault_left());
  lac_fault_set(nth);
  return 1;
}
#endif

void bind_open_device(lua_State *L) {
  static const luaL_Reg functions[] = {{"use", l_use},
                                       {"list", l_list},
                                       {"info", l_info},
                                       {"memory", l_memory},
                                       {"reset_peak", l_reset_peak},
                                       {"trim", l_trim},
                                       {"synchronize", l_synchronize},
                                       {"profile", l_profile},
                                       {"profile_rows", l_profile_rows},
                                       {"gemm", l_gemm},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"__gc", l_close}, {NULL, NULL}};
#ifdef LAC_FAULTS
  lua_pushcfunction(L, l_fault);
  lua_setfield(L, -2, "fault");
#endif
  bind_new_class(L, DEVICE, methods);
  device_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (device_box){0};
  luaL_setmetatable(L, DEVICE);
  lua_setfield(L, LUA_REGISTRYINDEX, "lac.device.box");
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "device");
}
