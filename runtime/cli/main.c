/*
 * The executable: a Lua state with the module `lac` and the Lua folder on its path, handed to
 * lua/cli/main.lua, which returns the exit status. Everything a user sees is decided there; what is
 * said here is only what goes wrong before it can run.
 */
#include "bind/bind.h"
#include "cli/budget.h"
#include "cli/interrupt.h"
#include "cli/native.h"
#include "cli/paths.h"

#include <errno.h>
#include <lauxlib.h>
#include <locale.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, FAILED = 1 };

typedef struct start {
  int argc;
  char **argv;
  const char *lua_dir;
  lac_budget *budget;
} start;

static int report(const char *message) {
  fprintf(stderr, "lacuna: %s\n", message);
  return FAILED;
}

/* The global `arg`, as in the stock interpreter. */
static void push_arguments(lua_State *L, const start *with) {
  lua_createtable(L, with->argc, 1);
  for (int i = 0; i < with->argc; i++) {
    lua_pushstring(L, with->argv[i]);
    lua_rawseti(L, -2, i);
  }
}

/* Lua's own path stays behind ours, for `--trust` and the prompt. */
static void extend_path(lua_State *L, const char *lua_dir) {
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/?.lua;", lua_dir);
  lua_getfield(L, -2, "path");
  lua_concat(L, 2);
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
}

static int run_main(lua_State *L) {
  const start *with = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_lac);
  lua_setfield(L, -2, "lac");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lac_native_push(L, with->lua_dir);
  lua_setfield(L, -2, "cli.native");
  extend_path(L, with->lua_dir);
  lua_getglobal(L, LUA_COLIBNAME);
  lua_getfield(L, -1, "resume");
  lac_interrupt_push_resume(L);
  lua_setfield(L, -2, "resume");
  lua_pop(L, 1);
  push_arguments(L, with);
  lua_setglobal(L, "arg");
  lac_interrupt_arm(L);
  lua_settop(L, 1);
  lua_pushfstring(L, "%s/cli/main.lua", with->lua_dir);
  if (luaL_loadfilex(L, lua_tostring(L, -1), "t") != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

/* Called for an error outside every lua_pcall, which only memory running out at the very start can
 * be. */
static int on_panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  report(message ? message : "Lua stopped for an unknown reason");
  exit(FAILED);
}

static int run_state(const start *with) {
  lua_State *L = lua_newstate(lac_budget_alloc, with->budget);
  if (!L) return report("out of memory before the start");
  lua_atpanic(L, on_panic);
  lua_pushcfunction(L, run_main);
  lua_pushlightuserdata(L, (void *)with);
  int status;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
    status = (int)lua_tointeger(L, -1);
  } else {
    const char *message = lua_tostring(L, -1);
    status = report(message ? message : "lua/cli/main.lua failed without a message");
  }
  with->budget->limit = 0; // finalisers must not fail for a script's appetite
  lua_close(L);
  return status;
}

/* A full disk behind standard output shows only now. A reader that left early is nobody's error. */
static int flush_output(int status) {
  const bool failed_before = ferror(stdout) != 0;
  const int why = fflush(stdout) != 0 ? errno : 0;
  if (!failed_before && why == 0) return status;
  if (why != EPIPE)
    fprintf(stderr, "lacuna: cannot write to standard output%s%s\n", why ? ": " : "",
            why ? strerror(why) : "");
  return status == DONE ? FAILED : status;
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, ""); // characters at the prompt; numbers stay in the C locale
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  char *lua_dir = NULL;
  if (lac_path_lua(&lua_dir) != LAC_OK) return report(lac_message());
  lac_budget budget = {0};
  const start with = {.argc = argc, .argv = argv, .lua_dir = lua_dir, .budget = &budget};
  const int status = run_state(&with);
  free(lua_dir);
  return flush_output(status);
}
