/* Foreign files in Lua: lac.pth, lac.safetensors, lac.npy, lac.npz, lac.zip. */
#include "bind/bind_archive.h"
#include "io/npy.h"
#include "io/pth.h"
#include "io/safetensors.h"
#include "io/zip.h"

#include <stdlib.h>
#include <string.h>

static const char *const ZIP = "lac.zip";

/* ---- tensors ---- */

typedef lac_status read_function(lac_archive **out, const char *path);

static int read_all(lua_State *L, read_function *read) {
  const char *path = luaL_checkstring(L, 1);
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, read(archive, path));
  return bind_archive_result(L, *archive);
}

/* lac.pth.read(path) -> {name = tensor}, names */
static int l_pth_read(lua_State *L) {
  return read_all(L, lac_pth_read);
}

/* lac.pth.parse(bytes [, label]) -> {name = tensor}, names */
static int l_pth_parse(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  const char *label = luaL_optstring(L, 2, "checkpoint");
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, lac_pth_parse(archive, bytes, size, label, 0));
  return bind_archive_result(L, *archive);
}

/* lac.safetensors.read(path) -> {name = tensor}, names */
static int l_safetensors_read(lua_State *L) {
  return read_all(L, lac_safetensors_read);
}

/* lac.npz.read(path) -> {name = tensor}, names */
static int l_npz_read(lua_State *L) {
  return read_all(L, lac_npz_read);
}

/* lac.npy.read(path) -> tensor */
static int l_npy_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, lac_npy_read(archive, path));
  bind_push_array(L, lac_archive_at(*archive, 0));
  return 1;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Push the sorted keys of the table at index as an array of C strings. */
static const char **push_names(lua_State *L, int index, size_t *count) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a tensor's name must be a string");
    n++;
  }
  const char **names = lua_newuserdatauv(L, (n + 1) * sizeof *names, 0);
  n = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    names[n++] = lua_tostring(L, -2); // the table keeps its keys
  qsort(names, n, sizeof *names, compare_names);
  *count = n;
  return names;
}

/* lac.safetensors.write(path, {name = tensor}): sorted by name */
static int l_safetensors_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t count;
  luaL_checktype(L, 2, LUA_TTABLE);
  const char **names = push_names(L, 2, &count);
  lac_archive **archive = bind_push_archive(L);
  bind_try(L, lac_archive_new(archive, 0));
  for (size_t i = 0; i < count; i++) {
    lac_array *to;
    lua_getfield(L, 2, names[i]);
    const lac_array from = bind_check_array(L, lua_gettop(L), names[i]);
    bind_try(L, lac_archive_append(*archive, &to, from.name, from.dtype, from.rank, from.dims));
    memcpy(to->data, from.data, (size_t)from.count * LAC_ELEMENT_BYTES);
    lua_pop(L, 2);
  }
  bind_try(L, lac_safetensors_write(*archive, path));
  return 0;
}

/* ---- ZIP ---- */

static lac_zip *check_zip(lua_State *L) {
  lac_zip **box = luaL_checkudata(L, 1, ZIP);
  if (!*box) luaL_argerror(L, 1, "closed ZIP archive");
  return *box;
}

/* lac.zip.open(path) -> archive */
static int l_zip_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lac_zip **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, ZIP);
  bind_try(L, lac_zip_open(box, path));
  return 1;
}

static int l_zip_close(lua_State *L) {
  lac_zip **box = luaL_checkudata(L, 1, ZIP);
  lac_zip_close(*box);
  *box = NULL;
  return 0;
}

/* archive:names() -> list, in the order of the file */
static int l_zip_names(lua_State *L) {
  lac_zip *zip = check_zip(L);
  const size_t count = lac_zip_count(zip);
  lua_newtable(L);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, lac_zip_name(zip, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* archive:read(name) -> string */
static int l_zip_read(lua_State *L) {
  lac_zip *zip = check_zip(L);
  const char *name = luaL_checkstring(L, 2);
  size_t index, size = 0;
  if (!lac_zip_find(zip, &index, name))
    luaL_error(L, "%s: has no entry '%s'", lac_zip_label(zip), name);
  void **bytes = bind_push_bytes(L);
  bind_try(L, lac_zip_read(zip, index, bytes, &size, lac_archive_default_limit()));
  lua_pushlstring(L, *bytes, size);
  return 1;
}

/* ---- registration ---- */

static void add_library(lua_State *L, const char *name, const luaL_Reg *functions) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, name);
}

void bind_open_io(lua_State *L) {
  static const luaL_Reg pth[] = {{"read", l_pth_read}, {"parse", l_pth_parse}, {NULL, NULL}};
  static const luaL_Reg safetensors[] = {
      {"read", l_safetensors_read}, {"write", l_safetensors_write}, {NULL, NULL}};
  static const luaL_Reg npy[] = {{"read", l_npy_read}, {NULL, NULL}};
  static const luaL_Reg npz[] = {{"read", l_npz_read}, {NULL, NULL}};
  static const luaL_Reg zip[] = {{"open", l_zip_open}, {NULL, NULL}};
  static const luaL_Reg zip_methods[] = {{"names", l_zip_names},   {"read", l_zip_read},
                                         {"close", l_zip_close},   {"__gc", l_zip_close},
                                         {"__close", l_zip_close}, {NULL, NULL}};
  bind_new_class(L, ZIP, zip_methods);
  add_library(L, "pth", pth);
  add_library(L, "safetensors", safetensors);
  add_library(L, "npy", npy);
  add_library(L, "npz", npz);
  add_library(L, "zip", zip);
}
