/* What pruning methods score and choose with; lua/prune/ is what scripts use. */
#include "bind/bind.h"

#include "ops/map.h"
#include "ops/smallest.h"

#include <string.h>

enum { LISTED = 12 }; /* names in a message */

/* The text at index, parsed into a userdata that is pushed. */
static lac_expression *check_expression(lua_State *L, int index) {
  size_t length;
  const char *text = luaL_checklstring(L, index, &length);
  lac_expression *e = lua_newuserdatauv(L, sizeof *e, 0);
  bind_try(L, lac_expression_parse(e, text, length));
  return e;
}

/* The open tensor at the top of the stack, as `what` is called in messages. */
static lac_tensor *check_top(lua_State *L, const char *what) {
  lac_tensor **box = luaL_testudata(L, -1, BIND_TENSOR);
  if (!box) luaL_error(L, "%s must be a tensor, got %s", what, luaL_typename(L, -1));
  if (!*box || lac_tensor_is_closed(*box)) luaL_error(L, "%s is a closed tensor", what);
  return *box;
}

/* The string key of the table at index that follows `last` in order, or NULL; borrowed. */
static const char *next_key(lua_State *L, int index, const char *last) {
  const char *best = NULL;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    const char *key = lua_tostring(L, -2);
    if ((!last || strcmp(key, last) > 0) && (!best || strcmp(key, best) < 0)) best = key;
  }
  return best;
}

/* `w`, `values` at index: "there is no name w; there are a, b" */
static void raise_no_name(lua_State *L, const lac_expression *e, const char *name, int index) {
  char quote[LAC_EXPRESSION_QUOTE];
  luaL_Buffer list;
  const char *key = next_key(L, index, NULL);
  luaL_buffinit(L, &list);
  for (int i = 0; key && i < LISTED; i++) {
    lua_pushfstring(L, "%s%s", i ? ", " : "; there are ", key);
    luaL_addvalue(&list);
    key = next_key(L, index, key);
  }
  if (key) luaL_addstring(&list, ", ...");
  luaL_pushresult(&list);
  luaL_error(L, "the expression \"%s\": there is no name %s%s", lac_expression_quote(e, quote),
             name, lua_tostring(L, -1));
}

/* The values of an expression's names from the table at index; tensors stay on the stack. */
static void read_values(lua_State *L, int index, const lac_expression *e, lac_map_value *values) {
  char quote[LAC_EXPRESSION_QUOTE];
  luaL_checkstack(L, 3 * LAC_EXPRESSION_NAMES + 8, "values");
  for (uint32_t i = 0; i < e->names; i++) {
    const char *name = lua_pushlstring(L, e->text + e->name[i].at, e->name[i].length);
    const char *what =
        lua_pushfstring(L, "the expression \"%s\": %s", lac_expression_quote(e, quote), name);
    lua_pushvalue(L, -2);
    if (lua_gettable(L, index) == LUA_TNIL) raise_no_name(L, e, name, index);
    values[i] = (lac_map_value){NULL, 0};
    if (lua_type(L, -1) == LUA_TNUMBER)
      values[i].number = (float)lua_tonumber(L, -1);
    else
      values[i].tensor = check_top(L, what);
  }
}

/* y = lac.map(text, {name = tensor | number, ...} [, out]) */
static int l_map(lua_State *L) {
  lac_map_value values[LAC_EXPRESSION_NAMES];
  lua_settop(L, 3);
  luaL_checktype(L, 2, LUA_TTABLE);
  lac_tensor *into = bind_opt_tensor(L, 3);
  const lac_expression *e = check_expression(L, 1);
  read_values(L, 2, e, values);
  if (into) {
    bind_try(L, lac_map_into(into, e, values));
    lua_settop(L, 3);
    return 1;
  }
  lac_device *device = bind_device(L);
  for (uint32_t i = e->names; i-- > 0;)
    if (values[i].tensor) device = lac_tensor_device(values[i].tensor);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_map(y, device, e, values));
}

/* {name = true, ...} = lac.map_names(text) */
static int l_map_names(lua_State *L) {
  const lac_expression *e = check_expression(L, 1);
  lua_createtable(L, 0, (int)e->names);
  for (uint32_t i = 0; i < e->names; i++) {
    lua_pushlstring(L, e->text + e->name[i].at, e->name[i].length);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  return 1;
}

/* masks, report = lac.smallest(scores, k) */
static int l_smallest(lua_State *L) {
  enum { SCORES = 1, MASKS = 3, REPORT, KEPT, MEMORY };
  luaL_checktype(L, SCORES, LUA_TTABLE);
  const uint64_t k = bind_check_count(L, 2);
  const lua_Integer n = luaL_len(L, SCORES);
  luaL_argcheck(L, n >= 0 && n <= 1000000, SCORES, "a list of at most a million tensors");
  lua_settop(L, 2);
  lua_createtable(L, (int)n, 0);
  lac_tensor **report = bind_push_tensor(L);
  lua_createtable(L, (int)n, 0); // keeps the scores, whatever becomes of the list
  lac_tensor **scores = lua_newuserdatauv(L, (2 * (size_t)n + 1) * sizeof *scores, 0);
  lac_tensor **made = scores + n,
             ***boxes = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *boxes, 0);
  for (lua_Integer i = 0; i < n; i++) {
    const char *what = lua_pushfstring(L, "smallest: score %I", i + 1);
    lua_geti(L, SCORES, i + 1);
    scores[i] = check_top(L, what);
    lua_rawseti(L, KEPT, i + 1);
    lua_pop(L, 1);
    boxes[i] = bind_push_tensor(L);
    lua_rawseti(L, MASKS, i + 1);
  }
  bind_try(L, lac_smallest(made, report, scores, (size_t)n, k));
  for (lua_Integer i = 0; i < n; i++)
    *boxes[i] = made[i];
  for (lua_Integer i = 0; i < n; i++) {
    lua_rawgeti(L, MASKS, i + 1);
    bind_adopt(L, -1);
    lua_pop(L, 1);
  }
  bind_adopt(L, REPORT);
  lua_settop(L, REPORT);
  return 2;
}

/* mask = lac.smallest_of_groups(score, n, m) */
static int l_smallest_of_groups(lua_State *L) {
  lac_tensor *score = bind_check_tensor(L, 1);
  const uint64_t n = bind_check_count(L, 2), m = bind_check_count(L, 3);
  lac_tensor **mask = bind_push_tensor(L);
  return bind_result(L, lac_smallest_of_groups(mask, score, n, m));
}

void bind_open_prune(lua_State *L) {
  static const luaL_Reg functions[] = {{"map", l_map},
                                       {"map_names", l_map_names},
                                       {"smallest", l_smallest},
                                       {"smallest_of_groups", l_smallest_of_groups},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
