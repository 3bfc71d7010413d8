#include "text/utf8.h"

#include <utf8proc.h>

lac_status lac_utf8_next(int32_t *c, size_t *at, const char *text, size_t bytes, const char *op) {
  const uint8_t *from = (const uint8_t *)text + *at;
  const utf8proc_ssize_t step = utf8proc_iterate(from, (utf8proc_ssize_t)(bytes - *at), c);
  if (step <= 0)
    return lac_fail(LAC_EINVAL, "%s: not UTF-8: byte %zu of %zu is 0x%02X", op, *at + 1, bytes,
                    *from);
  *at += (size_t)step;
  return LAC_OK;
}
