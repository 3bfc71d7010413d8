#include "cli/native.h"

#include "cli/budget.h"
#include "cli/interrupt.h"
#include "cli/prompt.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef LAC_VERSION
#define LAC_VERSION "0.0.0"
#endif

/* A folder handle in a box with a finaliser: adding names to a table may raise. */
static int close_folder(lua_State *L) {
  DIR **box = lua_touserdata(L, 1);
  if (*box) closedir(*box);
  *box = NULL;
  return 0;
}

static int l_list(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  DIR **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, "lac.folder")) {
    lua_pushcfunction(L, close_folder);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close_folder);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  *box = opendir(path);
  if (!*box) return luaL_fileresult(L, 0, path);
  lua_newtable(L);
  lua_Integer n = 0;
  for (const struct dirent *entry; (entry = readdir(*box)) != NULL;) {
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static int l_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int l_columns(lua_State *L) {
  struct winsize size;
  const int known = ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (!known) return lua_pushnil(L), 1;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

static int l_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + 1e-9 * (lua_Number)now.tv_nsec);
  return 1;
}

/* A signal ends it early. */
static int l_sleep(lua_State *L) {
  const lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 1, "seconds must be from 0 to a day");
  struct timespec time = {.tv_sec = (time_t)seconds};
  time.tv_nsec = (long)(1e9 * (seconds - (lua_Number)time.tv_sec));
  nanosleep(&time, NULL);
  return 0;
}

static int l_memory(lua_State *L) {
  const lua_Integer bytes = luaL_checkinteger(L, 1);
  luaL_argcheck(L, bytes >= 0, 1, "bytes must be >= 0");
  void *budget;
  lua_getallocf(L, &budget);
  ((lac_budget *)budget)->limit = (size_t)bytes;
  return 0;
}

static int l_steps(lua_State *L) {
  const lua_Integer steps = luaL_checkinteger(L, 1);
  luaL_argcheck(L, steps >= 0, 1, "steps must be >= 0");
  lac_budget_limit_steps(L, (uint64_t)steps);
  return 0;
}

static int l_same_file(lua_State *L) {
  struct stat a, b;
  const char *first = luaL_checkstring(L, 1), *second = luaL_checkstring(L, 2);
  const int there = stat(first, &a) == 0 && stat(second, &b) == 0;
  lua_pushboolean(L, there && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
  return 1;
}

static int l_arm(lua_State *L) {
  lac_interrupt_arm(L);
  return 0;
}

static int l_watch(lua_State *L) {
  (void)L;
  lac_interrupt_watch();
  return 0;
}

static int l_interrupted(lua_State *L) {
  lua_pushboolean(L, lac_interrupt_pending());
  return 1;
}

void lac_native_push(lua_State *L, const char *lua_dir) {
  static const luaL_Reg functions[] = {
      {"list", l_list},   {"terminal", l_terminal},       {"columns", l_columns},
      {"clock", l_clock}, {"memory", l_memory},           {"steps", l_steps},
      {"arm", l_arm},     {"interrupted", l_interrupted}, {"watch", l_watch},
      {"sleep", l_sleep}, {"same_file", l_same_file},     {NULL, NULL},
  };
  luaL_newlib(L, functions);
  lua_pushstring(L, lua_dir);
  lua_setfield(L, -2, "lua_dir");
  lua_pushliteral(L, LAC_VERSION);
  lua_setfield(L, -2, "version");
  lac_prompt_register(L);
}
