/* Files that grow at their end: lac.append of any bytes, lac.tfevents for TensorBoard. */
#include "bind/bind.h"

#include "io/tfevents.h"

#include <string.h>
#include <time.h>

static const char *const APPEND = "lac.append", *const EVENTS = "lac.tfevents";

static lac_append *check_open(lua_State *L, const char *class) {
  lac_append **box = luaL_checkudata(L, 1, class);
  if (!*box) luaL_argerror(L, 1, "closed file");
  return *box;
}

/* A method of both classes: which one is in the first upvalue. */
static lac_append *check_either(lua_State *L) {
  return check_open(L, lua_tostring(L, lua_upvalueindex(1)));
}

static lac_append **push_box(lua_State *L, const char *class) {
  lac_append **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, class);
  return box;
}

/* file:flush(): other programs see what was written */
static int l_flush(lua_State *L) {
  bind_try(L, lac_append_flush(check_either(L)));
  return 0;
}

/* file:sync(): the disk has it */
static int l_sync(lua_State *L) {
  bind_try(L, lac_append_sync(check_either(L)));
  return 0;
}

/* file:size() -> bytes, those not flushed yet included */
static int l_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lac_append_size(check_either(L)));
  return 1;
}

/* Cannot fail: who must know whether all was written flushes before. */
static int l_close(lua_State *L) {
  lac_append **box = luaL_checkudata(L, 1, lua_tostring(L, lua_upvalueindex(1)));
  lac_append_close(*box);
  *box = NULL;
  return 0;
}

/* ---- any bytes ---- */

/* lac.append.create(path) -> file, empty */
static int l_append_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  bind_try(L, lac_append_create(push_box(L, APPEND), path));
  return 1;
}

/* lac.append.open(path, bytes) -> file, cut to so many bytes */
static int l_append_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const uint64_t bytes = bind_check_count(L, 2);
  bind_try(L, lac_append_open(push_box(L, APPEND), path, bytes));
  return 1;
}

/* file:write(text) */
static int l_append_write(lua_State *L) {
  lac_append *file = check_open(L, APPEND);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  bind_try(L, lac_append_write(file, text, size));
  return 0;
}

/* ---- TensorBoard ---- */

/* Seconds since 1970: the argument, or now. */
static double opt_wall_time(lua_State *L, int index) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return luaL_optnumber(L, index, (lua_Number)now.tv_sec + 1e-9 * (lua_Number)now.tv_nsec);
}

/* lac.tfevents.create(path [, wall_time]) -> file */
static int l_events_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const double wall_time = opt_wall_time(L, 2);
  bind_try(L, lac_tfevents_create(push_box(L, EVENTS), path, wall_time));
  return 1;
}

/* lac.tfevents.open(path [, bytes]) -> file, cut to so many bytes, or to its last whole record */
static int l_events_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const uint64_t bytes = lua_isnoneornil(L, 2) ? UINT64_MAX : bind_check_count(L, 2);
  bind_try(L, lac_tfevents_open(push_box(L, EVENTS), path, bytes));
  return 1;
}

/* file:scalar(tag, value, step [, wall_time]) */
static int l_events_scalar(lua_State *L) {
  lac_append *file = check_open(L, EVENTS);
  size_t size;
  const char *tag = luaL_checklstring(L, 2, &size);
  luaL_argcheck(L, strlen(tag) == size, 2, "a tag is printable ASCII, got a zero byte");
  const float value = (float)luaL_checknumber(L, 3);
  const int64_t step = luaL_checkinteger(L, 4);
  bind_try(L, lac_tfevents_scalar(file, tag, value, step, opt_wall_time(L, 5)));
  return 0;
}

/* ---- registration ---- */

/* A class with what both have, and one method more. */
static void new_class(lua_State *L, const char *name, const luaL_Reg *own) {
  static const luaL_Reg shared[] = {{"flush", l_flush}, {"sync", l_sync},  {"size", l_size},
                                    {"close", l_close}, {"__gc", l_close}, {"__close", l_close},
                                    {NULL, NULL}};
  bind_new_class(L, name, own);
  luaL_getmetatable(L, name);
  lua_pushstring(L, name);
  luaL_setfuncs(L, shared, 1);
  lua_pop(L, 1);
}

void bind_open_append(lua_State *L) {
  static const luaL_Reg append[] = {
      {"create", l_append_create}, {"open", l_append_open}, {NULL, NULL}};
  static const luaL_Reg append_methods[] = {{"write", l_append_write}, {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"create", l_events_create}, {"open", l_events_open}, {NULL, NULL}};
  static const luaL_Reg events_methods[] = {{"scalar", l_events_scalar}, {NULL, NULL}};
  new_class(L, APPEND, append_methods);
  new_class(L, EVENTS, events_methods);
  luaL_newlib(L, append);
  lua_setfield(L, -2, "append");
  luaL_newlib(L, events);
  lua_setfield(L, -2, "tfevents");
}
