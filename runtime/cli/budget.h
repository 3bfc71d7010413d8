/**
 * Lua's allocator with a limit, so that a script meets a sentence before the machine runs dry.
 */
#ifndef LAC_CLI_BUDGET_H
#define LAC_CLI_BUDGET_H

#include <stddef.h>

/** By value, zeroed at first: bytes Lua holds now, and how many it may hold (0: no limit). */
typedef struct lac_budget {
  size_t used;
  size_t limit;
} lac_budget;

/** A lua_Alloc over realloc and free whose `user` is a lac_budget. Above the limit it gives NULL,
 * and Lua collects and tries once more before it raises "not enough memory". Shrinking never fails.
 */
void *lac_budget_alloc(void *user, void *block, size_t old_bytes, size_t new_bytes);

#endif
