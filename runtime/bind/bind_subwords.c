/* Subword tokenizers in Lua: lac.text.subwords and lac.text.train_subwords. */
#include "bind/bind.h"

#include "text/subwords.h"

static const char *const SUBWORDS = "lac.subwords";

static int release_subwords(lua_State *L) {
  lac_subwords **box = luaL_checkudata(L, 1, SUBWORDS);
  lac_subwords_release(*box);
  *box = NULL;
  return 0;
}

static lac_subwords *check_subwords(lua_State *L) {
  lac_subwords **box = luaL_checkudata(L, 1, SUBWORDS);
  if (!*box) luaL_error(L, "closed subwords");
  return *box;
}

static lac_subwords **push_subwords(lua_State *L) {
  lac_subwords **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, SUBWORDS);
  return box;
}

/* The texts in the list at `index`, which keeps them alive, with the numbers in the list at
 * `scores` or, where that is 0, zeros; leaves their memory on the stack. */
static lac_subword *read_pieces(lua_State *L, int index, int scores, size_t *count) {
  luaL_checktype(L, index, LUA_TTABLE);
  if (scores) luaL_checktype(L, scores, LUA_TTABLE);
  *count = lua_rawlen(L, index);
  lac_subword *pieces = lua_newuserdatauv(L, (*count + 1) * sizeof *pieces, 0);
  for (size_t i = 0; i < *count; i++) {
    if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_error(L, "subwords: text %I is a %s", (lua_Integer)i + 1, luaL_typename(L, -1));
    pieces[i].text = lua_tolstring(L, -1, &pieces[i].bytes);
    pieces[i].score = 0;
    lua_pop(L, 1);
    if (!scores) continue;
    if (lua_rawgeti(L, scores, (lua_Integer)i + 1) != LUA_TNUMBER)
      luaL_error(L, "subwords: the score of text %I must be a number, got a %s", (lua_Integer)i + 1,
                 luaL_typename(L, -1));
    pieces[i].score = (float)lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  return pieces;
}

/* lac.text.subwords(kind, list of pieces, list of scores) -> tokenizer */
static int l_subwords(lua_State *L) {
  const char *kind = luaL_checkstring(L, 1);
  size_t count;
  const lac_subword *pieces = read_pieces(L, 2, 3, &count);
  bind_try(L, lac_subwords_new(push_subwords(L), kind, pieces, count));
  return 1;
}

/* lac.text.train_subwords(kind, size, coverage, list of texts) -> list of pieces, list of scores */
static int l_train_subwords(lua_State *L) {
  const char *kind = luaL_checkstring(L, 1);
  const lua_Integer size = luaL_checkinteger(L, 2);
  const double coverage = luaL_checknumber(L, 3);
  size_t count;
  luaL_argcheck(L, size > 0 && size <= INT32_MAX, 2, "there are at least 4 pieces");
  const lac_subword *texts = read_pieces(L, 4, 0, &count);
  lac_subwords **box = push_subwords(L);
  bind_try(L, lac_subwords_train(box, kind, (size_t)size, coverage, texts, count));
  const size_t n = lac_subwords_count(*box);
  lua_createtable(L, (int)n, 0);
  lua_createtable(L, (int)n, 0);
  for (size_t id = 0; id < n; id++) {
    const lac_subword piece = lac_subwords_piece(*box, id);
    lua_pushlstring(L, piece.text, piece.bytes);
    lua_rawseti(L, -3, (lua_Integer)id + 1);
    lua_pushnumber(L, (lua_Number)piece.score);
    lua_rawseti(L, -2, (lua_Integer)id + 1);
  }
  lac_subwords_release(*box);
  *box = NULL;
  return 2;
}

/* tokenizer:encode(text) -> list of ids */
static int l_encode(lua_State *L) {
  const lac_subwords *subwords = check_subwords(L);
  size_t bytes, count = 0;
  const char *text = luaL_checklstring(L, 2, &bytes);
  int32_t *ids = lua_newuserdatauv(L, (bytes + 1) * sizeof *ids, 0);
  bind_try(L, lac_subwords_encode(subwords, ids, &count, text, bytes));
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushinteger(L, ids[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* Into the table lac.text on the top. */
void bind_open_subwords(lua_State *L) {
  static const luaL_Reg methods[] = {{"encode", l_encode},
                                     {"close", release_subwords},
                                     {"__gc", release_subwords},
                                     {"__close", release_subwords},
                                     {NULL, NULL}};
  bind_new_class(L, SUBWORDS, methods);
  lua_pushcfunction(L, l_subwords);
  lua_setfield(L, -2, "subwords");
  lua_pushcfunction(L, l_train_subwords);
  lua_setfield(L, -2, "train_subwords");
}
