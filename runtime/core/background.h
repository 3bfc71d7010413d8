/**
 * One job at a time in a thread of its own, while its owner does something else.
 *
 * What the job works on passes from hand to hand: it is the owner's until lac_background_start(),
 * the job's until lac_background_wait() or lac_background_drop() returns, and then the owner's
 * again. So nothing else needs a lock. A background belongs to one thread, that of its owner.
 */
#ifndef LAC_CORE_BACKGROUND_H
#define LAC_CORE_BACKGROUND_H

#include "core/status.h"

#include <stdbool.h>

typedef struct lac_background lac_background;

/**
 * Start the thread; signals do not reach it.
 *
 * @param run  does a job; it looks at lac_background_dropped() now and then and may end early when
 *             that is true
 * @param arg  kept, borrowed
 * @return LAC_OK; LAC_ENOMEM when there is no memory or the system gives no thread
 */
lac_status lac_background_new(lac_background **out, lac_status (*run)(void *arg), void *arg);

/** End the thread, when the job that is running has noticed; NULL does nothing. */
void lac_background_release(lac_background *background);

/** Let the job begin. None may be running. */
void lac_background_start(lac_background *background);

/**
 * Wait for the job.
 *
 * @param[out] found  false where none was started since the last wait or drop, and then LAC_OK is
 *                    returned
 * @return what the job returned; its message becomes the caller's
 */
lac_status lac_background_wait(lac_background *background, bool *found);

/** Nobody wants the job any more: wait for it to end and forget it. */
void lac_background_drop(lac_background *background);

/** For the job: whether it has been dropped. Any thread may ask. */
bool lac_background_dropped(const lac_background *background);

#endif
