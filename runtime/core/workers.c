/*
 * A job is published as one 64-bit ticket, `parts` in the upper half and the next part to take in
 * the lower. Whoever moves the ticket on by compare-and-swap owns that part, and the job cannot end
 * before the part has been done: so `run` and `arg` are steady from the swap until `pending` is
 * counted down, and a thread that comes late, with the ticket of an older job in hand, fails to
 * swap or takes a part of the current job; both are right. The parts are taken one by one because a
 * sleeping thread needs some 30 us to come: until then the others go on with what would have been
 * its share.
 */
#include "core/workers.h"

#include "core/memory.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPIN_US = 40, CACHE_LINE = 64 };

struct lac_workers {
  uint32_t count; // threads, the caller of a job included
  pthread_t *threads;
  pthread_mutex_t mutex; // of the two conditions; the ticket is only published under it
  pthread_cond_t work;   // a job has been published, or the pool ends
  pthread_cond_t done;   // the last part of the job has been done
  uint32_t sleepers;     // threads waiting for `work`
  bool waiting;          // the caller waits for `done`
  atomic_bool ending;    // no more jobs
  atomic_bool busy;      // a job is running
  void (*run)(void *arg, uint32_t part);
  void *arg;
  char apart1[CACHE_LINE]; // spinning readers of one must not slow the writers of the other
  _Atomic uint64_t ticket;
  char apart2[CACHE_LINE];
  _Atomic uint32_t pending; // parts not yet done
};

static void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool has_part(uint64_t ticket) {
  return (uint32_t)ticket < (uint32_t)(ticket >> 32);
}

/* Nothing to wait for any more? */
static bool work_came(lac_workers *w) {
  return has_part(atomic_load_explicit(&w->ticket, memory_order_relaxed)) ||
         atomic_load_explicit(&w->ending, memory_order_relaxed);
}

static bool job_done(lac_workers *w) {
  return atomic_load_explicit(&w->pending, memory_order_acquire) == 0;
}

/* Spin until ready() or until the time is up. */
static bool spin(lac_workers *w, bool (*ready)(lac_workers *w)) {
  const uint64_t start = now_ns();
  do {
    for (int i = 0; i < 16; i++) {
      if (ready(w)) return true;
      pause_cpu();
    }
  } while (now_ns() - start < SPIN_US * 1000u);
  return ready(w);
}

/* Do parts while there are any; true when this thread did the last one to end. */
static bool do_parts(lac_workers *w) {
  bool last = false;
  uint64_t ticket = atomic_load_explicit(&w->ticket, memory_order_relaxed);
  while (has_part(ticket)) {
    // acquire: see run and arg of the job whose part this is
    if (!atomic_compare_exchange_weak_explicit(&w->ticket, &ticket, ticket + 1,
                                               memory_order_acquire, memory_order_relaxed))
      continue;
    w->run(w->arg, (uint32_t)ticket);
    last = atomic_fetch_sub_explicit(&w->pending, 1, memory_order_acq_rel) == 1;
    ticket = atomic_load_explicit(&w->ticket, memory_order_relaxed);
  }
  return last;
}

static void *work(void *arg) {
  lac_workers *w = arg;
  for (;;) {
    if (!spin(w, work_came)) {
      pthread_mutex_lock(&w->mutex);
      w->sleepers++;
      while (!work_came(w))
        pthread_cond_wait(&w->work, &w->mutex);
      w->sleepers--;
      pthread_mutex_unlock(&w->mutex);
    }
    if (atomic_load_explicit(&w->ending, memory_order_acquire)) return NULL;
    if (do_parts(w)) {
      pthread_mutex_lock(&w->mutex);
      if (w->waiting) pthread_cond_signal(&w->done);
      pthread_mutex_unlock(&w->mutex);
    }
  }
}

static void publish(lac_workers *w, uint32_t parts) {
  pthread_mutex_lock(&w->mutex);
  atomic_store_explicit(&w->pending, parts, memory_order_relaxed);
  atomic_store_explicit(&w->ticket, (uint64_t)parts << 32, memory_order_release);
  for (uint32_t i = 0; i < w->sleepers && i + 1 < parts; i++)
    pthread_cond_signal(&w->work);
  pthread_mutex_unlock(&w->mutex);
}

static void await_done(lac_workers *w) {
  if (spin(w, job_done)) return;
  pthread_mutex_lock(&w->mutex);
  w->waiting = true;
  while (!job_done(w))
    pthread_cond_wait(&w->done, &w->mutex);
  w->waiting = false;
  pthread_mutex_unlock(&w->mutex);
}

void lac_workers_run(lac_workers *w, void (*run)(void *arg, uint32_t part), void *arg,
                     uint32_t parts) {
  const bool alone =
      parts < 2 || w->count < 2 || atomic_exchange_explicit(&w->busy, true, memory_order_acquire);
  if (alone) {
    for (uint32_t part = 0; part < parts; part++)
      run(arg, part);
    return;
  }
  w->run = run;
  w->arg = arg;
  publish(w, parts);
  if (!do_parts(w)) await_done(w);
  atomic_store_explicit(&w->busy, false, memory_order_release);
}

uint32_t lac_workers_count(const lac_workers *w) {
  return w->count;
}

/* Cores that the process may run on: a container or taskset may have taken some away. */
static uint32_t count_cores(void) {
  cpu_set_t *set;
  // the kernel's own mask may be larger than cpu_set_t: ask with more room until it fits
  for (int cpus = 1024; cpus <= 1 << 20 && (set = CPU_ALLOC((size_t)cpus)); cpus *= 2) {
    const size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
    const int answer = sched_getaffinity(0, bytes, set);
    const int cores = answer == 0 ? CPU_COUNT_S(bytes, set) : 0;
    const bool retry = answer != 0 && errno == EINVAL;
    CPU_FREE(set);
    if (!retry) return cores > 0 ? (uint32_t)cores : 1;
  }
  return 1;
}

static lac_status choose_count(uint32_t *out) {
  const char *text = getenv("LACUNA_THREADS");
  uint32_t count = count_cores();
  if (text && *text) {
    char *end;
    errno = 0;
    const long wanted = strtol(text, &end, 10);
    if (errno || *end || wanted < 1 || wanted > LAC_WORKERS_MAX)
      return lac_fail(LAC_EINVAL,
                      "LACUNA_THREADS must be a whole number from 1 to %d, got \"%.40s\"",
                      LAC_WORKERS_MAX, text);
    if ((uint32_t)wanted < count) count = (uint32_t)wanted;
  }
  *out = count < LAC_WORKERS_MAX ? count : LAC_WORKERS_MAX;
  return LAC_OK;
}

/* Start the threads with all signals blocked: handlers run on the program's own threads. On failure
 * w->count says how many, the caller included, there are to end. */
static lac_status start_threads(lac_workers *w, uint32_t count) {
  sigset_t all, before;
  int refused = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (w->count = 1; w->count < count && !refused;) {
    refused = pthread_create(&w->threads[w->count - 1], NULL, work, w);
    if (!refused) w->count++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!refused) return LAC_OK;
  return lac_fail(LAC_ENOMEM,
                  "workers: the system refused thread %u of %u (%s); set LACUNA_THREADS",
                  w->count + 1, count, strerror(refused));
}

lac_status lac_workers_new(lac_workers **out, uint32_t count) {
  lac_workers *w = NULL;
  assert(count <= LAC_WORKERS_MAX);
  if (count == 0) LAC_TRY(choose_count(&count));
  LAC_TRY(lac_alloc(&w, 1, sizeof *w, "the worker threads"));
  lac_status status = lac_alloc(&w->threads, count, sizeof *w->threads, "the worker threads");
  if (status != LAC_OK) {
    free(w);
    return status;
  }
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->work, NULL);
  pthread_cond_init(&w->done, NULL);
  status = start_threads(w, count);
  if (status != LAC_OK) {
    lac_workers_release(w);
    return status;
  }
  *out = w;
  return LAC_OK;
}

void lac_workers_release(lac_workers *w) {
  if (!w) return;
  pthread_mutex_lock(&w->mutex);
  atomic_store_explicit(&w->ending, true, memory_order_release);
  pthread_cond_broadcast(&w->work);
  pthread_mutex_unlock(&w->mutex);
  for (uint32_t i = 0; i + 1 < w->count; i++)
    pthread_join(w->threads[i], NULL);
  pthread_cond_destroy(&w->done);
  pthread_cond_destroy(&w->work);
  pthread_mutex_destroy(&w->mutex);
  free(w->threads);
  free(w);
}
