/* Other programs in Lua: lac.child.start. */
#include "bind/bind.h"
#include "io/child.h"

static const char *const CHILD = "lac.child";

static lac_child *check_child(lua_State *L) {
  lac_child **box = luaL_checkudata(L, 1, CHILD);
  if (!*box) luaL_error(L, "closed child process");
  return *box;
}

static int l_close(lua_State *L) {
  lac_child **box = luaL_checkudata(L, 1, CHILD);
  lac_child_release(*box);
  *box = NULL;
  return 0;
}

/* lac.child.start({program, argument, ...}[, folder]) -> child; it is killed when it is closed */
static int l_start(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *folder = luaL_optstring(L, 2, NULL);
  const size_t count = lua_rawlen(L, 1);
  luaL_argcheck(L, count > 0 && count < 1000, 1, "needs a program and its arguments");
  luaL_checkstack(L, (int)count + 4, "child.start");
  const char **words = lua_newuserdatauv(L, (count + 1) * sizeof *words, 0);
  for (size_t i = 0; i < count; i++) {
    luaL_argcheck(L, lua_rawgeti(L, 1, (lua_Integer)i + 1) == LUA_TSTRING, 1, "texts only");
    words[i] = lua_tostring(L, -1);
  }
  words[count] = NULL;
  lac_child **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, CHILD);
  bind_try(L, lac_child_start(box, words, folder));
  return 1;
}

/* child:wait(seconds) -> exit status, or minus the signal that ended it; nil while it runs. A
 * signal to us ends it early. */
static int l_wait(lua_State *L) {
  lac_child *child = check_child(L);
  const lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds <= 3600, 2, "seconds must be from 0 to an hour");
  bool ended = false;
  int code = 0;
  bind_try(L, lac_child_wait(child, (int)(1000 * seconds), &ended, &code));
  if (ended)
    lua_pushinteger(L, code);
  else
    lua_pushnil(L);
  return 1;
}

/* child:output() -> what it printed last */
static int l_output(lua_State *L) {
  size_t bytes;
  const char *text = lac_child_output(check_child(L), &bytes);
  lua_pushlstring(L, text, bytes);
  return 1;
}

void bind_open_child(lua_State *L) {
  static const luaL_Reg functions[] = {{"start", l_start}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"wait", l_wait},     {"output", l_output}, {"close", l_close},
                                     {"__close", l_close}, {"__gc", l_close},    {NULL, NULL}};
  bind_new_class(L, CHILD, methods);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "child");
}
