/* Text in Lua: lac.text.*. */
#include "bind/bind.h"

#include "text/normalise.h"

#include <stdlib.h>

static int free_text(lua_State *L) {
  char **box = lua_touserdata(L, 1);
  free(*box);
  *box = NULL;
  return 0;
}

/* lac.text.normalise(text) -> text in the tokenizer's normal form */
static int l_normalise(lua_State *L) {
  static const luaL_Reg methods[] = {{"__gc", free_text}, {"__close", free_text}, {NULL, NULL}};
  size_t bytes, n = 0;
  const char *text = luaL_checklstring(L, 1, &bytes);
  char **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, "lac.text")) luaL_setfuncs(L, methods, 0);
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  bind_try(L, lac_text_normalise(box, &n, text, bytes));
  lua_pushlstring(L, *box, n);
  return 1;
}

void bind_open_text(lua_State *L) {
  static const luaL_Reg functions[] = {{"normalise", l_normalise}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "text");
}
