/**
 * Limits on what a script may take: memory through Lua's allocator, instructions through a hook. A
 * script then meets a sentence before the machine runs dry.
 */
#ifndef LAC_CLI_BUDGET_H
#define LAC_CLI_BUDGET_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/** By value, zeroed at first; the user pointer of the state's allocator. A limit of 0 is none. */
typedef struct lac_budget {
  size_t used;    /* bytes Lua holds now */
  size_t limit;   /* bytes it may hold */
  uint64_t steps; /* instructions given */
  int64_t steps_left;
} lac_budget;

/** A lua_Alloc over realloc and free whose `user` is a lac_budget. Above the limit it gives NULL,
 * and Lua collects and tries once more before it raises "not enough memory". Shrinking never fails.
 */
void *lac_budget_alloc(void *user, void *block, size_t old_bytes, size_t new_bytes);

/**
 * Raise an error after about `steps` Lua instructions, and at every one that follows, so that
 * catching it does not help; 0 lifts the limit. Coroutines made from now on share the count. C
 * functions are not counted.
 *
 * @param L  a state whose allocator is lac_budget_alloc
 */
void lac_budget_limit_steps(lua_State *L, uint64_t steps);

#endif
