/*
 * Both boxes are to-be-closed variables of the calling binding: the memory goes when it returns,
 * not when the collector comes round, because it is as large as the file.
 */
#include "bind/bind_archive.h"

#include <stdlib.h>

static int release_archive(lua_State *L) {
  lac_archive **box = lua_touserdata(L, 1);
  lac_archive_release(*box);
  *box = NULL;
  return 0;
}

static int free_bytes(lua_State *L) {
  void **box = lua_touserdata(L, 1);
  free(*box);
  *box = NULL;
  return 0;
}

static void *push_closing(lua_State *L, const char *class, lua_CFunction release) {
  const luaL_Reg methods[] = {{"__gc", release}, {"__close", release}, {NULL, NULL}};
  void **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, class)) luaL_setfuncs(L, methods, 0);
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  return box;
}

lac_archive **bind_push_archive(lua_State *L) {
  return push_closing(L, "lac.archive", release_archive);
}

void **bind_push_bytes(lua_State *L) {
  return push_closing(L, "lac.bytes", free_bytes);
}

void bind_push_array(lua_State *L, const lac_array *array) {
  lac_shape shape = {.rank = (uint32_t)array->rank};
  if (array->rank > LAC_MAX_RANK)
    luaL_error(L, "'%s' has %d dimensions, a tensor has at most %d", array->name, (int)array->rank,
               (int)LAC_MAX_RANK);
  for (size_t d = 0; d < array->rank; d++)
    shape.dim[d] = array->dims[d];
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  bind_try(L, lac_tensor_from(box, device, array->dtype, &shape, array->data));
}

int bind_archive_result(lua_State *L, const lac_archive *archive) {
  const size_t count = lac_archive_count(archive);
  lua_newtable(L);
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    const lac_array *array = lac_archive_at(archive, i);
    bind_push_array(L, array);
    lua_setfield(L, -3, array->name);
    lua_pushstring(L, array->name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 2;
}

lac_array bind_check_array(lua_State *L, int index, const char *name) {
  const lac_tensor *x = bind_check_tensor(L, index);
  const lac_shape *shape = lac_tensor_shape(x);
  lac_array array = {.name = name,
                     .dtype = lac_tensor_dtype(x),
                     .rank = shape->rank,
                     .count = lac_tensor_numel(x)};
  for (uint32_t d = 0; d < shape->rank; d++)
    array.dims[d] = shape->dim[d];
  array.data = lua_newuserdatauv(L, (size_t)array.count * LAC_ELEMENT_BYTES + 1, 0);
  bind_try(L, lac_tensor_read(x, array.data));
  return array;
}
