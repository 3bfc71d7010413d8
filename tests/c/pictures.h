/** Makes picture files for tests. */
#ifndef LAC_TESTS_PICTURES_H
#define LAC_TESTS_PICTURES_H

#include "check.h"

#include <jpeglib.h>
#include <png.h>

/** A JPEG to be written; zeros are a baseline YCbCr picture. */
typedef struct jpeg_recipe {
  J_COLOR_SPACE given, stored; /* JCS_UNKNOWN (0): JCS_RGB, JCS_YCbCr */
  int channels;                /* of a pixel that is given; 0: 3 */
  bool plain_inks, progressive;
  const uint8_t *exif; /* the block with its "Exif\0\0", or NULL */
  size_t exif_size;
} jpeg_recipe;

typedef void give_row(uint8_t *row, uint32_t width, uint32_t y);

static inline void write_jpeg(const char *path, uint32_t width, uint32_t height, give_row *give,
                              const jpeg_recipe *how) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  FILE *file = fopen(path, "wb");
  const int channels = how->channels ? how->channels : 3;
  uint8_t *row = malloc((size_t)width * (size_t)channels);
  if (!file || !row) exit(2);
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = channels;
  jpeg.in_color_space = how->given ? how->given : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  if (how->stored) jpeg_set_colorspace(&jpeg, how->stored);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (how->plain_inks) jpeg.write_Adobe_marker = FALSE;
  if (how->progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  if (how->exif) jpeg_write_marker(&jpeg, JPEG_APP0 + 1, how->exif, (unsigned)how->exif_size);
  for (uint32_t y = 0; y < height; y++) {
    give(row, width, y);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  free(row);
  fclose(file);
}

/** A PNG to be written. */
typedef struct png_recipe {
  int type, bits; /* PNG_COLOR_TYPE_*; rows are given as they are stored */
  size_t row_bytes;
  bool interlaced;
  const png_color *palette;
  const uint8_t *alpha; /* of the palette's colours */
  int colours;
  uint8_t *exif;
  size_t exif_size;
  bool head_only; /* no pixels */
} png_recipe;

static inline void write_png(const char *path, uint32_t width, uint32_t height, const uint8_t *rows,
                             const png_recipe *how) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  FILE *file = fopen(path, "wb");
  if (!file || !png || !info || setjmp(png_jmpbuf(png))) exit(2);
  png_init_io(png, file);
  png_set_IHDR(png, info, width, height, how->bits, how->type,
               how->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
  if (how->palette) png_set_PLTE(png, info, how->palette, how->colours);
  if (how->alpha) png_set_tRNS(png, info, how->alpha, how->colours, NULL);
  if (how->exif) png_set_eXIf_1(png, info, (png_uint_32)how->exif_size, how->exif);
  png_write_info(png, info);
  if (!how->head_only) {
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
      for (uint32_t y = 0; y < height; y++)
        png_write_row(png, rows + y * how->row_bytes);
    png_write_end(png, info);
  }
  png_destroy_write_struct(&png, &info);
  fclose(file);
}

/** A file's bytes; freed by the caller. */
static inline uint8_t *read_bytes(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(2);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*size + 1);
  if (!bytes || fread(bytes, 1, *size, file) != *size) exit(2);
  fclose(file);
  return bytes;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size) exit(2);
  fclose(file);
}

#endif
