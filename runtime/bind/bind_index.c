/* Operations that take indices or lists: look-up, joining, repeating, and the losses over targets.
 */
#include "bind/bind.h"

#include "ops/index.h"
#include "ops/loss.h"

/* y = lac.embedding(table, ids) */
static int l_embedding(lua_State *L) {
  lac_tensor *table = bind_check_tensor(L, 1), *ids = bind_check_tensor(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_embedding(y, table, ids));
}

/* y = x:pick(index): one element of each row */
static int l_pick(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1), *at = bind_check_tensor(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_pick(y, x, at));
}

enum { CONCAT_MAX = 65536 };

/* y = lac.concat({a, b, ...}, dim). The items stay on the stack: a metamethod may have made them
 * for us. */
static int l_concat(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  const lua_Integer count = luaL_len(L, 1);
  if (count < 1 || count > CONCAT_MAX)
    return luaL_error(L, "concat: takes 1 to %d tensors, got %I", (int)CONCAT_MAX, count);
  luaL_checkstack(L, (int)count + 8, "concat");
  lac_tensor **parts = lua_newuserdatauv(L, (size_t)count * sizeof *parts, 0);
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    lac_tensor **box = luaL_testudata(L, -1, BIND_TENSOR);
    if (!box || !*box)
      return luaL_error(L, "concat: item %I must be a tensor, got %s", i + 1,
                        box ? "a closed one" : luaL_typename(L, -1));
    parts[i] = *box;
  }
  const uint32_t dim = bind_check_dim(L, 2, lac_tensor_shape(parts[0])->rank);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_concat(y, parts, (size_t)count, dim));
}

/* y = x:repeat_rows(k): every row k times, copies adjacent */
static int l_repeat_rows(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint64_t k = bind_check_count(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_repeat_rows(y, x, k));
}

/* loss = lac.xent(x, targets, weights [, {smoothing = 0, total = (sum of weights)}]) */
static int l_xent(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1), *targets = bind_check_tensor(L, 2);
  lac_tensor *weights = bind_check_tensor(L, 3);
  lua_Number smoothing = 0, total = 0;
  if (!lua_isnoneornil(L, 4)) {
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_getfield(L, 4, "smoothing");
    smoothing = luaL_optnumber(L, -1, 0);
    const bool given = lua_getfield(L, 4, "total") != LUA_TNIL;
    total = luaL_optnumber(L, -1, 0);
    luaL_argcheck(L, !given || total != 0, 4, "xent: total must be a number > 0, got 0");
  }
  lac_tensor **loss = bind_push_tensor(L);
  return bind_result(L, lac_xent(loss, x, targets, weights, (float)smoothing, (float)total));
}

/* loss = lac.nll(x, targets, weights) */
static int l_nll(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1), *targets = bind_check_tensor(L, 2);
  lac_tensor *weights = bind_check_tensor(L, 3);
  lac_tensor **loss = bind_push_tensor(L);
  return bind_result(L, lac_nll(loss, x, targets, weights));
}

void bind_open_index(lua_State *L) {
  static const luaL_Reg functions[] = {{"embedding", l_embedding},
                                       {"concat", l_concat},
                                       {"xent", l_xent},
                                       {"nll", l_nll},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"pick", l_pick}, {"repeat_rows", l_repeat_rows}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_getmetatable(L, BIND_TENSOR);
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
