/* The kind of a picture is told by its first bytes; what the file is called plays no part. */
#include "io/picture.h"

#include "io/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct kind {
  const char *name;
  const char *start; // bytes, some of which may be 0
  size_t at, length;
  lac_status (*decode)(const void *bytes, size_t size, const lac_picture_sink *sink);
} kind;

static const kind KINDS[] = {
    {"a JPEG", "\xff\xd8\xff", 0, 3, lac_jpeg_decode},
    {"a PNG", "\x89PNG\r\n\x1a\n", 0, 8, lac_png_decode},
    {"a GIF", "GIF8", 0, 4, NULL},
    {"a BMP", "BM", 0, 2, NULL},
    {"a WebP", "WEBP", 8, 4, NULL},
    {"a TIFF", "II*\0", 0, 4, NULL},
    {"a TIFF", "MM\0*", 0, 4, NULL},
    {"a HEIF or AVIF", "ftyp", 4, 4, NULL},
    {"a JPEG 2000", "\0\0\0\x0cjP  ", 0, 8, NULL},
    {"a PPM", "P6", 0, 2, NULL},
};

static const kind *find_kind(const char *bytes, size_t size) {
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    const kind *k = &KINDS[i];
    if (size >= k->at + k->length && memcmp(bytes + k->at, k->start, k->length) == 0) return k;
  }
  return NULL;
}

static lac_status refuse(const char *bytes, size_t size) {
  char seen[13] = "";
  size_t n = 0;
  if (size == 0) return lac_fail(LAC_EIO, "is empty, so no picture");
  for (; n < sizeof seen - 1 && n < size && bytes[n] >= ' ' && bytes[n] <= '~'; n++)
    seen[n] = bytes[n];
  seen[n] = '\0';
  return lac_fail(LAC_EIO, "is neither a JPEG nor a PNG picture%s%s%s",
                  n ? "; it begins with \"" : "", seen, n ? "\"" : "");
}

static lac_status decode(const char *bytes, size_t size, const lac_picture_sink *sink) {
  const kind *k = find_kind(bytes, size);
  if (!k) return refuse(bytes, size);
  if (!k->decode)
    return lac_fail(LAC_EUNSUPPORTED, "is %s picture; JPEG and PNG can be read", k->name);
  return k->decode(bytes, size, sink);
}

lac_status lac_picture_check(uint64_t width, uint64_t height, uint64_t whole) {
  if (width == 0 || height == 0) return lac_fail(LAC_EINVAL, "has no pixels");
  if (width > LAC_PICTURE_PIXELS / height)
    return lac_fail(LAC_EINVAL,
                    "is too large: %" PRIu64 " x %" PRIu64 " pixels, at most %" PRIu64
                    " million can be read; scale it down first",
                    width, height, LAC_PICTURE_PIXELS >> 20);
  if (whole > LAC_PICTURE_WHOLE)
    return lac_fail(LAC_EINVAL,
                    "is too large for its kind: %" PRIu64 " x %" PRIu64 " pixels that come in "
                    "several passes (progressive or interlaced) need %" PRIu64 " MiB, at most "
                    "%" PRIu64 " are allowed; scale it down, or save it without passes",
                    width, height, whole >> 20, LAC_PICTURE_WHOLE >> 20);
  return LAC_OK;
}

lac_status lac_picture_read(const char *path, const lac_picture_sink *sink) {
  void *bytes = NULL;
  size_t size = 0;
  LAC_TRY(lac_file_read(&bytes, &size, path, LAC_PICTURE_FILE));
  const lac_status status = decode(bytes, size, sink);
  free(bytes);
  return lac_file_blame(status, path);
}
