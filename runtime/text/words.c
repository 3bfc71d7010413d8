#include "text/words.h"

#include <stdint.h>

/* Bytes of white space at the start of a text. */
static size_t space_length(const char *text, size_t bytes) {
  const unsigned char *t = (const unsigned char *)text;
  if (bytes == 0) return 0;
  if (t[0] == ' ' || (t[0] >= 0x09 && t[0] <= 0x0D) || (t[0] >= 0x1C && t[0] <= 0x1F)) return 1;
  if (t[0] == 0xC2 && bytes > 1) return t[1] == 0x85 || t[1] == 0xA0 ? 2 : 0;
  if (t[0] < 0xE1 || t[0] > 0xE3 || bytes < 3) return 0;
  const uint32_t c = (uint32_t)(t[0] & 0x0F) << 12 | (uint32_t)(t[1] & 0x3F) << 6 | (t[2] & 0x3F);
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
                 c == 0x205F || c == 0x3000
             ? 3
             : 0;
}

bool lac_words_next(const char **word, size_t *length, size_t *at, const char *text, size_t bytes) {
  size_t from = *at, space;
  while ((space = space_length(text + from, bytes - from)) > 0)
    from += space;
  size_t end = from;
  while (end < bytes && space_length(text + end, bytes - end) == 0)
    end++;
  *at = end;
  if (end == from) return false;
  *word = text + from;
  *length = end - from;
  return true;
}
