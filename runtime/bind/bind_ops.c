/* Operations as methods of tensors: one stub per argument shape, one row per operation. */
#include "bind/bind.h"

#include "ops/elementwise.h"
#include "ops/softmax.h"

#include <math.h>

typedef struct map1_row {
  const char *name;
  lac_status (*fn)(lac_tensor **out, lac_tensor *x);
} map1_row;

static const map1_row map1_rows[] = {
    {"clone", lac_clone},     {"neg", lac_neg},
    {"exp", lac_exp},         {"log", lac_log},
    {"sqrt", lac_sqrt},       {"square", lac_square},
    {"abs", lac_abs},         {"reciprocal", lac_reciprocal},
    {"relu", lac_relu},       {"tanh", lac_tanh},
    {"sigmoid", lac_sigmoid}, {"gelu", lac_gelu},
    {"to_f32", lac_to_f32},   {"to_i32", lac_to_i32},
    {"softmax", lac_softmax}, {"log_softmax", lac_log_softmax},
};

/* y = x:NAME() */
static int l_map1(lua_State *L) {
  const map1_row *row = lua_touserdata(L, lua_upvalueindex(1));
  lac_tensor *x = bind_check_tensor(L, 1);
  lac_tensor **y = bind_push_tensor(L); // the empty box exists before the tensor does
  return bind_result(L, row->fn(y, x));
}

typedef struct map1_attr_row {
  const char *name;
  lac_status (*fn)(lac_tensor **out, lac_tensor *x, float a, float b);
  float a, b; /* defaults; NaN where the argument is required */
} map1_attr_row;

static const map1_attr_row map1_attr_rows[] = {
    {"scale", lac_scale, NAN, 0},
    {"clamp", lac_clamp, NAN, NAN},
};

static float attr(lua_State *L, int index, float otherwise) {
  return isnan(otherwise) ? (float)luaL_checknumber(L, index)
                          : (float)luaL_optnumber(L, index, otherwise);
}

/* y = x:NAME(a, b) */
static int l_map1_attr(lua_State *L) {
  const map1_attr_row *row = lua_touserdata(L, lua_upvalueindex(1));
  lac_tensor *x = bind_check_tensor(L, 1);
  const float a = attr(L, 2, row->a), b = attr(L, 3, row->b);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, row->fn(y, x, a, b));
}

typedef struct map2_row {
  const char *name;
  lac_status (*fn)(lac_tensor **out, lac_tensor *a, lac_tensor *b);
} map2_row;

static const map2_row map2_rows[] = {
    {"add", lac_add}, {"sub", lac_sub},         {"mul", lac_mul},
    {"div", lac_div}, {"maximum", lac_maximum}, {"minimum", lac_minimum},
};

/* y = a:NAME(b) */
static int l_map2(lua_State *L) {
  const map2_row *row = lua_touserdata(L, lua_upvalueindex(1));
  lac_tensor *a = bind_check_tensor(L, 1), *b = bind_check_tensor(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, row->fn(y, a, b));
}

/* y = x:greater(a): 1 where x > a, else 0 */
static int l_greater(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const float a = (float)luaL_checknumber(L, 2);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_greater(y, x, a));
}

void bind_open_ops(lua_State *L) {
  static const luaL_Reg methods[] = {{"greater", l_greater}, {NULL, NULL}};
  luaL_getmetatable(L, BIND_TENSOR);
  BIND_ADD_ROWS(map1_rows, l_map1)
  BIND_ADD_ROWS(map1_attr_rows, l_map1_attr)
  BIND_ADD_ROWS(map2_rows, l_map2)
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
