/* Packed tensors in Lua: lac.pack. */
#include "bind/bind_archive.h"
#include "io/pack.h"

#include <stdlib.h>

static const char *const kinds[] = {"float32", "float16", "int8", "ones", NULL};

/* lac.pack.encode(tensor, values [, name]) -> string; values: "float32", "float16", "int8", "ones"
 */
static int l_encode(lua_State *L) {
  size_t size = 0;
  const lac_pack_values values = (lac_pack_values)luaL_checkoption(L, 2, NULL, kinds);
  const char *name = luaL_optstring(L, 3, "tensor");
  const lac_array array = bind_check_array(L, 1, name);
  luaL_argcheck(L, array.dtype == LAC_F32, 1, "needs a float32 tensor");
  void **bytes = bind_push_bytes(L);
  bind_try(L, lac_pack_encode(bytes, &size, array.data, array.count, values, name));
  lua_pushlstring(L, *bytes, size);
  return 1;
}

/* lac.pack.decode(string, shape [, name]) -> tensor */
static int l_decode(lua_State *L) {
  size_t size;
  uint64_t dims[LAC_ARRAY_MAX_RANK];
  lac_array *array;
  const char *bytes = luaL_checklstring(L, 1, &size), *name = luaL_optstring(L, 3, "tensor");
  const lac_shape shape = bind_check_shape(L, 2);
  for (uint32_t d = 0; d < shape.rank; d++)
    dims[d] = shape.dim[d];
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, lac_archive_new(archive, 0));
  bind_try(L, lac_archive_append(*archive, &array, name, LAC_F32, shape.rank, dims));
  bind_try(L, lac_pack_decode(array->data, array->count, bytes, size, name));
  bind_push_array(L, array);
  return 1;
}

/* lac.pack.header(string [, name]) -> {values =, count =, nonzeros =} */
static int l_header(lua_State *L) {
  size_t size;
  lac_pack_header header;
  const char *bytes = luaL_checklstring(L, 1, &size), *name = luaL_optstring(L, 2, "tensor");
  bind_try(L, lac_pack_read_header(&header, bytes, size, name));
  lua_createtable(L, 0, 3);
  lua_pushstring(L, lac_pack_values_name(header.values));
  lua_setfield(L, -2, "values");
  lua_pushinteger(L, (lua_Integer)header.count);
  lua_setfield(L, -2, "count");
  lua_pushinteger(L, (lua_Integer)header.nonzeros);
  lua_setfield(L, -2, "nonzeros");
  return 1;
}

void bind_open_pack(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"encode", l_encode}, {"decode", l_decode}, {"header", l_header}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "pack");
}
