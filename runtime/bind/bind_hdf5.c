/* HDF5 in Lua: lac.hdf5.open and lac.hdf5.create; handles are closed by __close, __gc or close().
 */
#include "bind/bind_archive.h"
#include "io/hdf5.h"
#include "io/hdf5_writer.h"

#include <string.h>

static const char *const READER = "lac.hdf5.reader", *const WRITER = "lac.hdf5.writer";

/* A boolean field of the options table at index, which may be absent. */
static bool option(lua_State *L, int index, const char *name, bool otherwise) {
  if (lua_isnoneornil(L, index)) return otherwise;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_getfield(L, index, name);
  const bool value = lua_isnil(L, -1) ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* ---- reading ---- */

static lac_hdf5 *check_reader(lua_State *L) {
  lac_hdf5 **box = luaL_checkudata(L, 1, READER);
  if (!*box) luaL_argerror(L, 1, "closed HDF5 file");
  return *box;
}

/* lac.hdf5.open(path [, {verify = true}]) -> file; verify = false checks only the length */
static int l_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const bool verify = option(L, 2, "verify", true);
  lac_hdf5 **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, READER);
  bind_try(L, lac_hdf5_open(box, path, verify));
  return 1;
}

static int l_close_reader(lua_State *L) {
  lac_hdf5 **box = luaL_checkudata(L, 1, READER);
  lac_hdf5_close(*box);
  *box = NULL;
  return 0;
}

/* file:names() -> the paths of all datasets, sorted */
static int l_names(lua_State *L) {
  const lac_hdf5 *file = check_reader(L);
  const size_t count = lac_hdf5_count(file);
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, lac_hdf5_name(file, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* file:has(path) -> whether there is a dataset */
static int l_has(lua_State *L) {
  lua_pushboolean(L, lac_hdf5_has(check_reader(L), luaL_checkstring(L, 2)));
  return 1;
}

/* file:bytes(path) -> what the dataset takes in the file */
static int l_bytes(lua_State *L) {
  const lac_hdf5 *file = check_reader(L);
  uint64_t bytes = 0;
  bind_try(L, lac_hdf5_stored_bytes(&bytes, file, luaL_checkstring(L, 2)));
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

/* file:read(path) -> tensor */
static int l_read(lua_State *L) {
  const lac_hdf5 *file = check_reader(L);
  const char *path = luaL_checkstring(L, 2);
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, lac_hdf5_read(archive, file, path));
  bind_push_array(L, lac_archive_at(*archive, 0));
  return 1;
}

/* file:text(path) -> string */
static int l_text(lua_State *L) {
  const lac_hdf5 *file = check_reader(L);
  const char *path = luaL_checkstring(L, 2);
  char *text = NULL;
  size_t length = 0;
  void **bytes = bind_push_bytes(L);
  const lac_status status = lac_hdf5_read_text(&text, &length, file, path);
  *bytes = text;
  bind_try(L, status);
  lua_pushlstring(L, text, length);
  return 1;
}

/* file:attr(path, key) -> string, integer or float; nil when there is none. "" is the file itself.
 */
static int l_attr(lua_State *L) {
  const lac_hdf5 *file = check_reader(L);
  const char *path = luaL_checkstring(L, 2), *key = luaL_checkstring(L, 3);
  lac_attribute value = {0};
  void **bytes = bind_push_bytes(L);
  const lac_status status = lac_hdf5_read_attribute(&value, file, path, key);
  *bytes = value.text;
  bind_try(L, status);
  switch (value.kind) {
  case LAC_ATTRIBUTE_TEXT:
    lua_pushstring(L, value.text);
    break;
  case LAC_ATTRIBUTE_INTEGER:
    lua_pushinteger(L, value.integer);
    break;
  case LAC_ATTRIBUTE_FLOAT:
    lua_pushnumber(L, value.number);
    break;
  case LAC_ATTRIBUTE_NONE:
    lua_pushnil(L);
  }
  return 1;
}

/* ---- writing ---- */

static lac_hdf5_writer *check_writer(lua_State *L) {
  lac_hdf5_writer **box = luaL_checkudata(L, 1, WRITER);
  if (!*box) luaL_argerror(L, 1, "closed HDF5 file");
  return *box;
}

/* lac.hdf5.create(path) -> file, at its path only after commit() */
static int l_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lac_hdf5_writer **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, WRITER);
  bind_try(L, lac_hdf5_writer_open(box, path));
  return 1;
}

static int l_close_writer(lua_State *L) {
  lac_hdf5_writer **box = luaL_checkudata(L, 1, WRITER);
  lac_hdf5_writer_close(*box);
  *box = NULL;
  return 0;
}

/* file:write(path, tensor [, {deflate = false}]) */
static int l_write(lua_State *L) {
  lac_hdf5_writer *file = check_writer(L);
  const char *path = luaL_checkstring(L, 2);
  const bool deflate = option(L, 4, "deflate", false);
  const lac_array array = bind_check_array(L, 3, path);
  bind_try(L, lac_hdf5_writer_array(file, &array, deflate));
  return 0;
}

/* file:append(path, tensor [n, width] [, {dtype = "f16"}]): rows of a dataset that is complete when
 * the file is */
static int l_append(lua_State *L) {
  static const char *const names[] = {"f32", "f16", NULL};
  static const lac_stored types[] = {LAC_STORED_F32, LAC_STORED_F16};
  lac_hdf5_writer *file = check_writer(L);
  const char *path = luaL_checkstring(L, 2);
  if (lua_istable(L, 4))
    lua_getfield(L, 4, "dtype");
  else
    lua_pushnil(L);
  const lac_stored type = types[luaL_checkoption(L, lua_gettop(L), "f32", names)];
  const lac_array array = bind_check_array(L, 3, path);
  bind_try(L, lac_hdf5_writer_append(file, &array, type));
  return 0;
}

/* file:write_text(path, string) */
static int l_write_text(lua_State *L) {
  size_t length;
  lac_hdf5_writer *file = check_writer(L);
  const char *path = luaL_checkstring(L, 2), *text = luaL_checklstring(L, 3, &length);
  bind_try(L, lac_hdf5_writer_text(file, path, text, length));
  return 0;
}

/* file:write_bytes(path, string): as they are; file:text() reads them */
static int l_write_bytes(lua_State *L) {
  size_t length;
  lac_hdf5_writer *file = check_writer(L);
  const char *path = luaL_checkstring(L, 2), *bytes = luaL_checklstring(L, 3, &length);
  bind_try(L, lac_hdf5_writer_bytes(file, path, bytes, length));
  return 0;
}

/* file:set_attr(path, key, string, integer or float); path "" is the file itself */
static int l_set_attr(lua_State *L) {
  lac_hdf5_writer *file = check_writer(L);
  const char *path = luaL_checkstring(L, 2), *key = luaL_checkstring(L, 3);
  lac_attribute value = {0};
  size_t length;
  if (lua_isinteger(L, 4)) {
    value.kind = LAC_ATTRIBUTE_INTEGER;
    value.integer = lua_tointeger(L, 4);
  } else if (lua_type(L, 4) == LUA_TNUMBER) {
    value.kind = LAC_ATTRIBUTE_FLOAT;
    value.number = lua_tonumber(L, 4);
  } else {
    value.kind = LAC_ATTRIBUTE_TEXT;
    value.text = (char *)luaL_checklstring(L, 4, &length);
    luaL_argcheck(L, strlen(value.text) == length, 4, "an attribute cannot hold a zero byte");
  }
  bind_try(L, lac_hdf5_writer_attribute(file, path, key, &value));
  return 0;
}

/* file:commit(): finish the file and put it in place */
static int l_commit(lua_State *L) {
  bind_try(L, lac_hdf5_writer_commit(check_writer(L)));
  return l_close_writer(L);
}

void bind_open_hdf5(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", l_open}, {"create", l_create}, {NULL, NULL}};
  static const luaL_Reg reader[] = {{"names", l_names},
                                    {"has", l_has},
                                    {"bytes", l_bytes},
                                    {"read", l_read},
                                    {"text", l_text},
                                    {"attr", l_attr},
                                    {"close", l_close_reader},
                                    {"__gc", l_close_reader},
                                    {"__close", l_close_reader},
                                    {NULL, NULL}};
  static const luaL_Reg writer[] = {{"write", l_write},
                                    {"write_text", l_write_text},
                                    {"write_bytes", l_write_bytes},
                                    {"append", l_append},
                                    {"set_attr", l_set_attr},
                                    {"commit", l_commit},
                                    {"close", l_close_writer},
                                    {"__gc", l_close_writer},
                                    {"__close", l_close_writer},
                                    {NULL, NULL}};
  bind_new_class(L, READER, reader);
  bind_new_class(L, WRITER, writer);
  luaL_newlib(L, functions);
  bind_open_features(L);
  lua_setfield(L, -2, "hdf5");
}
