#include "cli/budget.h"

#include <stdlib.h>

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
