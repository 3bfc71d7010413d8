/**
 * Masks as one bit per weight: drawn, and put into the orders that products read. Plain arithmetic
 * on host memory; the same draws as cl/mask.cl.
 *
 * A draw fills quarters of n / 8 * 2 elements: bit i of quarter j is element j * (n / 8 * 2) + i of
 * the weights in row-major order, the quarters `stride` 16-bit words apart; what n % 8 leaves over
 * is a fifth.
 */
#ifndef LAC_SPARSE_BITS_H
#define LAC_SPARSE_BITS_H

#include "core/rng.h"

#include <stdbool.h>

enum { LAC_BITS_CUTS = 3, LAC_BITS_BLOCK = 1024 };

/** Weights [rows, columns] whose columns are cut into ranges. */
typedef struct lac_bits_plan {
  uint64_t rows, columns;
  uint32_t cuts;
  uint64_t start[LAC_BITS_CUTS], width[LAC_BITS_CUTS];
  uint64_t stride;                 /* of quarters */
  uint64_t lower;                  /* counters from the upper to the lower bits of u */
  uint64_t forward[LAC_BITS_CUTS]; /* first word of a range in each order */
  uint64_t back[LAC_BITS_CUTS];
  uint64_t forward_words, back_words;
} lac_bits_plan;

/** Fill in the rest of a plan from rows, columns, cuts and width. */
void lac_bits_lay_out(lac_bits_plan *plan);

/** 16-bit words that the quarters take. */
uint64_t lac_bits_words(const lac_bits_plan *plan);

/** Blocks of LAC_BITS_BLOCK counters that a draw consists of; the fifth belongs to the last. */
uint64_t lac_bits_blocks(const lac_bits_plan *plan);

/** Of n elements with these odds, 1 / sigmoid(logit) each, the limits that a draw goes by: an
 * element is kept where the upper 16 bits of u are below, dropped where above. */
void lac_bits_limits(uint16_t *limits, const float *odds, uint64_t n);

/** Draw blocks first .. end - 1: an element is kept where u * odds < 1, with u of the generator as
 * cl/mask.cl says. */
void lac_bits_draw(const lac_bits_plan *plan, uint16_t *quarters, const lac_rng *rng,
                   const float *odds, const uint16_t *limits, uint64_t first, uint64_t end);

/** The same with u given for every element. */
void lac_bits_compare(const lac_bits_plan *plan, uint16_t *quarters, const float *noise,
                      const float *odds, uint64_t first, uint64_t end);

/**
 * Put rows 32 * first .. 32 * end - 1 into both orders: `forward` as the mask of y = x W^T, a word
 * per 32 rows and column, `back` as that of gx = gy W, a word per 32 columns of a range and row
 * (see lac_words in gemm/gemm.h).
 */
void lac_bits_order(const lac_bits_plan *plan, uint32_t *forward, uint32_t *back,
                    const uint16_t *quarters, uint64_t first, uint64_t end);

#endif
