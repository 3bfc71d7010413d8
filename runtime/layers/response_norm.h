/**
 * Local response normalisation.
 */
#ifndef LAC_LAYERS_RESPONSE_NORM_H
#define LAC_LAYERS_RESPONSE_NORM_H

#include "tensor/tensor.h"

typedef struct lac_response_norm_args {
  lac_tensor *x; /* float32 [.., channels] */
  uint32_t size; /* channels in a sum, >= 1: size / 2 before, the channel itself, the rest behind */
  float alpha, beta, k;
} lac_response_norm_args;

/**
 * y[c] = x[c] / (k + alpha / size * sum of x[i]^2 over channels i near c)^beta.
 *
 * Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural
 * networks", section 3.3; alpha divided by size as PyTorch does.
 *
 * @param[out] out  new tensor, shape of x; the caller releases it
 * @return LAC_OK; LAC_EINVAL, also for k <= 0 or a negative alpha; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradient: to x.
 */
lac_status lac_response_norm(lac_tensor **out, const lac_response_norm_args *args);

#endif
