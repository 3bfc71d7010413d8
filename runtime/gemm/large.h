/**
 * Products of many rows on host memory, by the tiles of gemm/packed.
 */
#ifndef LAC_GEMM_LARGE_H
#define LAC_GEMM_LARGE_H

#include "gemm/gemm.h"

/** Whether this is faster than OpenBLAS for a product, with packed weights or without (measured).
 */
bool lac_large_suits(const lac_gemm_args *g, bool packed);

/** How many floats of room a product takes: B packed, unless it is, and blocks of A. */
uint64_t lac_large_room(const lac_gemm_args *g, uint32_t workers, bool packed);

/** Host pointers in the place of the buffers. */
typedef struct lac_large_memory {
  const float *a, *b, *start; /* start: NULL, or what rows of C start from */
  const float *panels;        /* NULL, or B as lac_packed_fill() lays it out; then b is not read */
  float *c, *room;
} lac_large_memory;

/** What lac_gemm() says for a product that suits, at once. The offsets of g are added. */
void lac_large_multiply(lac_workers *workers, const lac_gemm_args *g, const lac_large_memory *at);

#endif
