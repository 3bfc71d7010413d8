/**
 * The provider for CPU devices: OpenBLAS and packed panels on the device's host threads.
 *
 * The first use sets OpenBLAS to one thread for the whole process.
 */
#ifndef LAC_GEMM_HOST_H
#define LAC_GEMM_HOST_H

#include "gemm/gemm.h"

extern const lac_gemm_provider lac_gemm_host;

#endif
