/* Segments and the attention over them in Lua. */
#include "bind/bind.h"

#include "layers/attend.h"

static const char *const SEGMENTS = "lac.segments";

/* Whole numbers, in a userdata left on the stack: those of an i32 tensor, for which the device is
 * waited, or of a list, or of a list of lists of `width`. */
typedef struct numbers {
  int32_t *value;
  uint64_t count;
} numbers;

static int32_t check_number(lua_State *L, const char *name) {
  int is_integer;
  const lua_Integer n = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || n < INT32_MIN || n > INT32_MAX)
    luaL_error(L, "segments: %s must hold whole numbers of 32 bits, got %s", name,
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (int32_t)n;
}

static numbers read_list(lua_State *L, int index, const char *name, uint32_t width) {
  const lua_Integer rows = luaL_len(L, index);
  if (rows < 0 || rows > INT32_MAX / 2)
    luaL_error(L, "segments: %s has %I entries, that is too many", name, rows);
  const uint64_t count = (uint64_t)rows * width;
  numbers list = {lua_newuserdatauv(L, count * sizeof *list.value + 1, 0), count};
  for (lua_Integer i = 0; i < rows; i++) {
    lua_geti(L, index, i + 1);
    if (width == 1) {
      list.value[i] = check_number(L, name);
      continue;
    }
    if (!lua_istable(L, -1) || luaL_len(L, -1) != (lua_Integer)width)
      luaL_error(L, "segments: entry %I of %s must be {first key, keys}", i + 1, name);
    for (uint32_t j = 0; j < width; j++) {
      lua_geti(L, -1, (lua_Integer)j + 1);
      list.value[(uint64_t)i * width + j] = check_number(L, name);
    }
    lua_pop(L, 1);
  }
  return list;
}

static numbers read_numbers(lua_State *L, int index, const char *name, uint32_t width) {
  if (lua_istable(L, index)) return read_list(L, index, name, width);
  lac_tensor **box = luaL_testudata(L, index, "lac.tensor");
  if (!box)
    luaL_error(L, "segments: %s must be a list or an i32 tensor, got %s", name,
               luaL_typename(L, index));
  lac_tensor *x = bind_check_tensor(L, index);
  const lac_shape *shape = lac_tensor_shape(x);
  char text[LAC_SHAPE_TEXT];
  if (lac_tensor_dtype(x) != LAC_I32 || shape->rank != (width == 1 ? 1 : 2) ||
      (width > 1 && shape->dim[1] != width))
    luaL_error(L, "segments: %s must be i32 %s, got %s %s", name,
               width == 1 ? "[segments + 1]" : "[segments, 2]",
               lac_tensor_dtype(x) == LAC_I32 ? "i32" : "f32", lac_shape_text(text, shape));
  numbers list = {lua_newuserdatauv(L, lac_tensor_numel(x) * sizeof *list.value + 1, 0),
                  lac_tensor_numel(x)};
  bind_try(L, lac_tensor_read(x, list.value));
  return list;
}

/* The segments of queries and keys at two indices, in a box left on the top. */
static void push_segments(lua_State *L, int queries_at, int keys_at) {
  const numbers queries = read_numbers(L, queries_at, "queries", 1);
  const numbers keys = read_numbers(L, keys_at, "keys", 2);
  if (queries.count == 0 || queries.count - 1 != keys.count / 2 || queries.count > INT32_MAX)
    luaL_error(L, "segments: queries have %I entries and keys %I; want one more than keys",
               (lua_Integer)queries.count, (lua_Integer)(keys.count / 2));
  lac_device *device = bind_device(L);
  lac_segments **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, SEGMENTS);
  bind_try(L,
           lac_segments_new(box, device, queries.value, keys.value, (uint32_t)(queries.count - 1)));
}

/* segments = lac.segments(queries, keys): lists or i32 tensors; see layers/segments.h */
static int l_segments(lua_State *L) {
  lua_settop(L, 2);
  push_segments(L, 1, 2);
  return 1;
}

static int l_close_segments(lua_State *L) {
  lac_segments **box = luaL_checkudata(L, 1, SEGMENTS);
  lac_segments *segments = *box;
  *box = NULL;
  lac_segments_release(segments);
  return 0;
}

/* segments:close(), which a finaliser must not call while an operation may work on them */
static int l_close(lua_State *L) {
  bind_check_calm(L, "close");
  return l_close_segments(L);
}

/* Leave field segments, or what fields queries and keys say, on the top. */
static void push_field_segments(lua_State *L) {
  if (lua_getfield(L, 1, "segments") == LUA_TNIL) {
    lua_getfield(L, 1, "queries");
    lua_getfield(L, 1, "keys");
    push_segments(L, lua_gettop(L) - 1, lua_gettop(L));
  }
  if (!luaL_testudata(L, -1, SEGMENTS))
    luaL_error(L, "field 'segments' must be lac.segments, got %s", luaL_typename(L, -1));
}

/* y = lac.attend{q =, k =, v =, heads =, segments = | queries =, keys = [, causal =] [, bias =]
 * [, dropout =, rng =]} */
static int l_attend(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lac_tensor **y = bind_push_tensor(L);
  push_field_segments(L);
  const int segments_at = lua_gettop(L);
  lua_getfield(L, 1, "heads");
  const lua_Integer heads = luaL_checkinteger(L, -1);
  if (heads < 1 || heads > INT32_MAX)
    luaL_error(L, "attend: heads must be 1 or more, got %I", heads);
  lua_getfield(L, 1, "causal");
  const bool causal = lua_toboolean(L, -1);
  lua_getfield(L, 1, "dropout");
  lac_attend_args args = {
      .heads = (uint32_t)heads, .causal = causal, .dropout = (float)luaL_optnumber(L, -1, 0)};
  args.q = bind_field_tensor(L, 1, "q", true);
  args.k = bind_field_tensor(L, 1, "k", true);
  args.v = bind_field_tensor(L, 1, "v", true);
  args.bias = bind_field_tensor(L, 1, "bias", false);
  args.rng = bind_field_rng(L, 1, "rng");
  lua_pushvalue(L, 2); // the result's box
  args.segments =
      *(lac_segments **)lua_touserdata(L, segments_at); // last: nothing may close it now
  if (!args.segments) return luaL_error(L, "field 'segments' is closed");
  return bind_result(L, lac_attend(y, &args));
}

void bind_open_attend(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"segments", l_segments}, {"attend", l_attend}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"close", l_close}, {"__gc", l_close_segments}, {"__close", l_close}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  bind_new_class(L, SEGMENTS, methods);
}
