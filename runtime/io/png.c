/*
 * PNG through libpng. As in jpeg.c, its errors leave by longjmp, and all that must be released
 * hangs off one struct.
 */
#include "io/picture.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct decoder {
  jmp_buf out;
  char message[256];
  png_structp png;
  png_infop info;
  const uint8_t *bytes;
  size_t size, at;
  lac_status status; // of a sink that failed
  uint8_t *pixels;   // a row, or all of an interlaced picture
  uint32_t height;
  size_t row_bytes, channels; // channels: 3, or 4 with alpha
  bool interlaced;
} decoder;

static void leave(png_structp png, png_const_charp text) {
  decoder *d = png_get_error_ptr(png);
  if (d->message[0] == '\0')
    snprintf(d->message, sizeof d->message, "is a damaged PNG picture: %s", text);
  longjmp(d->out, 1);
}

static void say_nothing(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void give_bytes(png_structp png, png_bytep out, size_t size) {
  decoder *d = png_get_io_ptr(png);
  if (size > d->size - d->at) {
    snprintf(d->message, sizeof d->message, "is cut off: it ends within the picture");
    png_error(png, "");
  }
  memcpy(out, d->bytes + d->at, size);
  d->at += size;
}

static int find_orientation(decoder *d) {
  png_uint_32 size = 0;
  png_bytep exif = NULL;
  if (png_get_eXIf_1(d->png, d->info, &size, &exif) == 0 || !exif) return 1;
  return lac_exif_orientation(exif, size);
}

/* Let libpng hand out 8-bit RGB or RGBA, whatever is stored. */
static void ask_for_rgb(png_structp png) {
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_gray_to_rgb(png);
}

static lac_status begin(decoder *d, const lac_picture_sink *sink) {
  lac_picture_head head = {.width = png_get_image_width(d->png, d->info),
                           .height = png_get_image_height(d->png, d->info)};
  d->interlaced = png_get_interlace_type(d->png, d->info) != PNG_INTERLACE_NONE;
  LAC_TRY(lac_picture_check(head.width, head.height,
                            d->interlaced ? 4 * (uint64_t)head.width * head.height : 0));
  ask_for_rgb(d->png);
  if (d->interlaced) png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  d->row_bytes = png_get_rowbytes(d->png, d->info);
  d->channels = png_get_channels(d->png, d->info);
  d->height = head.height;
  head.orientation = find_orientation(d);
  LAC_TRY(lac_alloc(&d->pixels, d->interlaced ? d->height : 1, d->row_bytes, "a row of a picture"));
  return sink->begin(sink->arg, &head);
}

/* RGBA to RGB in place. */
static void lay_over_white(uint8_t *row, size_t bytes) {
  for (size_t i = 0; i < bytes / 4; i++) {
    const unsigned alpha = row[4 * i + 3], white = 255 * (255 - alpha);
    for (size_t c = 0; c < 3; c++)
      row[3 * i + c] = (uint8_t)((row[4 * i + c] * alpha + white + 127) / 255);
  }
}

static void hand_over(decoder *d, uint8_t *row, const lac_picture_sink *sink) {
  if (d->channels == 4) lay_over_white(row, d->row_bytes);
  sink->row(sink->arg, row);
}

static void read_interlaced(decoder *d, const lac_picture_sink *sink) {
  const int passes = png_set_interlace_handling(d->png);
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < d->height; y++)
      png_read_row(d->png, d->pixels + y * d->row_bytes, NULL);
  for (uint32_t y = 0; y < d->height; y++)
    hand_over(d, d->pixels + y * d->row_bytes, sink);
}

static void decode(decoder *d, const lac_picture_sink *sink) {
  d->info = png_create_info_struct(d->png);
  if (!d->info) png_error(d->png, "out of memory");
  png_set_read_fn(d->png, d, give_bytes);
  png_read_info(d->png, d->info);
  d->status = begin(d, sink);
  if (d->status != LAC_OK) return;
  if (d->interlaced) {
    read_interlaced(d, sink);
  } else {
    for (uint32_t y = 0; y < d->height; y++) {
      png_read_row(d->png, d->pixels, NULL);
      hand_over(d, d->pixels, sink);
    }
  }
  png_read_end(d->png, NULL);
}

lac_status lac_png_decode(const void *bytes, size_t size, const lac_picture_sink *sink) {
  decoder d = {.status = LAC_OK, .bytes = bytes, .size = size};
  decoder *const kept = &d; // every change is behind a pointer: setjmp keeps it
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, kept, leave, say_nothing);
  if (!d.png) return lac_fail(LAC_ENOMEM, "out of host memory for the PNG decoder");
  if (setjmp(kept->out) == 0)
    decode(kept, sink);
  else
    kept->status = lac_fail(LAC_EIO, "%s", kept->message);
  png_destroy_read_struct(&kept->png, &kept->info, NULL);
  free(kept->pixels);
  return kept->status;
}
