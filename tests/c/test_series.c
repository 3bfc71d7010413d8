/* Series of products under masks, by every set of instructions, against sums in double. */
#include "check.h"
#include "gemm/packed.h"

#include <math.h>

/* By chance, -1 .. 1. */
static void fill(float *x, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    x[i] = 2 * ((float)rand() / (float)RAND_MAX) - 1;
}

/* Products of depths 3, 0, 5 and 1 of 32 outputs, each under a mask of its results: some results
 * that are always kept, some never, the others by chance. */
static void compare_series(const lac_tile *tile, uint32_t rows) {
  enum { COUNT = 4, DEPTH = 9, GAP = 3 };
  static const uint32_t row[COUNT + 1] = {0, 3, 3, 8, 9};
  float x[DEPTH * LAC_TILE_ROWS_MAX], w[DEPTH * LAC_PANEL];
  float kept[LAC_TILE_ROWS_MAX * LAC_PANEL], all[LAC_TILE_ROWS_MAX * LAC_PANEL];
  uint32_t masks[COUNT][GAP + LAC_TILE_ROWS_MAX];
  const uint32_t *const words[COUNT] = {masks[0], masks[1], masks[2], masks[3]};
  for (uint32_t t = 0; t < COUNT; t++)
    for (uint32_t r = 0; r < GAP + rows; r++)
      masks[t][r] = (((uint32_t)rand() << 16 ^ (uint32_t)rand()) | 0xF000000Fu) & ~0x0FF0u;
  const lac_series series = {
      .count = COUNT, .row = row, .words = words, .first_word = GAP, .ahead = {x}, .ahead_gap = 1};
  fill(x, DEPTH * rows);
  fill(w, DEPTH * LAC_PANEL);
  tile->series(rows, &series, x, w, kept, all);
  bool right = true;
  for (uint32_t r = 0; r < rows; r++)
    for (uint32_t j = 0; j < LAC_PANEL; j++) {
      double every = 0, one = 0;
      for (uint32_t t = 0; t < COUNT; t++)
        for (uint32_t i = row[t]; i < row[t + 1]; i++) {
          const double part = (double)x[i * rows + r] * (double)w[i * LAC_PANEL + j];
          every += part;
          if (masks[t][GAP + r] >> j & 1) one += part;
        }
      const float got = kept[r * LAC_PANEL + j], sum = all[r * LAC_PANEL + j];
      right = right && fabs((double)sum - every) < 1e-5 && fabs((double)got - one) < 1e-5;
      if (j < 4 || j >= 28) right = right && got == sum; // always kept
      if (j >= 4 && j < 12) right = right && got == 0;   // never
    }
  CHECK(right);
}

static void a_series_masks_the_result_of_each_product(void) {
  for (int kind = LAC_PACKED_BEST + 1; kind < LAC_PACKED_KINDS; kind++) {
    if (!lac_packed_has((lac_packed_kind)kind)) continue;
    const lac_tile *tile = lac_packed_tile((lac_packed_kind)kind);
    for (uint32_t rows = 1; rows <= tile->rows; rows++)
      compare_series(tile, rows);
  }
}

int main(void) {
  RUN(a_series_masks_the_result_of_each_product);
  return check_finish();
}
