/* Text in Lua: lac.text.*. */
#include "bind/bind.h"

#include "text/meteor_words.h"
#include "text/normalise.h"
#include "text/ptb.h"

#include <stdlib.h>

static int free_text(lua_State *L) {
  char **box = lua_touserdata(L, 1);
  free(*box);
  *box = NULL;
  return 0;
}

/* Text -> text, in memory that the caller frees. */
typedef struct text_row {
  const char *name;
  lac_status (*run)(char **out, size_t *out_bytes, const char *text, size_t bytes);
} text_row;

static const text_row rows[] = {
    {"meteor_words", lac_meteor_words},
    {"normalise", lac_text_normalise},
    {"ptb", lac_text_ptb},
};

/* lac.text.NAME(text) -> text */
static int l_text(lua_State *L) {
  static const luaL_Reg methods[] = {{"__gc", free_text}, {"__close", free_text}, {NULL, NULL}};
  const text_row *row = lua_touserdata(L, lua_upvalueindex(1));
  size_t bytes, n = 0;
  const char *text = luaL_checklstring(L, 1, &bytes);
  char **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, "lac.text")) luaL_setfuncs(L, methods, 0);
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  bind_try(L, row->run(box, &n, text, bytes));
  lua_pushlstring(L, *box, n);
  return 1;
}

void bind_open_text(lua_State *L) {
  lua_newtable(L);
  BIND_ADD_ROWS(rows, l_text);
  bind_open_corpus(L);
  bind_open_frequencies(L);
  bind_open_rewards(L);
  bind_open_subwords(L);
  lua_setfield(L, -2, "text");
}
