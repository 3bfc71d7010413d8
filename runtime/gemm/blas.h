/**
 * Products on host memory: OpenBLAS, one thread per worker.
 */
#ifndef LAC_GEMM_BLAS_H
#define LAC_GEMM_BLAS_H

#include "gemm/gemm.h"

/** Multiplications below which one thread does a job alone (measured: about 15 us of work). */
enum { LAC_ALONE_BELOW = 1 << 19 };

/**
 * Set OpenBLAS to one thread for the whole process, because two pools of spinning threads slow each
 * other down. Once, before the first product.
 */
void lac_blas_prepare(void);

/** What lac_gemm() says, at once, with host pointers in the place of the buffers; start may be
 * NULL. */
void lac_blas_multiply(lac_workers *workers, const lac_gemm_args *g, const float *a, const float *b,
                       float *c, const float *start);

#endif
