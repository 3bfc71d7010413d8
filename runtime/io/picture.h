/**
 * Picture files as rows of 8-bit red, green, blue.
 *
 * Rows are handed over one by one, as they are decoded, so that a large picture needs memory for a
 * few rows. What cannot be read that way (progressive JPEG, interlaced PNG) is held whole and may
 * be LAC_PICTURE_WHOLE bytes large. Colour profiles and gamma are ignored, as are text and all else
 * beside the pixels and the orientation.
 */
#ifndef LAC_IO_PICTURE_H
#define LAC_IO_PICTURE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/** Limits: of a file's bytes, of pixels (a small file can ask for days of decoding), and of what
 * must be held in memory at once. */
#define LAC_PICTURE_FILE ((uint64_t)256 << 20)
#define LAC_PICTURE_PIXELS ((uint64_t)512 << 20)
#define LAC_PICTURE_WHOLE ((uint64_t)256 << 20)

typedef struct lac_picture_head {
  uint32_t width, height; /* as stored, each at least 1 */
  int orientation;        /* EXIF's: 1 upright, 2 to 8 as lac_exif_orientation() says */
} lac_picture_head;

/** Who takes the rows. */
typedef struct lac_picture_sink {
  void *arg;
  lac_status (*begin)(void *arg, const lac_picture_head *head); /* once, before the first row */
  void (*row)(void *arg, const uint8_t *rgb); /* height times, from the top; [width][3] */
} lac_picture_sink;

/**
 * Decode a picture file: JPEG or PNG, told apart by their first bytes.
 *
 * @return LAC_OK; LAC_EIO for a file that is missing, damaged, cut off, or no picture;
 *         LAC_EUNSUPPORTED for a kind of picture that is not read; LAC_EINVAL and LAC_ENOMEM for
 *         one beyond the limits; what `begin` returns. The message begins with the path. Rows may
 *         have been handed over before a failure.
 */
lac_status lac_picture_read(const char *path, const lac_picture_sink *sink);

/** Whether a picture of this size may be decoded: LAC_OK or LAC_EINVAL. `whole`: bytes that must be
 * held at once, 0 where rows suffice. */
lac_status lac_picture_check(uint64_t width, uint64_t height, uint64_t whole);

/**
 * The decoders, for bytes in memory; the message names no file.
 *
 * JPEG: grey, YCbCr, RGB, CMYK and YCCK (Adobe's, whose inks are stored inverted, and plain ones)
 * become RGB; chroma is interpolated, the transform is the exact integer one. Data that end early,
 * be it without their end marker, or do not decode are an error; superfluous bytes between
 * segments are not.
 *
 * PNG: palettes, grey and 1 to 16 bits become 8-bit RGB (16 bits are scaled, not cut), transparency
 * is laid over white.
 */
lac_status lac_jpeg_decode(const void *bytes, size_t size, const lac_picture_sink *sink);
lac_status lac_png_decode(const void *bytes, size_t size, const lac_picture_sink *sink);

/**
 * The orientation in an EXIF block ("II" or "MM", ...): where row 0 and column 0 of the stored
 * picture are seen. 1 top, left; 2 top, right; 3 bottom, right; 4 bottom, left; 5 left, top;
 * 6 right, top; 7 right, bottom; 8 left, bottom.
 *
 * @return 1 where there is none, or none that can be read
 */
int lac_exif_orientation(const uint8_t *bytes, size_t size);

#endif
