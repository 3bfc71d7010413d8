/*
 * Everything that turns, flips, cuts and resizes is decided before the first row comes, in two
 * tables: for every output position along stored columns and along stored rows, the two input
 * positions and the weight of the second. Orientation and flip are mirrored tables and exchanged
 * output strides, so the pixels themselves are only ever interpolated.
 *
 * The two input rows of an output row are neighbours or the same, so row r is kept at r % 2.
 */
#include "io/crop.h"

#include "core/memory.h"
#include "io/file.h"

#include <math.h>
#include <stdlib.h>

/* Per output position along one stored direction. */
typedef struct tap {
  uint32_t low, high; // low is where the weight is 1 - part; mirrored, it is the larger one
  float part;
} tap;

typedef struct cropper {
  const lac_crop_plan *plan;
  const lac_crop_place *place;
  float *out;
  size_t step_column, step_row; // in `out`, from one stored column or row to the next
  tap *columns, *rows;          // [size]
  float *kept[2];               // [size * 3], stored rows after interpolation along them
  uint32_t row;                 // that comes next
  uint32_t next, left;          // output row that is to be made next, and how many there are
  bool upwards;                 // output rows come from the last to the first
} cropper;

lac_status lac_crop_check(const lac_crop_plan *plan) {
  if (plan->size < 1 || plan->size > LAC_CROP_MAX)
    return lac_fail(LAC_EINVAL, "pictures: size must be from 1 to %d, got %u", LAC_CROP_MAX,
                    plan->size);
  if (plan->resize < plan->size || plan->resize > LAC_CROP_MAX)
    return lac_fail(LAC_EINVAL, "pictures: resize must be from the size, %u, to %d, got %u",
                    plan->size, LAC_CROP_MAX, plan->resize);
  return LAC_OK;
}

static uint64_t resized(const lac_crop_plan *plan, uint32_t length, uint32_t other) {
  if (!plan->keep_aspect || length <= other) return plan->resize;
  return (uint64_t)plan->resize * length / other;
}

static uint64_t offset_of(double where, uint64_t room) {
  if (where < 0) return room / 2;
  const uint64_t at = (uint64_t)(where * (double)(room + 1));
  return at < room ? at : room;
}

/* The taps of a direction that is `length` pixels long and becomes `wanted`. */
static void fill_taps(const cropper *c, tap *taps, uint32_t length, uint64_t wanted, double where,
                      bool flip, bool mirrored) {
  const uint32_t size = c->plan->size, last = length - 1;
  const double scale = (double)length / (double)wanted;
  const bool half = c->plan->grid == LAC_GRID_HALF_PIXEL;
  const uint64_t offset = offset_of(where, wanted - size);
  for (uint32_t i = 0; i < size; i++) {
    const double d = (double)(offset + (flip ? size - 1 - i : i));
    const double at = half ? fmax((d + 0.5) * scale - 0.5, 0) : d * scale;
    const uint32_t low = at < last ? (uint32_t)at : last, high = low < last ? low + 1 : last;
    taps[i] = (tap){mirrored ? last - low : low, mirrored ? last - high : high,
                    high == low ? 0 : (float)(at - low)};
  }
}

static uint32_t larger(tap t) {
  return t.low > t.high ? t.low : t.high;
}

static uint32_t smaller(tap t) {
  return t.low < t.high ? t.low : t.high;
}

static lac_status begin(void *arg, const lac_picture_head *head) {
  cropper *c = arg;
  const uint32_t size = c->plan->size;
  const int o = head->orientation;
  const bool turned = o >= 5, mirror_x = o == 2 || o == 3 || o == 7 || o == 8,
             mirror_y = o == 3 || o == 4 || o == 6 || o == 7, flip = c->place->flip;
  LAC_TRY(lac_alloc(&c->columns, size, sizeof *c->columns, "resizing a picture"));
  LAC_TRY(lac_alloc(&c->rows, size, sizeof *c->rows, "resizing a picture"));
  for (int i = 0; i < 2; i++)
    LAC_TRY(lac_alloc(&c->kept[i], size, 3 * sizeof *c->kept[i], "resizing a picture"));
  fill_taps(c, c->columns, head->width, resized(c->plan, head->width, head->height),
            turned ? c->place->y : c->place->x, !turned && flip, mirror_x);
  fill_taps(c, c->rows, head->height, resized(c->plan, head->height, head->width),
            turned ? c->place->x : c->place->y, turned && flip, mirror_y);
  c->step_column = 3 * (turned ? (size_t)size : 1);
  c->step_row = 3 * (turned ? 1 : (size_t)size);
  c->left = size;
  const tap first = c->rows[0], last = c->rows[size - 1];
  c->upwards = (uint64_t)last.low + last.high < (uint64_t)first.low + first.high;
  c->next = c->upwards ? size - 1 : 0;
  return LAC_OK;
}

static float mix(float a, float b, float part) {
  return a + (b - a) * part;
}

static void interpolate_row(float *restrict out, const uint8_t *restrict rgb, const tap *columns,
                            uint32_t size) {
  for (uint32_t i = 0; i < size; i++, out += 3) {
    const uint8_t *a = rgb + 3 * (size_t)columns[i].low, *b = rgb + 3 * (size_t)columns[i].high;
    const float part = columns[i].part;
    out[0] = mix(a[0], b[0], part);
    out[1] = mix(a[1], b[1], part);
    out[2] = mix(a[2], b[2], part);
  }
}

static void make_row(const cropper *c, uint32_t i) {
  const tap t = c->rows[i];
  const float *restrict a = c->kept[t.low % 2], *restrict b = c->kept[t.high % 2];
  float *restrict out = c->out + i * c->step_row;
  for (uint32_t j = 0; j < c->plan->size; j++, out += c->step_column, a += 3, b += 3) {
    out[0] = mix(a[0], b[0], t.part) * (1.0f / 255);
    out[1] = mix(a[1], b[1], t.part) * (1.0f / 255);
    out[2] = mix(a[2], b[2], t.part) * (1.0f / 255);
  }
}

static void take_row(void *arg, const uint8_t *rgb) {
  cropper *c = arg;
  const uint32_t row = c->row++;
  if (c->left == 0 || smaller(c->rows[c->next]) > row) return;
  interpolate_row(c->kept[row % 2], rgb, c->columns, c->plan->size);
  while (c->left > 0 && larger(c->rows[c->next]) == row) {
    make_row(c, c->next);
    c->next += c->upwards ? -1u : 1u;
    c->left--;
  }
}

lac_status lac_crop_read(float *out, const char *path, const lac_crop_plan *plan,
                         const lac_crop_place *place) {
  cropper c = {.plan = plan, .place = place, .out = out};
  const lac_picture_sink sink = {&c, begin, take_row};
  const lac_status status = lac_picture_read(path, &sink);
  free(c.columns);
  free(c.rows);
  free(c.kept[0]);
  free(c.kept[1]);
  return status;
}
