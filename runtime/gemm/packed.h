/**
 * y = x W^T from packed weights, for few rows of x: plain arithmetic on host memory.
 *
 * W [n, k] is kept as panels of LAC_PANEL outputs, zeros where n ends: element (j, i) of W at
 * panel j / LAC_PANEL, then i, then j % LAC_PANEL. A product reads each panel once, from start to
 * end.
 */
#ifndef LAC_GEMM_PACKED_H
#define LAC_GEMM_PACKED_H

#include <stdbool.h>
#include <stdint.h>

enum { LAC_PANEL = 32 };

/** Panels that n outputs need; each holds LAC_PANEL * k floats. */
uint64_t lac_packed_panels(uint64_t n);

/** Fill panels first .. end - 1 from w: the weight of output j and input i at j * w_out + i * w_in,
 * one of which is 1. */
void lac_packed_fill(float *panels, const float *w, uint64_t w_out, uint64_t w_in, uint64_t n,
                     uint64_t k, uint64_t first, uint64_t end);

/** The instructions that a product is compiled for. */
typedef enum lac_packed_kind {
  LAC_PACKED_BEST, /* the best that this processor has */
  LAC_PACKED_AVX512,
  LAC_PACKED_AVX2,
  LAC_PACKED_PLAIN,
  LAC_PACKED_KINDS,
} lac_packed_kind;

/** Whether this processor has the instructions. */
bool lac_packed_has(lac_packed_kind kind);

enum { LAC_TILE_ROWS_MAX = 13 };

enum { LAC_SERIES_AHEAD = 4 };

/** Products that follow each other, each with a mask of its results. */
typedef struct lac_series {
  uint32_t count;               /* at least 1 */
  const uint32_t *row;          /* count + 1: where the depth of each begins */
  const uint32_t *const *words; /* per product, at first_word + row of the tile: a bit per output */
  uint64_t first_word;
  const float *ahead[LAC_SERIES_AHEAD]; /* NULL, or LAC_PANEL floats per row of the tile, rows */
  uint64_t ahead_gap;                   /* ahead_gap apart, that are brought nearer meanwhile */
} lac_series;

/** The innermost pieces, for products with loops of their own. */
typedef struct lac_tile {
  uint32_t rows; /* in the largest tile, at most LAC_TILE_ROWS_MAX */
  /** sums[row][output] = sum over i < depth of x[i][row] w[i][output], both without gaps. With
   * words (or NULL) only outputs whose bit is set in words[i] count. The depth * 64 bytes from
   * `ahead` on (or NULL) are brought nearer meanwhile. */
  void (*multiply)(uint32_t rows, const float *x, const float *w, const uint32_t *words,
                   const float *ahead, uint64_t depth, float *sums);
  /** all = the sum of the products of a series; kept = the same of each product under its mask:
   * exactly 0 where no mask keeps a result, exactly `all` where all do. */
  void (*series)(uint32_t rows, const lac_series *s, const float *x, const float *w, float *kept,
                 float *all);
} lac_tile;

const lac_tile *lac_packed_tile(lac_packed_kind kind);

/** y = alpha * op(x) W^T + beta * y, or + start in every row. */
typedef struct lac_packed_args {
  lac_packed_kind kind;
  uint64_t m, n, k;
  float alpha, beta;  /* beta = 0 does not read y */
  const float *start; /* NULL, or n floats in place of beta * y */
  const float *x;     /* element (row, i) at row * x_row + i * x_col */
  uint64_t x_row, x_col;
  float *room; /* m * k floats: x as tiles read it */
  const float *panels;
  uint64_t panel_inputs; /* of which a panel has weights: k, or more */
  const uint32_t *words; /* NULL, or at [panel][i] a bit per output: a weight without it is 0 */
  float *y;              /* [m, n], rows y_row apart */
  uint64_t y_row;
} lac_packed_args;

/** How many tiles the rows of x are cut into. */
uint64_t lac_packed_tiles(const lac_packed_args *args);

/** Put tiles first .. end - 1 of x into room. */
void lac_packed_take(const lac_packed_args *args, uint64_t first, uint64_t end);

/** The columns of y that belong to panels first .. end - 1, once all tiles are in room. */
void lac_packed_product(const lac_packed_args *args, uint64_t first, uint64_t end);

#endif
