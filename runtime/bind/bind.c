/*
 * The helpers all bindings use, and the opening of the module.
 *
 * A tensor box is a userdata holding one pointer; NULL means closed. The metatable is set while the
 * box is empty, so a failure at any later point leaves nothing behind.
 */
#include "bind/bind.h"

#include "autograd/tape.h"

const char *const BIND_TENSOR = "lac.tensor";

void bind_try(lua_State *L, lac_status status) {
  if (status == LAC_OK) return;
  luaL_error(L, "%s", lac_message());
}

int bind_result(lua_State *L, lac_status status) {
  bind_try(L, status);
  bind_adopt(L, -1);
  return 1;
}

lac_tensor **bind_push_tensor(lua_State *L) {
  bind_tensor_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (bind_tensor_box){NULL, NULL};
  luaL_setmetatable(L, BIND_TENSOR);
  return &box->tensor;
}

void bind_adopt(lua_State *L, int index) {
  lac_tensor **box = luaL_testudata(L, index, BIND_TENSOR);
  if (box && *box) bind_try(L, lac_tape_adopt(*box));
}

lac_tensor *bind_check_tensor(lua_State *L, int index) {
  lac_tensor **box = luaL_checkudata(L, index, BIND_TENSOR);
  if (!*box || lac_tensor_is_closed(*box)) luaL_argerror(L, index, "closed tensor");
  return *box;
}

lac_tensor *bind_opt_tensor(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? NULL : bind_check_tensor(L, index);
}

lac_tensor *bind_field_tensor(lua_State *L, int index, const char *name, bool required) {
  lua_getfield(L, index, name);
  lac_tensor **box = luaL_testudata(L, -1, BIND_TENSOR);
  if (!box && (required || !lua_isnil(L, -1)))
    luaL_error(L, "field '%s' must be a tensor, got %s", name, luaL_typename(L, -1));
  if (box && (!*box || lac_tensor_is_closed(*box)))
    luaL_error(L, "field '%s' is a closed tensor", name);
  return box ? *box : NULL; // its box stays on the stack: a metamethod may have made it for us
}

uint32_t bind_check_dim(lua_State *L, int index, uint32_t rank) {
  const lua_Integer dim = luaL_checkinteger(L, index);
  const lua_Integer at = dim < 0 ? dim + (lua_Integer)rank : dim - 1;
  if (dim == 0 || at < 0 || at >= (lua_Integer)rank)
    luaL_error(L, "dimension must be 1..%d or negative from the end, got %I", (int)rank, dim);
  return (uint32_t)at;
}

static uint64_t check_extent(lua_State *L, int index) {
  int is_integer;
  const lua_Integer n = lua_tointegerx(L, index, &is_integer);
  if (!is_integer || n < 0)
    luaL_error(L, "a shape needs whole numbers >= 0, got %s", luaL_tolstring(L, index, NULL));
  return (uint64_t)n;
}

lac_shape bind_check_shape(lua_State *L, int index) {
  lac_shape shape = {.rank = 0};
  const bool is_table = lua_istable(L, index);
  const lua_Integer count = is_table ? luaL_len(L, index) : lua_gettop(L) - index + 1;
  if (count < 0 || count > LAC_MAX_RANK)
    luaL_error(L, "a tensor has at most %d dimensions, got %I", (int)LAC_MAX_RANK, count);
  for (lua_Integer i = 0; i < count; i++) {
    if (is_table) lua_geti(L, index, i + 1);
    shape.dim[shape.rank++] = check_extent(L, is_table ? -1 : index + (int)i);
    if (is_table) lua_pop(L, 1);
  }
  return shape;
}

uint64_t bind_check_count(lua_State *L, int index) {
  const lua_Integer n = luaL_checkinteger(L, index);
  luaL_argcheck(L, n >= 0, index, "must not be negative");
  return (uint64_t)n;
}

void bind_new_class(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0); // scripts cannot reach or replace the metatable
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

int luaopen_lac(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  bind_open_device(L);
  bind_open_tensor(L);
  bind_open_tape(L);
  bind_open_ops(L);
  bind_open_layers(L);
  bind_open_attend(L);
  bind_open_maps(L);
  bind_open_reduce(L);
  bind_open_index(L);
  bind_open_rng(L);
  bind_open_draw(L);
  bind_open_sparse(L);
  bind_open_prune(L);
  bind_open_update(L);
  bind_open_text(L);
  bind_open_meteor(L);
  bind_open_io(L);
  bind_open_hdf5(L);
  bind_open_pictures(L);
  bind_open_json(L);
  bind_open_files(L);
  bind_open_child(L);
  bind_open_append(L);
  bind_open_pack(L);
  return 1;
}
