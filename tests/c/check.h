/**
 * The checks of the C tests. A test is a static function named as a sentence, run by RUN(); the
 * program prints each failure and ends with `return check_finish();`.
 */
#ifndef LAC_TESTS_CHECK_H
#define LAC_TESTS_CHECK_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_passed, check_failed, check_skipped;      // tests
static int check_claims, check_false_claims, check_absent; // of the running test
static const char *check_test = "";

static inline bool check_that(bool right, int line, const char *what, const char *got) {
  check_claims++;
  if (!right) {
    check_false_claims++;
    printf("FAILED %s, line %d: %s%s%s\n", check_test, line, what, got ? "\n  got: " : "",
           got ? got : "");
  }
  return right;
}

/** True when the condition holds; else the running test has failed. */
#define CHECK(condition) check_that((condition), __LINE__, #condition, NULL)

/** The status is LAC_OK; else the message is shown. */
#define CHECK_OK(expression)                                                                       \
  check_that((expression) == LAC_OK, __LINE__, #expression, lac_message())

static inline bool check_refusal(lac_status status, const char *words, int line, const char *what) {
  if (status == LAC_OK) return check_that(false, line, what, "no failure");
  return check_that(strstr(lac_message(), words) != NULL, line, words, lac_message());
}

/** The expression fails, and the message holds these words. */
#define CHECK_FAILS(expression, words) check_refusal((expression), (words), __LINE__, #expression)

static inline void check_run(const char *name, void (*test)(void)) {
  check_test = name;
  check_claims = check_false_claims = check_absent = 0;
  test();
  if (check_false_claims)
    check_failed++;
  else if (check_claims)
    check_passed++;
  else if (check_absent)
    check_skipped++;
  else {
    check_failed++;
    printf("FAILED %s: it claims nothing\n", name);
  }
}

#define RUN(test) check_run(#test, test)

/** The path of shared data, "" when it is absent: then the test prints why it skips. */
static inline const char *check_shared(char *out, size_t room, const char *name) {
  const char *root = getenv("LACUNA_SHARED");
  snprintf(out, room, "%s/%s", root ? root : LAC_SOURCE_DIR "/../shared", name);
  if (access(out, R_OK) != 0) {
    printf("skipped: %s: no %s\n", check_test, name);
    check_absent++;
    out[0] = '\0';
  }
  return out;
}

/** A path in a fresh directory of this process, which check_finish() leaves empty. */
static inline const char *check_path(const char *name) {
  static char directory[64], path[4][512];
  static unsigned turn;
  if (!directory[0]) {
    snprintf(directory, sizeof directory, "/tmp/lacuna-test-XXXXXX");
    if (!mkdtemp(directory)) exit(2);
  }
  char *out = path[turn++ % 4];
  snprintf(out, sizeof path[0], "%s/%s", directory, name);
  return out;
}

/** Numbers that are the same in every run. */
static inline uint32_t check_random(uint32_t *seed) {
  *seed = *seed * 1664525 + 1013904223;
  return *seed >> 8;
}

static inline int check_finish(void) {
  char *directory = strdup(check_path(""));
  if (directory) rmdir(directory);
  free(directory);
  if (check_skipped) printf("%d skipped\n", check_skipped);
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed > 0;
}

#endif
