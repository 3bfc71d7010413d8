/* Tensors in Lua: construction, shape, views, conversion, metamethods. Dimensions are 1-based here.
 */
#include "bind/bind.h"

#include "autograd/tape.h"
#include "ops/elementwise.h"

#include <string.h>

static const char *const dtype_names[] = {"f32", "i32", NULL};

static lac_dtype check_dtype(lua_State *L, int index) {
  return (lac_dtype)luaL_checkoption(L, index, "f32", dtype_names);
}

/* Nested tables: the shape is read along the first elements, then every level is checked against
 * it. */
static lac_shape measure(lua_State *L, int index) {
  lac_shape shape = {.rank = 0};
  const int top = lua_gettop(L);
  lua_pushvalue(L, index);
  while (lua_istable(L, -1)) {
    if (shape.rank == LAC_MAX_RANK)
      luaL_error(L, "tensor: tables are nested deeper than %d", (int)LAC_MAX_RANK);
    const lua_Integer n = luaL_len(L, -1);
    shape.dim[shape.rank++] = (uint64_t)n;
    if (n == 0) break;
    lua_geti(L, -1, 1);
  }
  lua_settop(L, top);
  return shape;
}

typedef struct filler {
  lac_dtype dtype;
  const lac_shape *shape;
  char *at;
} filler;

static void fill_number(lua_State *L, filler *f) {
  int good;
  const double number = lua_tonumberx(L, -1, &good);
  if (!good) luaL_error(L, "tensor: elements must be numbers, got %s", luaL_typename(L, -1));
  if (f->dtype == LAC_F32) {
    const float value = (float)number;
    memcpy(f->at, &value, sizeof value);
  } else {
    const int32_t value = (int32_t)(number < INT32_MIN || number > INT32_MAX ? 0 : number);
    if ((double)value != number)
      luaL_error(L, "tensor: an i32 element must be a whole 32-bit number, got %f", number);
    memcpy(f->at, &value, sizeof value);
  }
  f->at += LAC_ELEMENT_BYTES;
}

static void fill_level(lua_State *L, filler *f, uint32_t level) { // value on top of the stack
  if (level == f->shape->rank) {
    fill_number(L, f);
    return;
  }
  if (!lua_istable(L, -1) || (uint64_t)luaL_len(L, -1) != f->shape->dim[level])
    luaL_error(L, "tensor: rows differ in length or depth at level %d", (int)level + 1);
  for (uint64_t i = 1; i <= f->shape->dim[level]; i++) {
    lua_geti(L, -1, (lua_Integer)i);
    fill_level(L, f, level + 1);
    lua_pop(L, 1);
  }
}

/* lac.tensor(number or nested tables [, dtype]) */
static int l_tensor(lua_State *L) {
  if (!lua_istable(L, 1)) luaL_checknumber(L, 1);
  const lac_dtype dtype = check_dtype(L, 2);
  lua_settop(L, 2);
  const lac_shape shape = measure(L, 1);
  const uint64_t n = lac_shape_numel(&shape);
  if (n > (uint64_t)1 << 32)
    luaL_error(L, "tensor: %f elements are too many for tables", (double)n);
  luaL_checkstack(L, 2 * LAC_MAX_RANK, "nested tables");
  char *data = lua_newuserdatauv(L, n * LAC_ELEMENT_BYTES + 1, 0);
  filler f = {dtype, &shape, data};
  lua_pushvalue(L, 1);
  fill_level(L, &f, 0);
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_from(box, device, dtype, &shape, data));
}

/* lac.from_bytes(bytes, shape [, dtype]): native-endian elements, row-major */
static int l_from_bytes(lua_State *L) {
  size_t bytes;
  const char *data = luaL_checklstring(L, 1, &bytes);
  luaL_checktype(L, 2, LUA_TTABLE);
  const lac_shape shape = bind_check_shape(L, 2);
  const lac_dtype dtype = check_dtype(L, 3);
  const uint64_t n = lac_shape_numel(&shape);
  if (n > SIZE_MAX / LAC_ELEMENT_BYTES || n * LAC_ELEMENT_BYTES != bytes)
    return luaL_error(L, "from_bytes: the shape needs %f bytes, got %f", (double)n * 4,
                      (double)bytes);
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_from(box, device, dtype, &shape, data));
}

/* lac.zeros(shape [, dtype]) */
static int l_zeros(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const lac_shape shape = bind_check_shape(L, 1);
  const lac_dtype dtype = check_dtype(L, 2);
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_zeros(box, device, dtype, &shape));
}

/* x:shape() -> table; x:shape(dim) -> number */
static int l_shape(lua_State *L) {
  const lac_shape *shape = lac_tensor_shape(bind_check_tensor(L, 1));
  if (!lua_isnoneornil(L, 2)) {
    lua_pushinteger(L, (lua_Integer)shape->dim[bind_check_dim(L, 2, shape->rank)]);
    return 1;
  }
  lua_createtable(L, (int)shape->rank, 0);
  for (uint32_t i = 0; i < shape->rank; i++) {
    lua_pushinteger(L, (lua_Integer)shape->dim[i]);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int l_dtype(lua_State *L) {
  lua_pushstring(L, dtype_names[lac_tensor_dtype(bind_check_tensor(L, 1))]);
  return 1;
}

static int l_numel(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lac_tensor_numel(bind_check_tensor(L, 1)));
  return 1;
}

/* All elements on the host, in a userdata left on the stack. */
static char *read_all(lua_State *L, const lac_tensor *x) {
  char *data = lua_newuserdatauv(L, lac_tensor_numel(x) * LAC_ELEMENT_BYTES + 1, 0);
  bind_try(L, lac_tensor_read(x, data));
  return data;
}

static void push_element(lua_State *L, lac_dtype dtype, const char *at) {
  if (dtype == LAC_F32) {
    float value;
    memcpy(&value, at, sizeof value);
    lua_pushnumber(L, (lua_Number)value);
  } else {
    int32_t value;
    memcpy(&value, at, sizeof value);
    lua_pushinteger(L, value);
  }
}

static const char *push_level(lua_State *L, const lac_tensor *x, uint32_t level, const char *at) {
  const lac_shape *shape = lac_tensor_shape(x);
  if (level == shape->rank) {
    push_element(L, lac_tensor_dtype(x), at);
    return at + LAC_ELEMENT_BYTES;
  }
  lua_createtable(L, (int)shape->dim[level], 0);
  for (uint64_t i = 1; i <= shape->dim[level]; i++) {
    at = push_level(L, x, level + 1, at);
    lua_seti(L, -2, (lua_Integer)i);
  }
  return at;
}

/* x:totable() -> nested tables, or a number for a scalar; waits for the device */
static int l_totable(lua_State *L) {
  const lac_tensor *x = bind_check_tensor(L, 1);
  luaL_checkstack(L, 2 * LAC_MAX_RANK, "nested tables");
  push_level(L, x, 0, read_all(L, x));
  return 1;
}

/* x:tobytes() -> string of native-endian elements; waits for the device */
static int l_tobytes(lua_State *L) {
  const lac_tensor *x = bind_check_tensor(L, 1);
  const char *data = read_all(L, x);
  lua_pushlstring(L, data, lac_tensor_numel(x) * LAC_ELEMENT_BYTES);
  return 1;
}

/* x:item() -> the one element as a number; waits for the device */
static int l_item(lua_State *L) {
  const lac_tensor *x = bind_check_tensor(L, 1);
  char text[LAC_SHAPE_TEXT];
  if (lac_tensor_numel(x) != 1)
    return luaL_error(L, "item: the tensor must have one element, got shape %s",
                      lac_shape_text(text, lac_tensor_shape(x)));
  push_element(L, lac_tensor_dtype(x), read_all(L, x));
  return 1;
}

/* x:reshape(shape): one dimension may be -1 and is then worked out */
static int l_reshape(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const bool is_table = lua_istable(L, 2);
  const lua_Integer n = is_table ? luaL_len(L, 2) : lua_gettop(L) - 1;
  if (n < 0 || n > LAC_MAX_RANK)
    return luaL_error(L, "reshape: a tensor has at most %d dimensions, got %I", (int)LAC_MAX_RANK,
                      n);
  lua_Integer unknown = 0, known = 1;
  lua_createtable(L, (int)n, 0); // the caller's table stays as it is
  const int shape_index = lua_gettop(L);
  for (lua_Integer i = 1; i <= n; i++) {
    if (is_table)
      lua_geti(L, 2, i);
    else
      lua_pushvalue(L, (int)i + 1);
    const lua_Integer dim = lua_tointeger(L, -1);
    if (dim == -1) {
      if (unknown) return luaL_error(L, "reshape: only one dimension may be -1");
      unknown = i;
    } else if (dim > 0 && known <= INT64_MAX / dim) {
      known *= dim;
    } else {
      known = 0;
    }
    lua_seti(L, shape_index, i);
  }
  if (unknown > 0) {
    lua_pushinteger(L, known ? (lua_Integer)lac_tensor_numel(x) / known : 0);
    lua_seti(L, shape_index, unknown);
  }
  const lac_shape shape = bind_check_shape(L, shape_index);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_reshape(box, x, &shape));
}

/* x:slice(dim, start, length): elements start .. start + length - 1 */
static int l_slice(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint32_t dim = bind_check_dim(L, 2, lac_tensor_shape(x)->rank);
  const uint64_t start = bind_check_count(L, 3), length = bind_check_count(L, 4);
  luaL_argcheck(L, start >= 1, 3, "counts from 1");
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_slice(box, x, dim, start - 1, length));
}

/* x:select(dim, i): the i-th part along dim, without that dimension */
static int l_select(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint32_t dim = bind_check_dim(L, 2, lac_tensor_shape(x)->rank);
  const uint64_t at = bind_check_count(L, 3);
  luaL_argcheck(L, at >= 1, 3, "counts from 1");
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_select(box, x, dim, at - 1));
}

/* x:transpose([a, b]): two dimensions exchanged, by default the last two */
static int l_transpose(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const uint32_t rank = lac_tensor_shape(x)->rank;
  if (lua_isnoneornil(L, 2)) {
    luaL_argcheck(L, rank >= 2, 1, "needs two dimensions");
    lua_settop(L, 1);
    lua_pushinteger(L, -2);
    lua_pushinteger(L, -1);
  }
  const uint32_t a = bind_check_dim(L, 2, rank), b = bind_check_dim(L, 3, rank);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_tensor_transpose(box, x, a, b));
}

/* x:contiguous(): x itself where it is, else a copy */
static int l_contiguous(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  if (lac_tensor_is_contiguous(x)) {
    lua_settop(L, 1);
    return 1;
  }
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_clone(box, x));
}

/* x:fill(number) -> x */
static int l_fill(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  if (lac_tensor_dtype(x) == LAC_F32) {
    const float value = (float)luaL_checknumber(L, 2);
    bind_try(L, lac_tensor_fill(x, &value));
  } else {
    const lua_Integer wide = luaL_checkinteger(L, 2);
    const int32_t value = (int32_t)wide;
    luaL_argcheck(L, value == wide, 2, "does not fit 32 bits");
    bind_try(L, lac_tensor_fill(x, &value));
  }
  lua_settop(L, 1);
  return 1;
}

/* y:copy(x) -> y: overwrite y's elements with x's; no gradient */
static int l_copy(lua_State *L) {
  bind_try(L, lac_tensor_copy(bind_check_tensor(L, 1), bind_check_tensor(L, 2)));
  lua_settop(L, 1);
  return 1;
}

/* x:requires_grad() -> boolean; x:requires_grad(boolean) -> x */
static int l_requires_grad(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  if (lua_isnone(L, 2)) {
    lua_pushboolean(L, lac_tensor_requires_grad(x));
    return 1;
  }
  luaL_argcheck(L, lac_tensor_dtype(x) == LAC_F32, 1, "only f32 tensors have gradients");
  lac_tensor_set_requires_grad(x, lua_toboolean(L, 2));
  lua_settop(L, 1);
  return 1;
}

/* x:grad() -> tensor or nil; it is x's own, so writing to it changes it */
static int l_grad(lua_State *L) {
  lac_tensor *grad = lac_tensor_grad(bind_check_tensor(L, 1));
  if (!grad) {
    lua_pushnil(L);
    return 1;
  }
  lac_tensor **box = bind_push_tensor(L);
  *box = lac_tensor_retain(grad);
  return 1;
}

/* x:zero_grad(): there is no gradient any more */
static int l_zero_grad(lua_State *L) {
  lac_tensor_drop_grad(bind_check_tensor(L, 1));
  return 0;
}

/* x:close(): the memory goes now, unless a tape still needs it */
static int l_close(lua_State *L) {
  bind_tensor_box *box = luaL_checkudata(L, 1, BIND_TENSOR);
  lac_tensor *x = box->tensor;
  if (!x) return 0;
  bind_check_calm(L, "close");
  lac_tensor_hold(x);
  box->husk = x;
  box->tensor = NULL;
  lac_tape_let_go(x);
  lac_tensor_release(x);
  return 0;
}

static int l_collect(lua_State *L) {
  bind_tensor_box *box = luaL_checkudata(L, 1, BIND_TENSOR);
  lac_tensor *x = box->tensor, *husk = box->husk;
  *box = (bind_tensor_box){NULL, NULL};
  if (x) lac_tape_let_go(x);
  lac_tensor_release(x);
  if (husk) lac_tensor_unhold(husk);
  return 0;
}

static int l_is_closed(lua_State *L) {
  lac_tensor **box = luaL_checkudata(L, 1, BIND_TENSOR);
  lua_pushboolean(L, !*box || lac_tensor_is_closed(*box));
  return 1;
}

static int l_tostring(lua_State *L) {
  lac_tensor **box = luaL_checkudata(L, 1, BIND_TENSOR);
  char text[LAC_SHAPE_TEXT];
  if (!*box || lac_tensor_is_closed(*box)) {
    lua_pushliteral(L, "closed tensor");
    return 1;
  }
  lua_pushfstring(L, "tensor %s %s", dtype_names[lac_tensor_dtype(*box)],
                  lac_shape_text(text, lac_tensor_shape(*box)));
  return 1;
}

/* One operator for tensors and numbers: the tensor-tensor function, or a x + b for a number on a
 * side. */
static int arithmetic(lua_State *L, lac_status (*both)(lac_tensor **, lac_tensor *, lac_tensor *),
                      bool is_product) {
  const int number = lua_isnumber(L, 1) ? 1 : lua_isnumber(L, 2) ? 2 : 0;
  if (!number) {
    lac_tensor *a = bind_check_tensor(L, 1), *b = bind_check_tensor(L, 2);
    lac_tensor **box = bind_push_tensor(L);
    return bind_result(L, both(box, a, b));
  }
  lac_tensor *x = bind_check_tensor(L, 3 - number);
  const float value = (float)lua_tonumber(L, number);
  const bool minus = both == lac_sub, flipped = minus && number == 1;
  lac_tensor **box = bind_push_tensor(L);
  if (is_product) return bind_result(L, lac_scale(box, x, value, 0));
  return bind_result(
      L, lac_scale(box, x, flipped ? -1.0f : 1.0f, minus && number == 2 ? -value : value));
}

static int l_add(lua_State *L) {
  return arithmetic(L, lac_add, false);
}

static int l_sub(lua_State *L) {
  return arithmetic(L, lac_sub, false);
}

static int l_mul(lua_State *L) {
  return arithmetic(L, lac_mul, true);
}

static int l_div(lua_State *L) {
  if (lua_isnumber(L, 2)) {
    lac_tensor *x = bind_check_tensor(L, 1);
    lac_tensor **box = bind_push_tensor(L);
    return bind_result(L, lac_scale(box, x, (float)(1.0 / lua_tonumber(L, 2)), 0));
  }
  if (lua_isnumber(L, 1)) {
    lac_tensor *x = bind_check_tensor(L, 2);
    lac_tensor **inverse = bind_push_tensor(L), **box = bind_push_tensor(L);
    bind_try(L, lac_reciprocal(inverse, x));
    return bind_result(L, lac_scale(box, *inverse, (float)lua_tonumber(L, 1), 0));
  }
  return arithmetic(L, lac_div, false);
}

static int l_unm(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  lac_tensor **box = bind_push_tensor(L);
  return bind_result(L, lac_neg(box, x));
}

/* x.unknown: only reached for what is no method */
static int l_no_method(lua_State *L) {
  if (lua_isnumber(L, 2))
    return luaL_error(
        L, "a tensor has no [ ]; x:select(dim, i) gives a part, x:totable() plain tables");
  return luaL_error(L, "a tensor has no method '%s'", luaL_tolstring(L, 2, NULL));
}

void bind_open_tensor(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"tensor", l_tensor}, {"from_bytes", l_from_bytes}, {"zeros", l_zeros}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"shape", l_shape},
                                     {"dtype", l_dtype},
                                     {"numel", l_numel},
                                     {"totable", l_totable},
                                     {"tobytes", l_tobytes},
                                     {"item", l_item},
                                     {"reshape", l_reshape},
                                     {"slice", l_slice},
                                     {"select", l_select},
                                     {"transpose", l_transpose},
                                     {"contiguous", l_contiguous},
                                     {"fill", l_fill},
                                     {"copy", l_copy},
                                     {"requires_grad", l_requires_grad},
                                     {"grad", l_grad},
                                     {"zero_grad", l_zero_grad},
                                     {"close", l_close},
                                     {"is_closed", l_is_closed},
                                     {"__tostring", l_tostring},
                                     {"__add", l_add},
                                     {"__sub", l_sub},
                                     {"__mul", l_mul},
                                     {"__div", l_div},
                                     {"__unm", l_unm},
                                     {"__gc", l_collect},
                                     {"__close", l_close},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  bind_new_class(L, BIND_TENSOR, methods);
  luaL_getmetatable(L, BIND_TENSOR);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_no_method);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}
