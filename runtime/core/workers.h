/**
 * The one pool of host threads: run the parts of a job on all of them, the caller included.
 *
 * A thread without work spins for a few tens of microseconds, so that jobs that follow each other
 * start at once, and then sleeps, so that the cores are free for everybody else. Threads are not
 * pinned.
 */
#ifndef LAC_CORE_WORKERS_H
#define LAC_CORE_WORKERS_H

#include "core/status.h"

#include <stdint.h>

typedef struct lac_workers lac_workers;

/** Most threads that a pool may have. */
enum { LAC_WORKERS_MAX = 1024 };

/**
 * Start a pool.
 *
 * @param count  threads that work on a job, the caller counted; 0 for the smaller of
 * $LACUNA_THREADS and the number of cores that the process may run on
 * @return LAC_OK; LAC_EINVAL when $LACUNA_THREADS is no whole number from 1 to LAC_WORKERS_MAX;
 *         LAC_ENOMEM when there is no memory for it or the system gives no more threads
 */
lac_status lac_workers_new(lac_workers **out, uint32_t count);

/** End the threads; no job may be running. */
void lac_workers_release(lac_workers *workers);

/** How many threads work on a job, the caller counted: at least 1. */
uint32_t lac_workers_count(const lac_workers *workers);

/**
 * Call run(arg, part) once for every part in 0 .. parts - 1, in no particular order, and return
 * when all have returned. What the parts wrote is visible to the caller.
 *
 * Any thread may call it. While a job is running, other callers, among them the parts of that job,
 * do their parts themselves, so it never waits for somebody else's job.
 */
void lac_workers_run(lac_workers *workers, void (*run)(void *arg, uint32_t part), void *arg,
                     uint32_t parts);

#endif
