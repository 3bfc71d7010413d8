/* Layers of pictures in Lua: maps [n, height, width, channels] and a table of options. */
#include "bind/bind.h"

#include "layers/batch_norm.h"
#include "layers/convolution.h"
#include "layers/pooling.h"

#include <string.h>

/* An empty table of options in place of nil at index; every key must be in the list. */
static void check_options(lua_State *L, int index, const char *op, const char *const *known) {
  if (lua_isnil(L, index)) {
    lua_newtable(L);
    lua_replace(L, index);
  }
  luaL_checktype(L, index, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    int i = 0;
    while (known[i] && !(key && strcmp(known[i], key) == 0))
      i++;
    if (!known[i]) luaL_error(L, "%s: unknown option '%s'", op, key ? key : luaL_typename(L, -2));
  }
}

static uint32_t check_number(lua_State *L, int index, const char *op, const char *name) {
  int is_integer;
  const lua_Integer n = lua_tointegerx(L, index, &is_integer);
  if (!is_integer || n < 0 || n > INT32_MAX)
    luaL_error(L, "%s: %s must be a whole number >= 0 or a table of them, got %s", op, name,
               luaL_tolstring(L, index, NULL));
  return (uint32_t)n;
}

/* Option `name` of the table at index: a number, or a table of 2 or, where `most` allows it, 4.
 * Returns how many there are, 0 where absent. */
static int read_numbers(lua_State *L, int index, const char *op, const char *name, int most,
                        uint32_t *numbers) {
  int count = 1;
  lua_getfield(L, index, name);
  if (lua_isnil(L, -1)) {
    count = 0;
  } else if (lua_istable(L, -1)) {
    count = (int)luaL_len(L, -1);
    if (count != 2 && count != most)
      luaL_error(L, "%s: %s must be a number or a table of 2%s, got %d", op, name,
                 most == 4 ? " or 4" : "", count);
    for (int i = 0; i < count; i++) {
      lua_geti(L, -1, i + 1);
      numbers[i] = check_number(L, -1, op, name);
      lua_pop(L, 1);
    }
  } else {
    numbers[0] = check_number(L, -1, op, name);
  }
  lua_pop(L, 1);
  return count;
}

static void read_pair(lua_State *L, int index, const char *op, const char *name,
                      const uint32_t *otherwise, uint32_t pair[2]) {
  const int count = read_numbers(L, index, op, name, 2, pair);
  if (count == 0) memcpy(pair, otherwise, 2 * sizeof *pair);
  if (count == 1) pair[1] = pair[0];
}

/* All of a window but its size: stride, dilation, and padding = p | {rows, columns} |
 * {top, bottom, left, right}. */
static void read_window(lua_State *L, int index, const char *op, const uint32_t *stride,
                        lac_window *w) {
  static const uint32_t one[] = {1, 1};
  uint32_t p[4] = {0};
  read_pair(L, index, op, "stride", stride ? stride : one, w->stride);
  read_pair(L, index, op, "dilation", one, w->dilation);
  const int count = read_numbers(L, index, op, "padding", 4, p);
  for (int d = 0; d < 2; d++) {
    w->before[d] = count == 4 ? p[2 * d] : count == 2 ? p[d] : p[0];
    w->after[d] = count == 4 ? p[2 * d + 1] : w->before[d];
  }
}

static bool read_flag(lua_State *L, int index, const char *name, bool otherwise) {
  const bool flag =
      lua_getfield(L, index, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return flag;
}

/* y = lac.conv2d(x, weight, bias or nil [, {stride = 1, padding = 0, dilation = 1, groups = 1}]) */
static int l_conv2d(lua_State *L) {
  static const char *const known[] = {"stride", "padding", "dilation", "groups", NULL};
  uint32_t groups[2] = {1};
  lua_settop(L, 4);
  check_options(L, 4, "conv2d", known);
  lac_convolution_args args = {.groups = 1};
  read_window(L, 4, "conv2d", NULL, &args.window);
  if (read_numbers(L, 4, "conv2d", "groups", 1, groups) == 1) args.groups = groups[0];
  args.x = bind_check_tensor(L, 1);
  args.weight = bind_check_tensor(L, 2);
  args.bias = bind_opt_tensor(L, 3);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_convolution(y, &args));
}

/* The window of a pooling; its stride is its size unless given. */
static void read_pool(lua_State *L, const char *op, lac_window *w) {
  if (read_numbers(L, 2, op, "size", 2, w->size) == 0)
    luaL_error(L, "%s: wants size, the window's rows and columns", op);
  static const uint32_t none[2] = {0};
  read_pair(L, 2, op, "size", none, w->size);
  read_window(L, 2, op, w->size, w);
}

/* y = lac.max_pool(x, {size =, stride = size, padding = 0, dilation = 1, ceil = false}) */
static int l_max_pool(lua_State *L) {
  static const char *const known[] = {"size", "stride", "padding", "dilation", "ceil", NULL};
  lac_window window;
  lua_settop(L, 2);
  check_options(L, 2, "max_pool", known);
  read_pool(L, "max_pool", &window);
  const bool ceil = read_flag(L, 2, "ceil", false);
  lac_tensor *x = bind_check_tensor(L, 1);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_max_pool(y, x, &window, ceil));
}

/* y = lac.average_pool(x, {as max_pool, count_padding = true}) */
static int l_average_pool(lua_State *L) {
  static const char *const known[] = {"size", "stride",        "padding", "dilation",
                                      "ceil", "count_padding", NULL};
  lac_window window;
  lua_settop(L, 2);
  check_options(L, 2, "average_pool", known);
  read_pool(L, "average_pool", &window);
  const bool ceil = read_flag(L, 2, "ceil", false);
  const bool with_padding = read_flag(L, 2, "count_padding", true);
  lac_tensor *x = bind_check_tensor(L, 1);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_average_pool(y, x, &window, ceil, with_padding));
}

static float read_float(lua_State *L, int index, const char *op, const char *name,
                        float otherwise) {
  lua_getfield(L, index, name);
  if (!lua_isnil(L, -1) && !lua_isnumber(L, -1))
    luaL_error(L, "%s: %s must be a number, got %s", op, name, luaL_typename(L, -1));
  const float value = (float)luaL_optnumber(L, -1, otherwise);
  lua_pop(L, 1);
  return value;
}

/* y = lac.batch_norm(x, {mean =, variance = [, gain =] [, offset =], eps = 1e-5, momentum = 0.1,
 * training = false [, activation = "relu" | "relu6"]}) */
static int l_batch_norm(lua_State *L) {
  static const char *const known[] = {"mean",     "variance", "gain",       "offset", "eps",
                                      "momentum", "training", "activation", NULL};
  static const char *const activations[] = {"none", "relu", "relu6", NULL};
  lua_settop(L, 2);
  check_options(L, 2, "batch_norm", known);
  lua_getfield(L, 2, "activation");
  const lac_batch_norm_args args = {.activation =
                                        (lac_activation)luaL_checkoption(L, 3, "none", activations),
                                    .eps = read_float(L, 2, "batch_norm", "eps", 1e-5f),
                                    .momentum = read_float(L, 2, "batch_norm", "momentum", 0.1f),
                                    .training = read_flag(L, 2, "training", false),
                                    .mean = bind_field_tensor(L, 2, "mean", true),
                                    .variance = bind_field_tensor(L, 2, "variance", true),
                                    .gain = bind_field_tensor(L, 2, "gain", false),
                                    .offset = bind_field_tensor(L, 2, "offset", false),
                                    .x = bind_check_tensor(L, 1)};
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_batch_norm(y, &args));
}

void bind_open_maps(lua_State *L) {
  static const luaL_Reg functions[] = {{"conv2d", l_conv2d},
                                       {"max_pool", l_max_pool},
                                       {"average_pool", l_average_pool},
                                       {"batch_norm", l_batch_norm},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
