/* The stack is walked from its deepest record, which for a system call quotes the system's words.
 */
#include "io/hdf5_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

lac_hdf5_quiet lac_hdf5_hush(void) {
  lac_hdf5_quiet before = {0};
  H5dont_atexit(); // at exit it would try again to close what could not be written, and complain or
                   // crash
  H5Eget_auto2(H5E_DEFAULT, &before.report, &before.data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return before;
}

void lac_hdf5_unhush(lac_hdf5_quiet before) {
  H5Eset_auto2(H5E_DEFAULT, before.report, before.data);
}

typedef struct reason {
  char text[200];
} reason;

static herr_t take_reason(unsigned n, const H5E_error2_t *record, void *data) {
  reason *out = data;
  static const char quote[] = "error message = '";
  (void)n;
  const char *words = record->desc ? strstr(record->desc, quote) : NULL;
  if (words) {
    words += strlen(quote);
    snprintf(out->text, sizeof out->text, "%.*s", (int)strcspn(words, "'"), words);
    return 1; // nothing further up says it better
  }
  if (!out->text[0] && record->desc) snprintf(out->text, sizeof out->text, "%s", record->desc);
  return 0;
}

lac_status lac_hdf5_fail(const char *path, const char *what, ...) {
  reason why = {{0}};
  char text[512];
  va_list args;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, &why);
  va_start(args, what);
  vsnprintf(text, sizeof text, what, args); // NOLINT(clang-analyzer-valist.Uninitialized): it is
  va_end(args);
  return lac_fail(LAC_EIO, "%s: %s: %s", path, text, why.text[0] ? why.text : "no reason given");
}
