/* Optimiser steps in Lua; lua/optim/ is what scripts use. Arguments come in one table. */
#include "bind/bind.h"

#include "ops/update.h"

/* Field `name` of the table at 1, or `otherwise` where it is absent. */
static double field_number(lua_State *L, const char *name, double otherwise) {
  int good = 1;
  lua_getfield(L, 1, name);
  const double value = lua_isnil(L, -1) ? otherwise : lua_tonumberx(L, -1, &good);
  if (!good) luaL_error(L, "field '%s' must be a number, got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1);
  return value;
}

static lac_step check_step(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return (lac_step){.rate = (float)field_number(L, "rate", 0),
                    .decay = (float)field_number(L, "decay", 0),
                    .clip = (float)field_number(L, "clip", 0),
                    .mask = bind_field_tensor(L, 1, "mask", false)};
}

/* lac.sgd_step{w =, rate =, [v =, momentum =, decay =, clip =, mask =]} */
static int l_sgd_step(lua_State *L) {
  const lac_step step = check_step(L);
  lac_tensor *w = bind_field_tensor(L, 1, "w", true), *v = bind_field_tensor(L, 1, "v", false);
  bind_try(L, lac_sgd_step(w, v, (float)field_number(L, "momentum", 0), &step));
  return 0;
}

/* lac.adam_step{w =, m =, v =, count =, rate =, [beta1 =, beta2 =, epsilon =, tensorflow =, decay
 * =, clip =, mask =]} */
static int l_adam_step(lua_State *L) {
  const lac_step step = check_step(L);
  lac_tensor *w = bind_field_tensor(L, 1, "w", true), *m = bind_field_tensor(L, 1, "m", true);
  lac_tensor *v = bind_field_tensor(L, 1, "v", true);
  const double count = field_number(L, "count", 0);
  lua_getfield(L, 1, "tensorflow");
  const lac_adam adam = {.beta1 = field_number(L, "beta1", 0.9),
                         .beta2 = field_number(L, "beta2", 0.999),
                         .epsilon = (float)field_number(L, "epsilon", 1e-8),
                         .count = count >= 1 && count < 1e18 ? (uint64_t)count : 0,
                         .tensorflow = lua_toboolean(L, -1)};
  bind_try(L, lac_adam_step(w, m, v, &adam, &step));
  return 0;
}

void bind_open_update(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"sgd_step", l_sgd_step}, {"adam_step", l_adam_step}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
