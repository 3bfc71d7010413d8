/**
 * lac_mask()'s draw and gradient by the host's vector instructions, on devices that are the host:
 * what the kernels of cl/mask.cl compute, draws bit by bit.
 */
#ifndef LAC_SPARSE_MASK_HOST_H
#define LAC_SPARSE_MASK_HOST_H

#include "core/rng.h"
#include "tensor/tensor.h"

/** What a gradient of a mask consists of, see mask_bwd in cl/mask.cl. */
enum {
  LAC_MASK_WANT_W = 1,
  LAC_MASK_ADD_W = 2,
  LAC_MASK_WANT_LOGIT = 4,
  LAC_MASK_ADD_LOGIT = 8,
  LAC_MASK_BYPASS = 16,
  LAC_MASK_COUNT = 32,
};

/** Contiguous tensors of one size; those that the flags do not ask for are any. */
typedef struct lac_mask_gradient {
  lac_tensor *gw, *glogit;
  const lac_tensor *gy, *y, *w, *logit;
  const lac_tensor *count; /* a scalar */
  uint32_t flags;
} lac_mask_gradient;

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_mask_on_host(const lac_device *device);

/**
 * y = w under a mask drawn at the generator's counters. Needs lac_mask_on_host(), as does the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_mask_host_draw(lac_tensor *y, const lac_tensor *w, const lac_tensor *logit,
                              const lac_rng *rng);

/** @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE */
lac_status lac_mask_host_gradient(const lac_mask_gradient *gradient);

/**
 * odds = 1 / sigmoid(logit), as kernel mask_odds. Needs lac_mask_on_host().
 *
 * @return LAC_OK; LAC_EDEVICE
 */
lac_status lac_mask_odds_host(lac_tensor *odds, const lac_tensor *logit);

#endif
