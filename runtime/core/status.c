/* The message is the only mutable state at file scope in the library; it is per thread. */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[1024];

void lac_remember(const char *text, ...) {
  char fresh[sizeof message]; // the arguments may point into the old message
  va_list args;
  va_start(args, text);
  vsnprintf(fresh, sizeof fresh, text, args); // NOLINT(clang-analyzer-valist.Uninitialized)
  va_end(args);
  snprintf(message, sizeof message, "%s", fresh);
}

const char *lac_message(void) {
  return message;
}

const char *lac_status_name(lac_status code) {
  switch (code) {
  case LAC_OK:
    return "ok";
  case LAC_EINVAL:
    return "value";
  case LAC_ESHAPE:
    return "shape";
  case LAC_ENOMEM:
    return "memory";
  case LAC_EDEVICE:
    return "device";
  case LAC_EIO:
    return "file";
  case LAC_EUNSUPPORTED:
    return "unsupported";
  }
  return "unknown";
}
