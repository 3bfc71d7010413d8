/* One number out of an EXIF block: the orientation, in the first directory of a TIFF header. */
#include "io/picture.h"

#include <stdbool.h>
#include <string.h>

typedef struct block {
  const uint8_t *bytes;
  size_t size;
  bool big_endian;
} block;

/* The number of `width` <= 4 bytes at `at`; 0 beyond the end. */
static uint32_t number(const block *b, size_t at, size_t width) {
  uint32_t value = 0;
  if (at > b->size || width > b->size - at) return 0;
  for (size_t i = 0; i < width; i++)
    value = value << 8 | b->bytes[at + (b->big_endian ? i : width - 1 - i)];
  return value;
}

int lac_exif_orientation(const uint8_t *bytes, size_t size) {
  enum { TAG = 0x0112, SHORT = 3, ENTRY = 12 };
  if (size < 8 || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0)) return 1;
  const block b = {bytes, size, bytes[0] == 'M'};
  const size_t directory = number(&b, 4, 4);
  const uint32_t entries = number(&b, directory, 2);
  for (uint32_t i = 0; i < entries; i++) {
    const size_t entry = directory + 2 + (size_t)i * ENTRY;
    if (entry > size) return 1;
    if (number(&b, entry, 2) != TAG) continue;
    const uint32_t value = number(&b, entry + 2, 2) == SHORT ? number(&b, entry + 8, 2) : 0;
    return value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}
