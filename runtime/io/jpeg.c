/*
 * JPEG through libjpeg. Its errors leave by longjmp, so everything that must be released hangs off
 * one struct, and between setjmp and the end no other function of ours may jump.
 *
 * libjpeg warns of damage and fills the gap with grey. A data set is better off without such a
 * picture, so those warnings that mean missing pixels are errors here.
 */
#include "io/picture.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { EXIF_MARKER = JPEG_APP0 + 1, EXIF_HEAD = 6, MOST_SCANS = 200 };

typedef struct decoder {
  struct jpeg_error_mgr errors; // first: libjpeg hands back a pointer to it
  struct jpeg_progress_mgr progress;
  jmp_buf out;
  char message[JMSG_LENGTH_MAX + 64];
  struct jpeg_decompress_struct jpeg;
  lac_status status; // of a sink that failed
  uint8_t *row, *rgb;
  uint32_t done; // rows handed over
} decoder;

static void leave(j_common_ptr jpeg) {
  decoder *d = (decoder *)(void *)jpeg->err;
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  snprintf(d->message, sizeof d->message, "is a damaged JPEG picture: %s", text);
  longjmp(d->out, 1);
}

static void leave_early(decoder *d) {
  snprintf(d->message, sizeof d->message,
           "is cut off or damaged: its data end or break off after %u rows of %u", d->done,
           d->jpeg.image_height);
  longjmp(d->out, 1);
}

/* A file of many scans, each of which costs a pass over the picture, is an attack. */
static void watch_scans(j_common_ptr jpeg) {
  decoder *d = (decoder *)(void *)jpeg->err;
  if (d->jpeg.input_scan_number <= MOST_SCANS) return;
  snprintf(d->message, sizeof d->message, "is a damaged JPEG picture: it has more than %d scans",
           MOST_SCANS);
  longjmp(d->out, 1);
}

/* level: -1 for a warning, else a trace */
static void hear(j_common_ptr jpeg, int level) {
  decoder *d = (decoder *)(void *)jpeg->err;
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
  case JWRN_JPEG_EOF:
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_MUST_RESYNC:
    leave_early(d);
    break;
  default:
    break;
  }
}

static void say_nothing(j_common_ptr jpeg) {
  (void)jpeg;
}

static int find_orientation(const struct jpeg_decompress_struct *jpeg) {
  for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
    if (m->marker == EXIF_MARKER && m->data_length > EXIF_HEAD &&
        memcmp(m->data, "Exif\0", EXIF_HEAD) == 0)
      return lac_exif_orientation(m->data + EXIF_HEAD, m->data_length - EXIF_HEAD);
  return 1;
}

/* CMYK as ink (0: none) or, where Adobe wrote it, as light. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, size_t pixels, bool inverted) {
  const unsigned flip = inverted ? 0 : 255;
  for (size_t i = 0; i < pixels; i++)
    for (size_t c = 0; c < 3; c++) {
      const unsigned product = (cmyk[4 * i + c] ^ flip) * (cmyk[4 * i + 3] ^ flip);
      rgb[3 * i + c] = (uint8_t)((product + 127) / 255);
    }
}

/* The bytes of all coefficients, which libjpeg holds where they come in several passes. */
static uint64_t coefficient_bytes(const struct jpeg_decompress_struct *jpeg) {
  uint64_t bytes = 0;
  if (!jpeg_has_multiple_scans((j_decompress_ptr)jpeg)) return 0;
  for (int i = 0; i < jpeg->num_components; i++)
    bytes += (uint64_t)jpeg->comp_info[i].width_in_blocks * jpeg->comp_info[i].height_in_blocks *
             sizeof(JBLOCK);
  return bytes;
}

static lac_status begin(decoder *d, const lac_picture_sink *sink) {
  struct jpeg_decompress_struct *jpeg = &d->jpeg;
  const bool inks = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
  const size_t width = jpeg->image_width;
  const lac_picture_head head = {jpeg->image_width, jpeg->image_height, find_orientation(jpeg)};
  LAC_TRY(lac_picture_check(head.width, head.height, coefficient_bytes(jpeg)));
  jpeg->out_color_space = inks ? JCS_CMYK : JCS_RGB;
  jpeg->mem->max_memory_to_use = (long)(2 * LAC_PICTURE_WHOLE);
  LAC_TRY(lac_alloc(&d->row, width, inks ? 4 : 3, "a row of a picture"));
  if (inks) LAC_TRY(lac_alloc(&d->rgb, width, 3, "a row of a picture"));
  return sink->begin(sink->arg, &head);
}

static void decode(decoder *d, const void *bytes, size_t size, const lac_picture_sink *sink) {
  struct jpeg_decompress_struct *jpeg = &d->jpeg;
  jpeg_create_decompress(jpeg);
  d->progress.progress_monitor = watch_scans;
  jpeg->progress = &d->progress;
  jpeg_mem_src(jpeg, bytes, (unsigned long)size);
  jpeg_save_markers(jpeg, EXIF_MARKER, 0xffff);
  jpeg_read_header(jpeg, TRUE);
  d->status = begin(d, sink);
  if (d->status != LAC_OK) return;
  jpeg_start_decompress(jpeg);
  for (; d->done < jpeg->output_height; d->done++) {
    jpeg_read_scanlines(jpeg, &d->row, 1);
    if (d->rgb) cmyk_to_rgb(d->rgb, d->row, jpeg->output_width, jpeg->saw_Adobe_marker);
    sink->row(sink->arg, d->rgb ? d->rgb : d->row);
  }
  jpeg_finish_decompress(jpeg);
}

lac_status lac_jpeg_decode(const void *bytes, size_t size, const lac_picture_sink *sink) {
  decoder d = {.status = LAC_OK}; // every change to it is behind a pointer: setjmp keeps it
  d.jpeg.err = jpeg_std_error(&d.errors);
  d.errors.error_exit = leave;
  d.errors.emit_message = hear;
  d.errors.output_message = say_nothing;
  decoder *const kept = &d;
  if (setjmp(kept->out) == 0)
    decode(kept, bytes, size, sink);
  else
    kept->status = lac_fail(LAC_EIO, "%s", kept->message);
  jpeg_destroy_decompress(&kept->jpeg);
  free(kept->row);
  free(kept->rgb);
  return kept->status;
}
