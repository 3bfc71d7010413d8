/**
 * The provider for GPUs: CLBlast, in the device's own queue. Works on CPU devices too, slowly.
 */
#ifndef LAC_GEMM_CLBLAST_H
#define LAC_GEMM_CLBLAST_H

#include "gemm/gemm.h"

extern const lac_gemm_provider lac_gemm_clblast;

#endif
