/**
 * Another program, run beside ours: started without a shell, watched, and ended with all that it
 * started.
 */
#ifndef LAC_IO_CHILD_H
#define LAC_IO_CHILD_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct lac_child lac_child;

/**
 * Start a program in a process group of its own, so that Ctrl-C does not reach it. It reads
 * nothing; the last 4 KiB that it prints, on standard output or error, are kept.
 *
 * @param words   the program, looked up as a shell does, and its arguments; NULL ends them
 * @param folder  where it runs; NULL for where we are
 * @return LAC_OK; LAC_EIO where it cannot be started, with the reason; LAC_ENOMEM
 */
lac_status lac_child_start(lac_child **out, const char *const *words, const char *folder);

/**
 * Wait until it has ended, but not longer than `ms` milliseconds, and not beyond a signal.
 *
 * @param[out] ended  whether it has
 * @param[out] code   its exit status, or minus the number of the signal that ended it; untouched
 * while it runs
 * @return LAC_OK; LAC_EIO
 */
lac_status lac_child_wait(lac_child *child, int ms, bool *ended, int *code);

/** What it printed last; borrowed until the next wait. */
const char *lac_child_output(const lac_child *child, size_t *bytes);

/** Kill it and the processes that it started unless it has ended, and forget it; NULL is fine. */
void lac_child_release(lac_child *child);

#endif
