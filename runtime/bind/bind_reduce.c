/* Reductions as methods of tensors. */
#include "bind/bind.h"

#include "ops/reduce.h"

typedef struct reduce_row {
  const char *name;
  lac_status (*fn)(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep);
} reduce_row;

static const reduce_row reduce_rows[] = {
    {"sum", lac_sum}, {"mean", lac_mean}, {"max", lac_max}, {"argmax", lac_argmax}};

/* y = x:NAME([dim [, keep]]): along one dimension, or over all elements without it */
static int l_reduce(lua_State *L) {
  const reduce_row *row = lua_touserdata(L, lua_upvalueindex(1));
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint32_t dim =
      lua_isnoneornil(L, 2) ? LAC_ALL : bind_check_dim(L, 2, lac_tensor_shape(x)->rank);
  const bool keep = lua_toboolean(L, 3);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, row->fn(y, x, dim, keep));
}

/* values, indices = x:topk(k): of the last dimension, largest first; indices count from 0 */
static int l_topk(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint64_t k = bind_check_count(L, 2);
  lac_tensor **values = bind_push_tensor(L), **indices = bind_push_tensor(L);
  bind_try(L, lac_topk(values, indices, x, k));
  bind_adopt(L, -2);
  bind_adopt(L, -1);
  return 2;
}

/* mean, std = lac.moments(x): of all elements, without a gradient */
static int l_moments(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  lac_tensor **mean = bind_push_tensor(L), **std = bind_push_tensor(L);
  bind_try(L, lac_moments(mean, std, x));
  bind_adopt(L, -2);
  bind_adopt(L, -1);
  return 2;
}

void bind_open_reduce(lua_State *L) {
  lua_pushcfunction(L, l_moments);
  lua_setfield(L, -2, "moments");
  luaL_getmetatable(L, BIND_TENSOR);
  BIND_ADD_ROWS(reduce_rows, l_reduce)
  lua_pushcfunction(L, l_topk);
  lua_setfield(L, -2, "topk");
  lua_pop(L, 1);
}
