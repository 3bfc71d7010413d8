/* Squares cut out of pictures against plain loops over the whole picture, and the reader of
 * batches of them. */
#include "pictures.h"

#include "core/memory.h"
#include "io/picture_reader.h"

#include <math.h>

/* ---- the reference: the whole picture, upright, in doubles ---- */

enum { MOST = 400 };

typedef struct upright {
  uint32_t width, height;
  uint8_t rgb[MOST * MOST * 3];
} upright;

static void fill(upright *p, uint32_t width, uint32_t height) {
  uint32_t seed = width * 1000 + height;
  p->width = width;
  p->height = height;
  for (uint32_t i = 0; i < width * height * 3; i++)
    p->rgb[i] = (uint8_t)check_random(&seed);
}

static double pixel(const upright *p, double x, double y, int k) {
  const double last_x = p->width - 1, last_y = p->height - 1;
  const size_t column = (size_t)fmin(fmax(x, 0), last_x), row = (size_t)fmin(fmax(y, 0), last_y);
  return p->rgb[(row * p->width + column) * 3 + (size_t)k];
}

/* Bilinear at a place, clamped to the picture. */
static double sample(const upright *p, double x, double y, int k) {
  const double x0 = floor(x), y0 = floor(y), u = x - x0, v = y - y0;
  const double above = pixel(p, x0, y0, k) * (1 - u) + pixel(p, x0 + 1, y0, k) * u;
  const double below = pixel(p, x0, y0 + 1, k) * (1 - u) + pixel(p, x0 + 1, y0 + 1, k) * u;
  return (above * (1 - v) + below * v) / 255;
}

/* The number at row i, column j of the square, as the headers say it. */
static double reference(const upright *p, const lac_crop_plan *plan, const lac_crop_place *place,
                        uint32_t i, uint32_t j, int k) {
  const uint32_t shorter = p->width < p->height ? p->width : p->height;
  uint32_t width = plan->resize, height = plan->resize;
  if (plan->keep_aspect) width = (uint32_t)((uint64_t)plan->resize * p->width / shorter);
  if (plan->keep_aspect) height = (uint32_t)((uint64_t)plan->resize * p->height / shorter);
  const uint32_t room_x = width - plan->size, room_y = height - plan->size;
  const double left =
      place->x < 0 ? floor(room_x / 2.0) : fmin(floor(place->x * (room_x + 1)), room_x);
  const double top =
      place->y < 0 ? floor(room_y / 2.0) : fmin(floor(place->y * (room_y + 1)), room_y);
  const double x = left + (place->flip ? plan->size - 1 - j : j), y = top + i;
  const double scale_x = (double)p->width / width, scale_y = (double)p->height / height;
  if (plan->grid == LAC_GRID_LEGACY) return sample(p, x * scale_x, y * scale_y, k);
  return sample(p, (x + 0.5) * scale_x - 0.5, (y + 0.5) * scale_y - 0.5, k);
}

static bool square_is(const float *got, const upright *p, const lac_crop_plan *plan,
                      const lac_crop_place *place) {
  for (uint32_t i = 0; i < plan->size; i++)
    for (uint32_t j = 0; j < plan->size; j++)
      for (int k = 0; k < 3; k++) {
        const double want = reference(p, plan, place, i, j, k), have = *got++;
        if (!(fabs(have - want) <= 1e-6)) { // float32 against double
          printf("row %u, column %u: %.8f, wanted %.8f\n", i, j, have, want);
          return false;
        }
      }
  return true;
}

static upright picture; // large for a stack

static void write_upright(const char *path) {
  write_png(path, picture.width, picture.height, picture.rgb,
            &(png_recipe){.type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = picture.width * 3});
}

static void check_square(const char *path, const lac_crop_plan *plan, const lac_crop_place *place) {
  float *got = malloc((size_t)plan->size * plan->size * 3 * sizeof *got);
  if (!got) exit(2);
  memset(got, 0xff, (size_t)plan->size * plan->size * 3 * sizeof *got);
  CHECK_OK(lac_crop_check(plan));
  CHECK_OK(lac_crop_read(got, path, plan, place));
  CHECK(square_is(got, &picture, plan, place));
  free(got);
}

static void squares_are_those_of_plain_loops(void) {
  static const uint32_t sides[][2] = {{1, 1},  {2, 1},   {1, 7},   {3, 2},     {13, 9},
                                      {9, 14}, {32, 32}, {33, 31}, {400, 230}, {5, 399}};
  static const lac_crop_place places[] = {{LAC_CROP_CENTRE, LAC_CROP_CENTRE, false},
                                          {LAC_CROP_CENTRE, LAC_CROP_CENTRE, true},
                                          {0, 0, false},
                                          {1, 1, false},
                                          {0.4, 0.9, true}};
  static const uint32_t plans[][2] = {{1, 1}, {8, 8}, {7, 11}, {28, 32}, {32, 32}, {1, 9}};
  const char *path = check_path("square.png");
  for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
    fill(&picture, sides[s][0], sides[s][1]);
    write_upright(path);
    for (size_t n = 0; n < sizeof plans / sizeof *plans; n++)
      for (int way = 0; way < 4; way++) {
        const lac_crop_plan plan = {plans[n][0], plans[n][1],
                                    way % 2 ? LAC_GRID_LEGACY : LAC_GRID_HALF_PIXEL, way / 2};
        check_square(path, &plan, &places[(s + n + (size_t)way) % 5]);
      }
  }
  remove(path);
}

static void a_jpeg_gives_the_square_of_its_pixels(void) {
  const lac_crop_plan plan = {16, 20, LAC_GRID_HALF_PIXEL, false};
  const lac_crop_place place = {LAC_CROP_CENTRE, LAC_CROP_CENTRE, false};
  float got[16 * 16 * 3];
  const char *path = check_path("grey.jpg");
  static const uint8_t grey[] = {51, 51, 51};
  size_t size;
  write_png(path, 1, 1, grey, &(png_recipe){.type = PNG_COLOR_TYPE_RGB, .bits = 8, .row_bytes = 3});
  CHECK_OK(lac_crop_read(got, path, &plan, &place)); // a name decides nothing
  CHECK(fabsf(got[0] - 0.2f) < 1e-6f && fabsf(got[16 * 16 * 3 - 1] - 0.2f) < 1e-6f);
  uint8_t *bytes = read_bytes(path, &size);
  write_bytes(path, bytes, size / 2);
  CHECK_FAILS(lac_crop_read(got, path, &plan, &place), "grey.jpg: is cut off");
  free(bytes);
  remove(path);
}

/* ---- orientation ---- */

static upright stored;

/* The picture as a camera in this orientation stores it. */
static void store(int orientation) {
  const bool turned = orientation >= 5;
  const uint32_t width = picture.width, height = picture.height;
  stored.width = turned ? height : width;
  stored.height = turned ? width : height;
  for (uint32_t y = 0; y < stored.height; y++)
    for (uint32_t x = 0; x < stored.width; x++) {
      const uint32_t w = stored.width - 1, h = stored.height - 1;
      const uint32_t seen[9][2] = {{0, 0}, {x, y},     {w - x, y},     {w - x, h - y}, {x, h - y},
                                   {y, x}, {h - y, x}, {h - y, w - x}, {y, w - x}};
      const uint32_t *at = seen[orientation];
      memcpy(stored.rgb + (y * stored.width + x) * 3, picture.rgb + (at[1] * width + at[0]) * 3, 3);
    }
}

static void pictures_stand_upright_whatever_their_orientation(void) {
  uint8_t exif[] = "MM\0*\0\0\0\x08\0\1"
                   "\1\x12\0\3\0\0\0\1\0\0\0\0";
  const char *path = check_path("turned.png");
  fill(&picture, 21, 34);
  for (int o = 1; o <= 8; o++) {
    store(o);
    exif[19] = (uint8_t)o;
    write_png(path, stored.width, stored.height, stored.rgb,
              &(png_recipe){.type = PNG_COLOR_TYPE_RGB,
                            .bits = 8,
                            .row_bytes = stored.width * 3,
                            .exif = exif,
                            .exif_size = 22});
    for (int way = 0; way < 8; way++)
      check_square(
          path, &(lac_crop_plan){10, 13, way % 2 ? LAC_GRID_LEGACY : LAC_GRID_HALF_PIXEL, way / 4},
          &(lac_crop_place){0.2, 0.7, way / 2 % 2});
  }
  remove(path);
}

static void left_half(uint8_t *row, uint32_t width, uint32_t y) {
  (void)y;
  for (uint32_t x = 0; x < width; x++)
    memset(row + 3 * x, x < width / 2 ? 255 : 0, 3);
}

static void a_jpeg_tells_its_orientation(void) {
  static const uint8_t exif[] = "Exif\0\0II*\0\x08\0\0\0\1\0"
                                "\x12\1\3\0\1\0\0\0\6\0\0\0";
  float got[4 * 4 * 3];
  const char *path = check_path("turned.jpg");
  write_jpeg(path, 64, 32, left_half, &(jpeg_recipe){.exif = exif, .exif_size = sizeof exif - 1});
  CHECK_OK(lac_crop_read(got, path, &(lac_crop_plan){4, 4, LAC_GRID_HALF_PIXEL, false},
                         &(lac_crop_place){-1, -1, false}));
  for (int i = 0; i < 16; i++) // turned to the right: what was left is above
    CHECK(fabsf(got[3 * i] - (i < 8 ? 1 : 0)) < 0.02f);
  remove(path);
}

static void wrong_plans_are_sentences(void) {
  const lac_crop_plan wrong[] = {
      {0, 4, 0, false}, {9000, 9000, 0, false}, {5, 4, 0, false}, {4, 9000, 0, false}};
  lac_picture_reader *reader = NULL;
  for (size_t i = 0; i < 4; i++)
    CHECK_FAILS(lac_picture_reader_open(&reader, &wrong[i], 1),
                i < 2 ? "size must be" : "resize must be");
  CHECK_FAILS(lac_picture_reader_open(&reader, &(lac_crop_plan){4, 4, 0, false}, 5000),
              "at most 1024");
}

/* ---- the reader ---- */

static const lac_crop_plan SMALL = {4, 4, LAC_GRID_HALF_PIXEL, false};
static char names[8][600];

/* Files 0 to 7, of which number i is grey of i / 255; 3 is text and 5 is missing. */
static void write_eight(void) {
  for (int i = 0; i < 8; i++) {
    const uint8_t grey = (uint8_t)i;
    snprintf(names[i], sizeof names[i], "%s%d", check_path("eight"), i);
    if (i == 3)
      write_bytes(names[i], "hello", 5);
    else if (i != 5)
      write_png(names[i], 1, 1, &grey,
                &(png_recipe){.type = PNG_COLOR_TYPE_GRAY, .bits = 8, .row_bytes = 1});
  }
}

static void remove_eight(void) {
  for (int i = 0; i < 8; i++)
    remove(names[i]);
}

static lac_status order(lac_picture_reader *reader, int first, size_t count) {
  lac_picture_request requests[8];
  char paths[8][600]; // the reader has copies
  for (size_t i = 0; i < count; i++) {
    memcpy(paths[i], names[(size_t)first + i], sizeof paths[i]);
    requests[i] = (lac_picture_request){paths[i], {LAC_CROP_CENTRE, LAC_CROP_CENTRE, false}};
  }
  return lac_picture_reader_order(reader, requests, count);
}

static void check_batch(lac_picture_reader *reader, int first, size_t count) {
  lac_picture_batch b;
  if (!CHECK_OK(lac_picture_reader_take(reader, &b))) return;
  CHECK(b.count == count && b.size == 4);
  for (size_t i = 0; i < count; i++) {
    const int file = first + (int)i;
    const bool broken = file == 3 || file == 5;
    const float *at = b.pixels + i * 48, want = broken ? 0 : (float)file / 255;
    CHECK(fabsf(at[0] - want) < 1e-6f && fabsf(at[47] - want) < 1e-6f);
    CHECK((b.errors[i] != NULL) == broken);
    if (broken && b.errors[i]) CHECK(strncmp(b.errors[i], names[file], strlen(names[file])) == 0);
  }
}

static void batches_hold_what_was_ordered_and_say_what_could_not_be_read(void) {
  write_eight();
  for (uint32_t threads = 0; threads < 4; threads++) {
    lac_picture_reader *reader = NULL;
    lac_picture_batch b;
    if (!CHECK_OK(lac_picture_reader_open(&reader, &SMALL, threads))) break;
    CHECK_FAILS(lac_picture_reader_take(reader, &b), "no batch was ordered");
    CHECK_FAILS(lac_picture_reader_order(reader, NULL, 0), "a batch of 0 pictures");
    for (int i = 0; i < 20; i++) {
      const int first = i % 5;
      if (i % 3 == 0) CHECK_OK(order(reader, 0, 8)); // dropped
      CHECK_OK(order(reader, first, 1 + (size_t)i % 4));
      check_batch(reader, first, 1 + (size_t)i % 4);
    }
    CHECK_OK(order(reader, 0, 8));
    check_batch(reader, 0, 8);
    CHECK_FAILS(lac_picture_reader_take(reader, &b), "no batch was ordered");
    lac_picture_reader_close(reader);
  }
  remove_eight();
}

static void closing_is_possible_at_any_time(void) {
  write_eight();
  for (int i = 0; i < 100; i++) {
    lac_picture_reader *reader = NULL;
    if (!CHECK_OK(lac_picture_reader_open(&reader, &SMALL, 2))) break;
    if (i % 4 > 0) CHECK_OK(order(reader, 0, 8));
    if (i % 4 == 2) usleep(100);
    if (i % 4 == 3) check_batch(reader, 0, 8);
    lac_picture_reader_close(reader);
  }
  lac_picture_reader_close(NULL);
  remove_eight();
}

static lac_status read_two(void) {
  lac_picture_reader *reader = NULL;
  lac_picture_batch b;
  LAC_TRY(lac_picture_reader_open(&reader, &SMALL, 2));
  lac_status status = order(reader, 0, 2);
  if (status == LAC_OK) status = lac_picture_reader_take(reader, &b);
  lac_picture_reader_close(reader);
  return status;
}

static void failing_allocations_are_reported(void) {
  int failures = 0;
  write_eight();
  for (uint64_t n = 1; lac_fault_set(n); n++) {
    const lac_status status = read_two();
    const bool all = lac_fault_left() > 0;
    lac_fault_set(0);
    if (all && CHECK_OK(status)) break;
    if (!CHECK(status == LAC_ENOMEM && ++failures < 100)) break;
  }
  CHECK(failures >= 12 || !lac_fault_set(0));
  remove_eight();
}

int main(void) {
  RUN(squares_are_those_of_plain_loops);
  RUN(a_jpeg_gives_the_square_of_its_pixels);
  RUN(pictures_stand_upright_whatever_their_orientation);
  RUN(a_jpeg_tells_its_orientation);
  RUN(wrong_plans_are_sentences);
  RUN(batches_hold_what_was_ordered_and_say_what_could_not_be_read);
  RUN(closing_is_possible_at_any_time);
  RUN(failing_allocations_are_reported);
  return check_finish();
}
