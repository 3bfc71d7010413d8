/**
 * The provider that works on every device: cl/matmul.cl.
 */
#ifndef LAC_GEMM_TILED_H
#define LAC_GEMM_TILED_H

#include "gemm/gemm.h"

extern const lac_gemm_provider lac_gemm_tiled;

/** The provider's product; also serves k = 0, where A and B may have no buffer. */
lac_status lac_tiled_product(lac_device *device, const lac_gemm_args *args);

/** Write args->start into every row of C, and leave what is to be added to it in *args. */
lac_status lac_tiled_start(lac_device *device, lac_gemm_args *args);

#endif
