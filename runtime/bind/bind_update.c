/* Optimiser steps in Lua; lua/optim/ is what scripts use. Arguments come in one table: the
 * parameters in its list part, each a table of its own, and the settings in its fields. */
#include "bind/bind.h"

#include "ops/update.h"

/* Field `name` of the table at index, or `otherwise` where it is absent. */
static double field_number(lua_State *L, int index, const char *name, double otherwise) {
  int good = 1;
  lua_getfield(L, index, name);
  const double value = lua_isnil(L, -1) ? otherwise : lua_tonumberx(L, -1, &good);
  if (!good) luaL_error(L, "field '%s' must be a number, got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1);
  return value;
}

static bool field_flag(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static lac_step check_step(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  return (lac_step){.rate = (float)field_number(L, 1, "rate", 0),
                    .decay = (float)field_number(L, 1, "decay", 0),
                    .clip = (float)field_number(L, 1, "clip", 0),
                    .max_norm = (float)field_number(L, 1, "max_norm", 0),
                    .norm = bind_field_tensor(L, 1, "norm", false)};
}

static lua_Integer check_count(lua_State *L) {
  const lua_Integer n = luaL_len(L, 1);
  luaL_argcheck(L, n >= 0 && n <= 1000000, 1, "a list of at most a million parameters");
  return n;
}

/* Push the memory of a list, and above it a table for what the list points to: the arguments may
 * lie, and what a metamethod made for us is held by nothing else. */
static void *push_list(lua_State *L, lua_Integer count, size_t bytes) {
  void *list = lua_newuserdatauv(L, ((size_t)count + 1) * bytes, 0);
  lua_newtable(L);
  return list;
}

/* Move what lies above the table at `anchor` into it. */
static void keep_rest(lua_State *L, int anchor) {
  while (lua_gettop(L) > anchor)
    lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
}

/* The list part of the arguments. */
static lac_update *check_updates(lua_State *L, size_t *count) {
  const lua_Integer n = check_count(L);
  lac_update *list = push_list(L, n, sizeof *list);
  const int anchor = lua_gettop(L);
  for (lua_Integer i = 0; i < n; i++) {
    if (lua_geti(L, 1, i + 1) != LUA_TTABLE)
      luaL_error(L, "parameter %I must be a table, got %s", i + 1, luaL_typename(L, -1));
    const int at = lua_gettop(L);
    const double steps = field_number(L, at, "count", 0);
    list[i] = (lac_update){.count = steps >= 1 && steps < 1e18 ? (uint64_t)steps : 0};
    list[i].w = bind_field_tensor(L, at, "w", true);
    list[i].s = bind_field_tensor(L, at, "s", false);
    list[i].t = bind_field_tensor(L, at, "t", false);
    list[i].mask = bind_field_tensor(L, at, "mask", false);
    keep_rest(L, anchor);
  }
  *count = (size_t)n;
  return list;
}

/* lac.sgd_step{{w =, [s =, mask =]}, ..., rate =, [momentum =, nesterov =, decay =, clip =,
 * max_norm =, norm =]} */
static int l_sgd_step(lua_State *L) {
  const lac_step step = check_step(L);
  size_t n;
  const lac_update *list = check_updates(L, &n);
  const lac_sgd sgd = {(float)field_number(L, 1, "momentum", 0), field_flag(L, "nesterov")};
  bind_try(L, lac_sgd_step(list, n, &sgd, &step));
  return 0;
}

/* lac.adam_step{{w =, s =, t =, count =, [mask =]}, ..., rate =, [beta1 =, beta2 =, epsilon =,
 * tensorflow =, decoupled =, and as above]} */
static int l_adam_step(lua_State *L) {
  const lac_step step = check_step(L);
  size_t n;
  const lac_update *list = check_updates(L, &n);
  const lac_adam adam = {.beta1 = field_number(L, 1, "beta1", 0.9),
                         .beta2 = field_number(L, 1, "beta2", 0.999),
                         .epsilon = (float)field_number(L, 1, "epsilon", 1e-8),
                         .tensorflow = field_flag(L, "tensorflow"),
                         .decoupled = field_flag(L, "decoupled")};
  bind_try(L, lac_adam_step(list, n, &adam, &step));
  return 0;
}

/* lac.rmsprop_step{{w =, s =, [t =, mask =]}, ..., rate =, [alpha =, epsilon =, momentum =, and as
 * above]} */
static int l_rmsprop_step(lua_State *L) {
  const lac_step step = check_step(L);
  size_t n;
  const lac_update *list = check_updates(L, &n);
  const lac_rmsprop rmsprop = {.alpha = field_number(L, 1, "alpha", 0.99),
                               .epsilon = (float)field_number(L, 1, "epsilon", 1e-8),
                               .momentum = (float)field_number(L, 1, "momentum", 0)};
  bind_try(L, lac_rmsprop_step(list, n, &rmsprop, &step));
  return 0;
}

/* y = lac.grad_norm{w, ...}: of their gradients together */
static int l_grad_norm(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const lua_Integer n = check_count(L);
  lac_tensor **list = push_list(L, n, sizeof(lac_tensor *));
  const int anchor = lua_gettop(L);
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, 1, i + 1);
    list[i] = bind_check_tensor(L, anchor + 1);
    keep_rest(L, anchor);
  }
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_grad_norm(y, list, (size_t)n));
}

void bind_open_update(lua_State *L) {
  static const luaL_Reg functions[] = {{"sgd_step", l_sgd_step},
                                       {"adam_step", l_adam_step},
                                       {"rmsprop_step", l_rmsprop_step},
                                       {"grad_norm", l_grad_norm},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
