/*
 * Three passes: replace or drop single characters, let utf8proc decompose and compose, squeeze
 * spaces. The first must come before NFKC, which knows nothing of control and zero-width
 * characters; the last after it, because NFKC makes plain spaces of a dozen others.
 */
#include "text/normalise.h"

#include "core/memory.h"
#include "text/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <utf8proc.h>

/* The exceptions that "nmt" adds to NFKC: 0 drops the character. */
static utf8proc_int32_t replace(utf8proc_int32_t c) {
  if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F ||
      c == 0x9F)
    return 0;
  if (c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
      (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
      c == 0xFFFD)
    return ' ';
  return c;
}

/* Copies text through replace(); the result is never longer than the text. */
static lac_status replace_all(uint8_t *out, size_t *out_bytes, const char *text, size_t bytes) {
  size_t n = 0;
  for (size_t i = 0; i < bytes;) {
    utf8proc_int32_t c;
    LAC_TRY(lac_utf8_next(&c, &i, text, bytes, "text.normalise"));
    const utf8proc_int32_t kept = replace(c);
    if (kept != 0 || c == 0) n += (size_t)utf8proc_encode_char(kept, out + n);
  }
  *out_bytes = n;
  return LAC_OK;
}

/* In place: one space between words, none at the ends. */
static size_t squeeze(char *text, size_t bytes) {
  size_t n = 0;
  for (size_t i = 0; i < bytes; i++) {
    if (text[i] != ' ' || (n > 0 && text[n - 1] != ' ')) text[n++] = text[i];
  }
  if (n > 0 && text[n - 1] == ' ') n--;
  text[n] = '\0';
  return n;
}

lac_status lac_text_normalise(char **out, size_t *out_bytes, const char *text, size_t bytes) {
  const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  uint8_t *plain = NULL;
  utf8proc_int32_t *points = NULL; // becomes the result: utf8proc encodes in place
  size_t n = 0;
  lac_status status = lac_alloc(&plain, bytes, 1, "normalised text");
  if (status == LAC_OK) status = replace_all(plain, &n, text, bytes);
  if (status != LAC_OK) goto out;

  utf8proc_ssize_t count = utf8proc_decompose(plain, (utf8proc_ssize_t)n, NULL, 0, options);
  if (count >= 0) {
    status = lac_alloc(&points, (size_t)count + 1, sizeof *points, "normalised text");
    if (status != LAC_OK) goto out;
    count = utf8proc_decompose(plain, (utf8proc_ssize_t)n, points, count, options);
  }
  if (count >= 0) count = utf8proc_reencode(points, count, options);
  if (count < 0) {
    status = lac_fail(LAC_EINVAL, "text.normalise: %s", utf8proc_errmsg(count));
    goto out;
  }
  *out = (char *)points;
  *out_bytes = squeeze(*out, (size_t)count);
  points = NULL;
out:
  free(points);
  free(plain);
  return status;
}
