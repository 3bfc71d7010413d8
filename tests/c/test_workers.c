/* The pool of host threads: every part once, jobs in quick and slow succession, nested and rival
 * callers. */
#include "check.h"
#include "core/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static lac_workers *w; // of the size under test

enum { PARTS = 1000 };

typedef struct counts {
  lac_workers *workers;
  uint32_t seen[PARTS]; // plain: the pool alone must order the accesses (ThreadSanitizer looks)
} counts;

static void count_part(void *arg, uint32_t part) {
  ((counts *)arg)->seen[part]++;
}

static bool all_are(const counts *c, uint32_t parts, uint32_t times) {
  for (uint32_t i = 0; i < PARTS; i++)
    if (c->seen[i] != (i < parts ? times : 0)) return false;
  return true;
}

static void nap(long us) {
  const struct timespec t = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&t, NULL);
}

static void every_part_is_run_once(void) {
  static const uint32_t parts[] = {0, 1, 2, 3, 17, PARTS};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    counts c = {0};
    lac_workers_run(w, count_part, &c, parts[i]);
    check_that(all_are(&c, parts[i], 1), __LINE__, "a part was left out or run twice", NULL);
  }
}

static void jobs_may_follow_each_other_at_once(void) {
  static counts c;
  memset(&c, 0, sizeof c);
  for (int i = 0; i < 5000; i++)
    lac_workers_run(w, count_part, &c, 5);
  check_that(all_are(&c, 5, 5000), __LINE__, "a part was lost between jobs", NULL);
}

static void sleeping_threads_wake_up(void) {
  counts c = {0};
  for (int i = 0; i < 50; i++) {
    nap(i % 2 ? 300 : 45); // long after the spinning, and about at its end
    lac_workers_run(w, count_part, &c, 8);
  }
  check_that(all_are(&c, 8, 50), __LINE__, "a part was lost", NULL);
}

static void wait_a_little(void *arg, uint32_t part) {
  nap(part == 0 ? 2000 : 10);
  count_part(arg, part);
}

static void the_caller_waits_for_slow_parts(void) {
  counts c = {0};
  for (int i = 0; i < 5; i++)
    lac_workers_run(w, wait_a_little, &c, 9);
  check_that(all_are(&c, 9, 5), __LINE__, "returned before the last part", NULL);
}

static void run_inside(void *arg, uint32_t part) {
  counts *c = arg;
  counts inner = {0};
  lac_workers_run(c->workers, count_part, &inner, 7);
  c->seen[part] += all_are(&inner, 7, 1);
}

static void a_part_may_run_a_job_itself(void) {
  counts c = {.workers = w};
  lac_workers_run(w, run_inside, &c, 20);
  check_that(all_are(&c, 20, 1), __LINE__, "the inner job was not whole", NULL);
}

static void *be_a_rival(void *arg) {
  counts *c = arg;
  for (int i = 0; i < 500; i++)
    lac_workers_run(c->workers, count_part, c, 6);
  return NULL;
}

static void several_threads_may_call_at_the_same_time(void) {
  enum { RIVALS = 4 };
  static counts c[RIVALS];
  pthread_t threads[RIVALS];
  bool right = true;
  for (int i = 0; i < RIVALS; i++) {
    memset(&c[i], 0, sizeof c[i]);
    c[i].workers = w;
    right &= pthread_create(&threads[i], NULL, be_a_rival, &c[i]) == 0;
  }
  for (int i = 0; i < RIVALS; i++)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < RIVALS; i++)
    right &= all_are(&c[i], 6, 500);
  check_that(right, __LINE__, "a caller lost parts to another", NULL);
}

typedef struct meeting {
  _Atomic uint32_t here;
  _Atomic uint32_t met;
} meeting;

/* Each part waits, for at most two seconds, until the other is there too. */
static void meet(void *arg, uint32_t part) {
  meeting *m = arg;
  (void)part;
  atomic_fetch_add(&m->here, 1);
  for (int i = 0; i < 2000 && atomic_load(&m->here) < 2; i++)
    nap(1000);
  atomic_fetch_add(&m->met, atomic_load(&m->here) >= 2);
}

static void parts_run_at_the_same_time(void) {
  meeting m = {0};
  lac_workers_run(w, meet, &m, 2);
  check_that(m.met == 2, __LINE__, "two parts did not meet", NULL);
}

static void pools_start_and_end_quickly(void) {
  bool right = true;
  for (uint32_t i = 0; i < 40 && right; i++) {
    lac_workers *own = NULL;
    counts c = {0};
    right &= lac_workers_new(&own, 1 + i % 4) == LAC_OK && lac_workers_count(own) == 1 + i % 4;
    if (i % 3) lac_workers_run(own, count_part, &c, 3);
    right &= all_are(&c, i % 3 ? 3 : 0, 1);
    lac_workers_release(own);
  }
  lac_workers_release(NULL);
  check_that(right, __LINE__, "a pool did not start or lost parts", NULL);
}

static void the_environment_limits_the_threads(void) {
  lac_workers *own = NULL;
  setenv("LACUNA_THREADS", "1", 1);
  check_that(lac_workers_new(&own, 0) == LAC_OK && lac_workers_count(own) == 1, __LINE__,
             "1 was not obeyed", NULL);
  lac_workers_release(own);
  own = NULL;
  setenv("LACUNA_THREADS", "1000", 1);
  check_that(lac_workers_new(&own, 0) == LAC_OK && lac_workers_count(own) < 1000, __LINE__,
             "more threads than cores", NULL); // a machine with 1000 cores fails here, gladly
  lac_workers_release(own);
  unsetenv("LACUNA_THREADS");
}

static void a_wrong_environment_is_refused(void) {
  static const char *const wrong[] = {"0", "-3", "two", "2x", "1.5", "99999999999999999999", " "};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    lac_workers *own = NULL;
    setenv("LACUNA_THREADS", wrong[i], 1);
    check_that(lac_workers_new(&own, 0) == LAC_EINVAL && !own &&
                   strstr(lac_message(), "LACUNA_THREADS"),
               __LINE__, wrong[i], NULL);
  }
  unsetenv("LACUNA_THREADS");
}

int main(void) {
  static const uint32_t sizes[] = {1, 2, 3, 8};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (lac_workers_new(&w, sizes[i]) != LAC_OK) {
      printf("%s\n", lac_message());
      return 2;
    }
    RUN(every_part_is_run_once);
    RUN(jobs_may_follow_each_other_at_once);
    RUN(sleeping_threads_wake_up);
    RUN(the_caller_waits_for_slow_parts);
    RUN(a_part_may_run_a_job_itself);
    RUN(several_threads_may_call_at_the_same_time);
    if (sizes[i] > 1) RUN(parts_run_at_the_same_time); // alone there is nobody to meet
    lac_workers_release(w);
    w = NULL;
  }
  RUN(pools_start_and_end_quickly);
  RUN(the_environment_limits_the_threads);
  RUN(a_wrong_environment_is_refused);
  return check_finish();
}
