/* Small files and folders in Lua: lac.files.write, make_folder, lock, remove. */
#include "bind/bind.h"
#include "io/file.h"
#include "io/folder.h"
#include "io/tfevents.h"

static const char *const LOCK = "lac.files.lock", *const STAGE = "lac.files.stage";

static int l_close_stage(lua_State *L) {
  lac_stage **box = luaL_checkudata(L, 1, STAGE);
  lac_stage_close(*box);
  *box = NULL;
  return 0;
}

/* lac.files.write(path, text): a reader sees what was there or the whole text */
static int l_write(lua_State *L) {
  size_t length;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &length);
  lac_stage **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, STAGE);
  lua_toclose(L, -1);
  bind_try(L, lac_stage_open(box, path));
  bind_try(L, lac_stage_write(*box, text, length));
  bind_try(L, lac_stage_commit(*box));
  return 0;
}

/* lac.files.make_folder(path): with those above it, where they are missing */
static int l_make_folder(lua_State *L) {
  bind_try(L, lac_folder_make(luaL_checkstring(L, 1)));
  return 0;
}

/* lac.files.lock(path) -> a lock, held until it is closed or the process ends */
static int l_lock(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lac_lock **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, LOCK);
  bind_try(L, lac_lock_open(box, path));
  return 1;
}

static int l_close_lock(lua_State *L) {
  lac_lock **box = luaL_checkudata(L, 1, LOCK);
  lac_lock_close(*box);
  *box = NULL;
  return 0;
}

/* lac.files.crc32c(bytes) -> integer */
static int l_crc32c(lua_State *L) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  lua_pushinteger(L, lac_crc32c(bytes, length));
  return 1;
}

void bind_open_files(lua_State *L) {
  static const luaL_Reg functions[] = {{"write", l_write},
                                       {"make_folder", l_make_folder},
                                       {"lock", l_lock},
                                       {"crc32c", l_crc32c},
                                       {NULL, NULL}};
  static const luaL_Reg lock[] = {
      {"close", l_close_lock}, {"__gc", l_close_lock}, {"__close", l_close_lock}, {NULL, NULL}};
  static const luaL_Reg stage[] = {
      {"__gc", l_close_stage}, {"__close", l_close_stage}, {NULL, NULL}};
  bind_new_class(L, LOCK, lock);
  bind_new_class(L, STAGE, stage);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "files");
}
