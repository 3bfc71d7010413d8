/* Masked weights in Lua; nn.mask is what models use. */
#include "bind/bind.h"

#include "sparse/mask.h"

/* y = lac.mask{w =, logit =, [rng = | noise =, bypass = true]} */
static int l_mask(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "bypass");
  const lac_mask_args args = {.w = bind_field_tensor(L, 1, "w", true),
                              .logit = bind_field_tensor(L, 1, "logit", true),
                              .rng = bind_field_rng(L, 1, "rng"),
                              .noise = bind_field_tensor(L, 1, "noise", false),
                              .bypass = lua_toboolean(L, 2)};
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_mask(y, &args));
}

/* y = logit:mask_count(): how many weights rounding keeps */
static int l_mask_count(lua_State *L) {
  lac_tensor *logit = bind_check_tensor(L, 1);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_mask_count(y, logit));
}

void bind_open_sparse(lua_State *L) {
  lua_pushcfunction(L, l_mask);
  lua_setfield(L, -2, "mask");
  luaL_getmetatable(L, BIND_TENSOR);
  lua_pushcfunction(L, l_mask_count);
  lua_setfield(L, -2, "mask_count");
  lua_pop(L, 1);
}
