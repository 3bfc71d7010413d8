/**
 * Dropout on a device whose memory and instructions are the host's: the same numbers as
 * cl/dropout.cl, several times as fast as compilers make of it.
 */
#ifndef LAC_LAYERS_DROPOUT_HOST_H
#define LAC_LAYERS_DROPOUT_HOST_H

#include "core/rng.h"
#include "tensor/tensor.h"

/** Whether this device is one, with instructions that pay. */
bool lac_dropout_on_host(const lac_device *device);

/** Which elements are kept and what becomes of them. */
typedef struct lac_dropout_plan {
  lac_rng rng;
  uint32_t threshold; /* words below drop their element */
  float scale;
  uint32_t add; /* 1: add to y */
} lac_dropout_plan;

/** Enqueue y = or += dropout of x, both contiguous. */
lac_status lac_dropout_host(lac_tensor *y, const lac_tensor *x, const lac_dropout_plan *plan);

#endif
