/*
 * The hook is C and not Lua: a script can go so deep that a Lua function can no longer be called,
 * and then a Lua hook would never count.
 */
#include "cli/budget.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { STEPS_AT_ONCE = 1000 };

void *lac_budget_alloc(void *user, void *block, size_t old_bytes, size_t new_bytes) {
  lac_budget *budget = user;
  if (!block) old_bytes = 0; // Lua then passes the kind of object instead
  if (new_bytes == 0) {
    free(block);
    budget->used -= old_bytes;
    return NULL;
  }
  const size_t others = budget->used - old_bytes;
  if (new_bytes > old_bytes && budget->limit &&
      (others > budget->limit || new_bytes > budget->limit - others))
    return NULL;
  void *moved = realloc(block, new_bytes);
  if (!moved) return NULL;
  budget->used = others + new_bytes;
  return moved;
}

static lac_budget *budget_of(lua_State *L) {
  void *user;
  lua_getallocf(L, &user);
  return user;
}

static void count_steps(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lac_budget *budget = budget_of(L);
  if (budget->steps == 0) { // lifted, but this coroutine still has the hook
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  budget->steps_left -= lua_gethookcount(L);
  if (budget->steps_left > 0) return;
  lua_sethook(L, count_steps, LUA_MASKCOUNT, 1);
  luaL_error(L, "the script used up its budget of %I instructions", (LUAI_UACINT)budget->steps);
}

void lac_budget_limit_steps(lua_State *L, uint64_t steps) {
  lac_budget *budget = budget_of(L);
  budget->steps = steps;
  budget->steps_left = (int64_t)steps;
  if (steps == 0)
    lua_sethook(L, NULL, 0, 0);
  else
    lua_sethook(L, count_steps, LUA_MASKCOUNT, steps < STEPS_AT_ONCE ? (int)steps : STEPS_AT_ONCE);
}
