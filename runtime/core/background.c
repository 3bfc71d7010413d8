/* A state under a mutex: the owner sets STARTED, the thread sets DONE, the owner sets IDLE. */
#include "core/background.h"

#include "core/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum state { IDLE, STARTED, DONE } state;

struct lac_background {
  lac_status (*run)(void *arg);
  void *arg;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed; // state or ending
  state state;
  bool ending;
  atomic_bool dropped;

  lac_status status; // of the job that is DONE
  char message[1024];
};

static void *serve(void *arg) {
  lac_background *b = arg;
  pthread_mutex_lock(&b->mutex);
  for (;;) {
    while (b->state != STARTED && !b->ending)
      pthread_cond_wait(&b->changed, &b->mutex);
    if (b->ending) break;
    pthread_mutex_unlock(&b->mutex);
    b->status = b->run(b->arg);
    if (b->status != LAC_OK) snprintf(b->message, sizeof b->message, "%s", lac_message());
    pthread_mutex_lock(&b->mutex);
    b->state = DONE;
    pthread_cond_broadcast(&b->changed);
  }
  pthread_mutex_unlock(&b->mutex);
  return NULL;
}

/* Signals are the owner's: Ctrl-C must not be delivered to a thread that cannot act on it. */
static int start_thread(lac_background *b) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failed = pthread_create(&b->thread, NULL, serve, b);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed;
}

static void free_all(lac_background *b) {
  pthread_cond_destroy(&b->changed);
  pthread_mutex_destroy(&b->mutex);
  free(b);
}

lac_status lac_background_new(lac_background **out, lac_status (*run)(void *arg), void *arg) {
  lac_background *b;
  LAC_TRY(lac_alloc(&b, 1, sizeof *b, "a thread"));
  b->run = run;
  b->arg = arg;
  pthread_mutex_init(&b->mutex, NULL);
  pthread_cond_init(&b->changed, NULL);
  const int failed = start_thread(b);
  if (failed) {
    free_all(b);
    return lac_fail(LAC_ENOMEM, "cannot start a thread: %s", strerror(failed));
  }
  *out = b;
  return LAC_OK;
}

void lac_background_release(lac_background *b) {
  if (!b) return;
  atomic_store(&b->dropped, true);
  pthread_mutex_lock(&b->mutex);
  b->ending = true;
  pthread_cond_broadcast(&b->changed);
  pthread_mutex_unlock(&b->mutex);
  pthread_join(b->thread, NULL);
  free_all(b);
}

void lac_background_start(lac_background *b) {
  pthread_mutex_lock(&b->mutex);
  b->state = STARTED;
  pthread_mutex_unlock(&b->mutex);
  pthread_cond_broadcast(&b->changed); // later: a thread that wakes up can take the mutex
}

/* Afterwards what the job worked on is the owner's; whether there was a job. */
static bool await(lac_background *b) {
  pthread_mutex_lock(&b->mutex);
  const bool found = b->state != IDLE;
  while (b->state == STARTED)
    pthread_cond_wait(&b->changed, &b->mutex);
  b->state = IDLE;
  pthread_mutex_unlock(&b->mutex);
  return found;
}

lac_status lac_background_wait(lac_background *b, bool *found) {
  *found = await(b);
  if (!*found || b->status == LAC_OK) return LAC_OK;
  return lac_fail(b->status, "%s", b->message);
}

void lac_background_drop(lac_background *b) {
  atomic_store(&b->dropped, true);
  await(b);
  atomic_store(&b->dropped, false);
}

bool lac_background_dropped(const lac_background *b) {
  return atomic_load(&b->dropped);
}
