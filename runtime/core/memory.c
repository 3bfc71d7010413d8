/* calloc and realloc behind one message; with LAC_FAULTS, a countdown decides which call fails. */
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef LAC_FAULTS
#include <signal.h>
#include <stdatomic.h>

static _Atomic uint64_t countdown; // a test-only build may hold state

int lac_fault_set(uint64_t nth) {
  atomic_store(&countdown, nth);
  return 1;
}

uint64_t lac_fault_left(void) {
  return atomic_load(&countdown);
}

int lac_fault_due(void) {
  if (atomic_load(&countdown) == 0) return 0;
  return atomic_fetch_sub(&countdown, 1) == 1;
}

void lac_fault_moment(void) {
  static _Atomic uint64_t moments; // a test-only build may hold state
  const char *nth = getenv("LACUNA_KILL");
  if (nth && atomic_fetch_add(&moments, 1) + 1 == strtoull(nth, NULL, 10)) raise(SIGKILL);
}
#else
int lac_fault_set(uint64_t nth) {
  (void)nth;
  return 0;
}

uint64_t lac_fault_left(void) {
  return 0;
}

int lac_fault_due(void) {
  return 0;
}

void lac_fault_moment(void) {}
#endif

static lac_status fail_memory(size_t count, size_t size, const char *what) {
  return lac_fail(LAC_ENOMEM, "out of host memory: wanted %zu x %zu bytes for %s", count, size,
                  what);
}

lac_status lac_alloc(void *out, size_t count, size_t size, const char *what) {
  if (count == 0 || size == 0) count = size = 1;
  void *p = lac_fault_due() ? NULL : calloc(count, size);
  if (!p) return fail_memory(count, size, what);
  memcpy(out, &p, sizeof p); // the caller's variable may be any object pointer
  return LAC_OK;
}

lac_status lac_realloc(void *inout, size_t count, size_t size, const char *what) {
  void *old, *p = NULL;
  memcpy(&old, inout, sizeof old);
  if (count == 0 || size == 0) count = size = 1;
  if (count <= SIZE_MAX / size && !lac_fault_due()) p = realloc(old, count * size);
  if (!p) return fail_memory(count, size, what);
  memcpy(inout, &p, sizeof p);
  return LAC_OK;
}
