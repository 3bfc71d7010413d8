/* Products and layers in Lua, whose arguments are too many for a row: tables name them. */
#include "bind/bind_weights.h"

#include "layers/attention.h"
#include "layers/layer_norm.h"
#include "layers/recurrent.h"
#include "layers/trigonometric.h"
#include "ops/linear.h"
#include "ops/matmul.h"

/* y = a:matmul(b) */
static int l_matmul(lua_State *L) {
  lac_tensor *a = bind_check_tensor(L, 1), *b = bind_check_tensor(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_matmul(y, a, b));
}

const char *const BIND_WEIGHTS = "lac.weights";

lac_weights **bind_push_weights(lua_State *L) {
  lac_weights **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BIND_WEIGHTS);
  return box;
}

/* Weights at a stack index: a tensor, or what lac.prepare made of one. */
static lac_tensor *check_weights(lua_State *L, int index, lac_weights **weights) {
  lac_weights **box = luaL_testudata(L, index, BIND_WEIGHTS);
  *weights = box ? *box : NULL;
  if (!box) return bind_check_tensor(L, index);
  if (*box) return (*box)->w;
  luaL_error(L, "linear: closed weights");
  return NULL; // not reached
}

/* y = x:linear(w [, bias]). The result's box comes first: after the arguments were looked at
 * nothing may run that could close the weights. */
static int l_linear(lua_State *L) {
  lua_settop(L, 3);
  lac_tensor **y = bind_push_tensor(L);
  lac_linear_args args = {.pairs = 1, .x = {bind_check_tensor(L, 1)}};
  args.w[0] = check_weights(L, 2, &args.weights[0]);
  args.bias = bind_opt_tensor(L, 3);
  return bind_result(L, lac_linear(y, &args));
}

/* y = lac.linear{x1, w1, x2, w2, ..., bias =, add =} or lac.linear{..., onto = slice} */
static int l_linear_sum(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const lua_Integer n = luaL_len(L, 1);
  if (n < 2 || n % 2 || n > 2 * LAC_LINEAR_PAIRS)
    return luaL_error(L, "linear: wants 1 to %d pairs x, w, got %I entries", (int)LAC_LINEAR_PAIRS,
                      n);
  lac_linear_args args = {.pairs = (uint32_t)n / 2};
  for (int i = 1; i <= (int)n; i++) // all values first, at 2, 3, ...: metamethods may run here
    lua_geti(L, 1, i);
  args.bias = bind_field_tensor(L, 1, "bias", false);
  args.add = bind_field_tensor(L, 1, "add", false);
  args.onto = bind_field_tensor(L, 1, "onto", false);
  lac_tensor **y = bind_push_tensor(L);
  for (uint32_t i = 0; i < args.pairs; i++) {
    args.x[i] = bind_check_tensor(L, 2 + 2 * (int)i);
    args.w[i] = check_weights(L, 3 + 2 * (int)i, &args.weights[i]);
  }
  return bind_result(L, lac_linear(y, &args));
}

/* weights = lac.prepare(w): for many uses in linear while w keeps its values */
static int l_prepare(lua_State *L) {
  lac_weights **box = bind_push_weights(L);
  bind_try(L, lac_weights_prepare(box, bind_check_tensor(L, 1)));
  return 1;
}

static int l_close_weights(lua_State *L) {
  lac_weights **box = luaL_checkudata(L, 1, BIND_WEIGHTS);
  lac_weights *weights = *box;
  *box = NULL;
  lac_weights_release(weights);
  return 0;
}

/* h, c = lac.lstm_cell(z, c_prev [, place of h, place of c]) */
static int l_lstm_cell(lua_State *L) {
  lac_tensor *z = bind_check_tensor(L, 1), *c_prev = bind_check_tensor(L, 2);
  const lac_lstm_places places = {bind_opt_tensor(L, 3), bind_opt_tensor(L, 4)};
  lac_tensor **h = bind_push_tensor(L), **c = bind_push_tensor(L);
  bind_try(L, lac_lstm_cell(h, c, z, c_prev, &places));
  bind_adopt(L, -2);
  bind_adopt(L, -1);
  return 2;
}

/* y = lac.gru_reset(z, h [, place]) */
static int l_gru_reset(lua_State *L) {
  lua_settop(L, 3);
  lac_tensor **y = bind_push_tensor(L);
  lac_tensor *z = bind_check_tensor(L, 1), *h = bind_check_tensor(L, 2);
  return bind_result(L, lac_gru_reset(y, z, h, bind_opt_tensor(L, 3)));
}

/* y = lac.gru_cell(z, candidate, h [, place]) */
static int l_gru_cell(lua_State *L) {
  lua_settop(L, 4);
  lac_tensor **y = bind_push_tensor(L);
  lac_tensor *z = bind_check_tensor(L, 1), *candidate = bind_check_tensor(L, 2);
  lac_tensor *h = bind_check_tensor(L, 3);
  return bind_result(L, lac_gru_cell(y, z, candidate, h, bind_opt_tensor(L, 4)));
}

/* y, weights = lac.attention{query =, keys =, values =, v = [, mask =] [, owners =, members =]
 * [, place =] [, dropout =, rng =]} */
static int l_attention(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "dropout");
  const float dropout = (float)luaL_optnumber(L, -1, 0);
  const lac_attention_args args = {.dropout = dropout,
                                   .rng = bind_field_rng(L, 1, "rng"),
                                   .query = bind_field_tensor(L, 1, "query", true),
                                   .keys = bind_field_tensor(L, 1, "keys", true),
                                   .values = bind_field_tensor(L, 1, "values", true),
                                   .v = bind_field_tensor(L, 1, "v", true),
                                   .mask = bind_field_tensor(L, 1, "mask", false),
                                   .owners = bind_field_tensor(L, 1, "owners", false),
                                   .members = bind_field_tensor(L, 1, "members", false),
                                   .place = bind_field_tensor(L, 1, "place", false)};
  lac_tensor **y = bind_push_tensor(L), **w = bind_push_tensor(L);
  bind_try(L, lac_attention_additive(y, w, &args));
  bind_adopt(L, -2);
  bind_adopt(L, -1);
  return 2;
}

/* y = lac.layer_norm(x, gain, offset [, {form = "standard" | "published", eps = 1e-5 | 1e-6}]) */
static int l_layer_norm(lua_State *L) {
  static const char *const forms[] = {"standard", "published", NULL};
  static const float eps[] = {1e-5f, 1e-6f};
  lua_settop(L, 4);
  lac_tensor *x = bind_check_tensor(L, 1), *gain = bind_check_tensor(L, 2);
  lac_tensor *offset = bind_check_tensor(L, 3);
  if (lua_isnil(L, 4)) {
    lua_newtable(L);
    lua_replace(L, 4);
  }
  luaL_checktype(L, 4, LUA_TTABLE);
  lua_getfield(L, 4, "form");
  lua_getfield(L, 4, "eps");
  const int form = luaL_checkoption(L, 5, forms[0], forms);
  const float small = (float)luaL_optnumber(L, 6, eps[form]);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_layer_norm(y, x, gain, offset, small, (lac_layer_norm_form)form));
}

/* y = lac.positions(count, d) */
static int l_positions(lua_State *L) {
  const uint64_t count = bind_check_count(L, 1), d = bind_check_count(L, 2);
  lac_device *device = bind_device(L);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_positions(y, device, count, d));
}

/* y = lac.box_embedding(boxes [, {trigonometric = true}]) */
static int l_box_embedding(lua_State *L) {
  lua_settop(L, 2);
  lac_tensor *boxes = bind_check_tensor(L, 1);
  bool trigonometric = true;
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_getfield(L, 2, "trigonometric") != LUA_TNIL) trigonometric = lua_toboolean(L, -1);
  }
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_box_embedding(y, boxes, trigonometric));
}

void bind_open_layers(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"linear", l_linear_sum},           {"prepare", l_prepare},
      {"lstm_cell", l_lstm_cell},         {"gru_reset", l_gru_reset},
      {"gru_cell", l_gru_cell},           {"attention", l_attention},
      {"layer_norm", l_layer_norm},       {"positions", l_positions},
      {"box_embedding", l_box_embedding}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"matmul", l_matmul}, {"linear", l_linear}, {NULL, NULL}};
  static const luaL_Reg weights[] = {{"close", l_close_weights},
                                     {"__gc", l_close_weights},
                                     {"__close", l_close_weights},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  bind_new_class(L, BIND_WEIGHTS, weights);
  luaL_getmetatable(L, BIND_TENSOR);
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
