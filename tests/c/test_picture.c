/* Picture files: every kind becomes RGB, every damage a sentence, and memory stays bounded. */
#include "pictures.h"

#include "io/picture.h"

#include <sys/resource.h>

/* ---- a sink that keeps everything ---- */

typedef struct whole {
  lac_picture_head head;
  uint8_t *rgb;
  uint32_t rows;
} whole;

static lac_status keep_head(void *arg, const lac_picture_head *head) {
  whole *w = arg;
  w->head = *head;
  w->rgb = malloc((size_t)head->width * head->height * 3);
  return w->rgb ? LAC_OK : lac_fail(LAC_ENOMEM, "no memory");
}

static void keep_row(void *arg, const uint8_t *rgb) {
  whole *w = arg;
  memcpy(w->rgb + (size_t)w->head.width * 3 * w->rows++, rgb, (size_t)w->head.width * 3);
}

static lac_status read_whole(whole *w, const char *path) {
  const lac_picture_sink sink = {w, keep_head, keep_row};
  *w = (whole){.rgb = NULL};
  return lac_picture_read(path, &sink);
}

/* The pixel is this one, give or take `off`. */
static bool pixel_is(const whole *w, uint32_t x, uint32_t y, int r, int g, int b, int off) {
  const uint8_t *p = w->rgb + ((size_t)y * w->head.width + x) * 3;
  const bool right = abs(p[0] - r) <= off && abs(p[1] - g) <= off && abs(p[2] - b) <= off;
  if (!right) printf("pixel %u, %u is %d %d %d\n", x, y, p[0], p[1], p[2]);
  return right;
}

/* The file fails with these words, and its name stands first. */
static void refuse(const char *path, const char *words) {
  whole w;
  CHECK_FAILS(read_whole(&w, path), words);
  CHECK(strncmp(lac_message(), path, strlen(path)) == 0);
  free(w.rgb);
}

/* ---- JPEG ---- */

/* Left red, right blue. */
static void rgb_row(uint8_t *row, uint32_t width, uint32_t y) {
  (void)y;
  for (uint32_t x = 0; x < width; x++)
    memcpy(row + 3 * x, x < width / 2 ? "\xff\0\0" : "\0\0\xff", 3);
}

static void grey_row(uint8_t *row, uint32_t width, uint32_t y) {
  (void)y;
  memset(row, 77, width);
}

/* Adobe's inks are inverted: 255 is none. Red, a little darkened, and cyan. */
static void inverted_inks(uint8_t *row, uint32_t width, uint32_t y) {
  (void)y;
  for (uint32_t x = 0; x < width; x++)
    memcpy(row + 4 * x, x < width / 2 ? "\xff\0\0\xcc" : "\0\xff\xff\xff", 4);
}

static void plain_inks(uint8_t *row, uint32_t width, uint32_t y) {
  inverted_inks(row, width, y);
  for (uint32_t i = 0; i < 4 * width; i++)
    row[i] ^= 255;
}

static void jpeg_of_every_colour_space_becomes_rgb(void) {
  const char *path = check_path("colours.jpg");
  const struct {
    jpeg_recipe how;
    give_row *give;
    int left[3], right[3];
  } cases[] = {
      {{0}, rgb_row, {255, 0, 0}, {0, 0, 255}},
      {{.stored = JCS_RGB}, rgb_row, {255, 0, 0}, {0, 0, 255}},
      {{.progressive = true}, rgb_row, {255, 0, 0}, {0, 0, 255}},
      {{.given = JCS_GRAYSCALE, .channels = 1}, grey_row, {77, 77, 77}, {77, 77, 77}},
      {{.given = JCS_CMYK, .channels = 4}, inverted_inks, {204, 0, 0}, {0, 255, 255}},
      {{.given = JCS_CMYK, .channels = 4, .stored = JCS_YCCK},
       inverted_inks,
       {204, 0, 0},
       {0, 255, 255}},
      {{.given = JCS_CMYK, .channels = 4, .plain_inks = true},
       plain_inks,
       {204, 0, 0},
       {0, 255, 255}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    whole w;
    const int *a = cases[i].left, *b = cases[i].right;
    write_jpeg(path, 64, 20, cases[i].give, &cases[i].how);
    if (CHECK_OK(read_whole(&w, path))) {
      CHECK(w.head.width == 64 && w.head.height == 20 && w.head.orientation == 1 && w.rows == 20);
      CHECK(pixel_is(&w, 3, 3, a[0], a[1], a[2], 4)); // a lossy format
      CHECK(pixel_is(&w, 60, 19, b[0], b[1], b[2], 4));
    }
    free(w.rgb);
  }
  remove(path);
}

/* ---- PNG ---- */

static void png_of_every_type_becomes_rgb(void) {
  const char *path = check_path("types.png");
  static const png_color colours[] = {{10, 20, 30}, {200, 100, 0}};
  static const uint8_t alpha[] = {255, 51};
  const struct {
    png_recipe how;
    uint8_t rows[48]; // 2 x 2 pixels
    int first[3], last[3];
  } cases[] = {
      {{.type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = 6},
       {1, 2, 3, 0, 0, 0, 0, 0, 0, 253, 254, 255},
       {1, 2, 3},
       {253, 254, 255}},
      {{.type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = 6, .interlaced = true},
       {1, 2, 3, 0, 0, 0, 0, 0, 0, 253, 254, 255},
       {1, 2, 3},
       {253, 254, 255}},
      {{.type = PNG_COLOR_TYPE_RGB, .bits = 16, .row_bytes = 12}, // 0x01ff is nearer to 2 than to 1
       {1, 255, 2, 0, 3, 3, [18] = 255, 255, 128, 128, 0, 0},
       {2, 2, 3},
       {255, 128, 0}},
      {{.type = PNG_COLOR_TYPE_GRAY, .bits = 1, .row_bytes = 1},
       {0x80, 0x40},
       {255, 255, 255},
       {255, 255, 255}},
      {{.type = PNG_COLOR_TYPE_GRAY, .bits = 4, .row_bytes = 1},
       {0x10, 0x02},
       {17, 17, 17},
       {34, 34, 34}},
      {{.type = PNG_COLOR_TYPE_GRAY, .bits = 16, .row_bytes = 4},
       {128, 128, 0, 0, 0, 0, 0, 200},
       {128, 128, 128},
       {1, 1, 1}},
      {{.type = PNG_COLOR_TYPE_GRAY_ALPHA, .bits = 8, .row_bytes = 4}, // over white
       {100, 255, 0, 0, 0, 0, 100, 0},
       {100, 100, 100},
       {255, 255, 255}},
      {{.type = PNG_COLOR_TYPE_RGB_ALPHA, .bits = 8, .row_bytes = 8},
       {9, 8, 7, 255, [12] = 0, 100, 255, 51},
       {9, 8, 7},
       {204, 224, 255}},
      {{.type = PNG_COLOR_TYPE_RGB_ALPHA, .bits = 16, .row_bytes = 16},
       {9, 9, 8, 8, 7, 7, 255, 255, [24] = 0, 0, 100, 100, 255, 255, 51, 51},
       {9, 8, 7},
       {204, 224, 255}},
      {{.type = PNG_COLOR_TYPE_PALETTE,
        .bits = 8,
        .row_bytes = 2,
        .palette = colours,
        .colours = 2},
       {0, 1, 1, 1},
       {10, 20, 30},
       {200, 100, 0}},
      {{.type = PNG_COLOR_TYPE_PALETTE,
        .bits = 2,
        .row_bytes = 1,
        .palette = colours,
        .colours = 2,
        .alpha = alpha},
       {0x10, 0x10},
       {10, 20, 30},
       {244, 224, 204}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    whole w;
    const int *a = cases[i].first, *b = cases[i].last;
    write_png(path, 2, 2, cases[i].rows, &cases[i].how);
    if (CHECK_OK(read_whole(&w, path))) {
      CHECK(w.head.width == 2 && w.head.height == 2 && w.rows == 2);
      CHECK(pixel_is(&w, 0, 0, a[0], a[1], a[2], 0));
      const bool one_bit = cases[i].how.bits <= 2; // the second pixel of the second row
      CHECK(pixel_is(&w, 1, one_bit && cases[i].how.palette ? 0 : 1, b[0], b[1], b[2], 0));
    }
    free(w.rgb);
  }
  remove(path);
}

/* ---- EXIF ---- */

static void orientation_is_found_in_both_byte_orders_and_never_beyond_the_block(void) {
  uint8_t little[] = "II*\0\x08\0\0\0\2\0"
                     "\x0f\1\2\0\1\0\0\0\0\0\0\0"
                     "\x12\1\3\0\1\0\0\0\6\0\0\0";
  uint8_t big[] = "MM\0*\0\0\0\x08\0\1"
                  "\1\x12\0\3\0\0\0\1\0\x08\0\0";
  CHECK(lac_exif_orientation(little, sizeof little - 1) == 6);
  CHECK(lac_exif_orientation(big, sizeof big - 1) == 8);
  for (size_t size = 0; size < sizeof little - 4; size++) {
    uint8_t *part = malloc(size + 1); // so that the sanitizer sees the end
    if (!part) exit(2);
    memcpy(part, little, size);
    uint8_t *exact = size ? realloc(part, size) : part;
    CHECK(lac_exif_orientation(exact, size) == 1 || size > 30);
    free(exact);
  }
  big[18] = 1; // 0x0108
  CHECK(lac_exif_orientation(big, sizeof big - 1) == 1);
  memcpy(big + 4, "\xff\xff\xff\xff", 4); // a directory beyond the end
  CHECK(lac_exif_orientation(big, sizeof big - 1) == 1);
}

/* ---- what cannot be read ---- */

static void noise_row(uint8_t *row, uint32_t width, uint32_t y) {
  uint32_t seed = y;
  for (uint32_t i = 0; i < 3 * width; i++)
    row[i] = (uint8_t)check_random(&seed);
}

static void refuse_every_beginning(const char *name, const uint8_t *bytes, size_t size) {
  for (size_t n = 0; n < size; n += 1 + size / 60) {
    const char *path = check_path(name);
    write_bytes(path, bytes, n);
    refuse(path, n == 0    ? "is empty, so no picture"
                 : n < 9   ? "is "
                 : n > 700 ? "is cut off"
                           : "is ");
  }
  remove(check_path(name));
}

static void a_file_that_is_cut_off_is_refused_wherever_it_ends(void) {
  static uint8_t rows[40 * 60 * 3];
  size_t size;
  const char *path = check_path("cut");
  for (int progressive = 0; progressive < 2; progressive++) {
    write_jpeg(path, 60, 40, noise_row, &(jpeg_recipe){.progressive = progressive});
    uint8_t *bytes = read_bytes(path, &size);
    refuse_every_beginning("cut", bytes, size);
    free(bytes);
  }
  for (uint32_t y = 0; y < 40; y++)
    noise_row(rows + y * 180, 60, y);
  for (int interlaced = 0; interlaced < 2; interlaced++) {
    write_png(
        path, 60, 40, rows,
        &(png_recipe){
            .type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = 180, .interlaced = interlaced});
    uint8_t *bytes = read_bytes(path, &size);
    refuse_every_beginning("cut", bytes, size);
    free(bytes);
  }
}

static void superfluous_bytes_between_segments_are_overlooked(void) {
  size_t size;
  whole w;
  const char *path = check_path("more.jpg");
  write_jpeg(path, 60, 40, noise_row, &(jpeg_recipe){0});
  uint8_t *bytes = read_bytes(path, &size);
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(bytes, 1, 20, file) == 20 && fwrite("xyz", 1, 3, file) == 3 &&
        fwrite(bytes + 20, 1, size - 20, file) == size - 20 && fclose(file) == 0);
  CHECK_OK(read_whole(&w, path));
  CHECK(w.rows == 40);
  free(w.rgb);
  free(bytes);
  remove(path);
}

static void damaged_files_end_in_a_picture_or_a_sentence(void) {
  static uint8_t rows[20 * 90];
  uint32_t seed = 5;
  const char *path = check_path("damaged");
  for (uint32_t y = 0; y < 20; y++)
    noise_row(rows + y * 90, 30, y);
  for (int kind = 0; kind < 4; kind++) {
    size_t size;
    if (kind < 2)
      write_jpeg(path, 30, 20, noise_row, &(jpeg_recipe){.progressive = kind == 1});
    else
      write_png(
          path, 30, 20, rows,
          &(png_recipe){
              .type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = 90, .interlaced = kind == 3});
    uint8_t *bytes = read_bytes(path, &size);
    for (int round = 0; round < 300; round++) {
      whole w;
      const size_t at = 4 + check_random(&seed) % (round % 2 ? size - 4 : 300), limit = size - 1;
      const size_t where = at < limit ? at : limit;
      const uint8_t before = bytes[where];
      bytes[where] = (uint8_t)check_random(&seed);
      write_bytes(path, bytes, size);
      const lac_status status = read_whole(&w, path);
      CHECK(status == LAC_OK || strlen(lac_message()) > strlen(path) + 5);
      bytes[where] = before;
      free(w.rgb);
    }
    free(bytes);
  }
  remove(path);
}

static void what_is_no_picture_is_named(void) {
  const struct {
    const char *bytes, *words;
    size_t size;
  } cases[] = {
      {"hello, world", "neither a JPEG nor a PNG picture; it begins with \"hello, world\"", 12},
      {"\1\2\3", "is neither a JPEG nor a PNG picture", 3},
      {"GIF89a....", "is a GIF picture; JPEG and PNG can be read", 10},
      {"RIFF1234WEBPVP8 ", "is a WebP picture", 16},
      {"", "is empty", 0},
  };
  const char *path = check_path("text.jpg");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_bytes(path, cases[i].bytes, cases[i].size);
    refuse(path, cases[i].words);
  }
  remove(path);
  refuse(path, "cannot open: No such file");
  refuse("/tmp", "is a directory, not a file");
}

/* ---- limits ---- */

static long peak_kib(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return use.ru_maxrss;
}

static lac_status look_at_head(void *arg, const lac_picture_head *head) {
  *(lac_picture_head *)arg = *head;
  return LAC_OK;
}

static void pass_row(void *arg, const uint8_t *rgb) {
  (void)arg;
  (void)rgb;
}

static void a_picture_of_20000_columns_needs_little_memory(void) {
  lac_picture_head head = {0};
  const lac_picture_sink sink = {&head, look_at_head, pass_row};
  const char *path = check_path("wide.jpg");
  write_jpeg(path, 20000, 2000, rgb_row, &(jpeg_recipe){0}); // 120 MB of pixels
  const long before = peak_kib();
  CHECK_OK(lac_picture_read(path, &sink));
  const long grown = peak_kib() - before;
  CHECK(head.width == 20000 && head.height == 2000);
  if (!CHECK(grown < 16 << 10)) printf("%ld KiB\n", grown);
  remove(path);
}

/* Other sides in the frame header of a JPEG, which begins with FF C0 or FF C2. */
static void patch_size(uint8_t *bytes, size_t size, uint32_t width, uint32_t height) {
  for (size_t i = 0; i + 9 < size; i++) {
    if (bytes[i] != 0xff || (bytes[i + 1] != 0xc0 && bytes[i + 1] != 0xc2)) continue;
    const uint8_t sides[] = {(uint8_t)(height >> 8), (uint8_t)height, (uint8_t)(width >> 8),
                             (uint8_t)width};
    memcpy(bytes + i + 5, sides, 4);
    return;
  }
}

/* A PNG up to where its pixels would begin. */
static void write_png_head(const char *path, uint32_t width, uint32_t height,
                           const png_recipe *how) {
  write_png(path, width, height, NULL, how);
  FILE *file = fopen(path, "ab");
  CHECK(file && fwrite("\0\0\0\x04IDAT", 1, 8, file) == 8 && fclose(file) == 0);
}

static void what_asks_for_too_much_is_refused_before_it_gets_memory(void) {
  const char *path = check_path("huge");
  const long before = peak_kib();
  size_t size;
  for (int progressive = 0; progressive < 2; progressive++) {
    write_jpeg(path, 16, 16, rgb_row, &(jpeg_recipe){.progressive = progressive});
    uint8_t *bytes = read_bytes(path, &size);
    patch_size(bytes, size, progressive ? 20000 : 65000, progressive ? 20000 : 65000);
    write_bytes(path, bytes, size);
    refuse(path, progressive ? "is too large for its kind: 20000 x 20000" : "is too large: 65000");
    free(bytes);
  }
  png_recipe how = {.type = PNG_COLOR_TYPE_RGB, .bits = 8, .interlaced = true, .head_only = true};
  write_png_head(path, 20000, 20000, &how);
  refuse(path, "is too large for its kind");
  how.interlaced = false;
  write_png_head(path, 900000, 900000, &how);
  refuse(path, "is too large: 900000 x 900000 pixels, at most 512 million can be read");
  CHECK(peak_kib() - before < 16 << 10);
  remove(path);
}

int main(void) {
  RUN(a_picture_of_20000_columns_needs_little_memory); // first: a peak never sinks
  RUN(what_asks_for_too_much_is_refused_before_it_gets_memory);
  RUN(jpeg_of_every_colour_space_becomes_rgb);
  RUN(png_of_every_type_becomes_rgb);
  RUN(orientation_is_found_in_both_byte_orders_and_never_beyond_the_block);
  RUN(a_file_that_is_cut_off_is_refused_wherever_it_ends);
  RUN(superfluous_bytes_between_segments_are_overlooked);
  RUN(damaged_files_end_in_a_picture_or_a_sentence);
  RUN(what_is_no_picture_is_named);
  return check_finish();
}
