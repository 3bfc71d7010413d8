/* Drawing words in Lua; tables name the arguments. */
#include "bind/bind.h"

#include "ops/draw.h"

static double field_number(lua_State *L, const char *name, double otherwise) {
  lua_getfield(L, 1, name);
  const double value = luaL_optnumber(L, -1, otherwise);
  lua_pop(L, 1);
  return value;
}

/* What the table at 1 says; its values stay on the stack. */
static lac_draw_args check_args(lua_State *L, const char *op) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "top_k");
  const lua_Integer top_k = luaL_optinteger(L, -1, 0);
  if (top_k < 0 || top_k > INT32_MAX)
    luaL_error(L, "%s: top_k must be 0 (all words) or more, got %I", op, top_k);
  return (lac_draw_args){.top_k = (uint32_t)top_k,
                         .nucleus = (float)field_number(L, "nucleus", 1),
                         .temperature = (float)field_number(L, "temperature", 1),
                         .x = bind_field_tensor(L, 1, "logits", true),
                         .words = bind_field_tensor(L, 1, "words", false),
                         .amounts = bind_field_tensor(L, 1, "amounts", false),
                         .places = bind_field_tensor(L, 1, "places", false),
                         .rng = bind_field_rng(L, 1, "rng")};
}

/* y = lac.allowed{logits = [, words = [, amounts =]] [, top_k =] [, nucleus =] [, temperature =]};
 * see ops/draw.h */
static int l_allowed(lua_State *L) {
  const lac_draw_args args = check_args(L, "allowed");
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_draw_allowed(y, &args));
}

/* ids, logprobs = lac.draw{logits =, rng = [, places =] and as above}; ids count from 0 */
static int l_draw(lua_State *L) {
  const lac_draw_args args = check_args(L, "draw");
  lac_tensor **ids = bind_push_tensor(L), **logprobs = bind_push_tensor(L);
  bind_try(L, lac_draw(ids, logprobs, &args));
  bind_adopt(L, -2);
  bind_adopt(L, -1);
  return 2;
}

void bind_open_draw(lua_State *L) {
  static const luaL_Reg functions[] = {{"allowed", l_allowed}, {"draw", l_draw}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
