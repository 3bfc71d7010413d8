/**
 * Layer normalisation.
 */
#ifndef LAC_LAYERS_LAYER_NORM_H
#define LAC_LAYERS_LAYER_NORM_H

#include "tensor/tensor.h"

/** How the deviation that x is divided by comes about. */
typedef enum lac_layer_norm_form {
  LAC_NORM_STANDARD, /* sqrt(sum (x - mean)^2 / n + eps) */
  LAC_NORM_PUBLISHED /* sqrt(sum (x - mean)^2 / (n - 1)) + eps */
} lac_layer_norm_form;

/**
 * y = gain * (x - mean) / deviation + offset, along the last dimension.
 *
 * Ba, Kiros and Hinton 2016, "Layer normalization", equation 4. The published form is that of the
 * Object Relation Transformer's weights (Herdade et al. 2019). A row whose values are all alike
 * gives offset.
 *
 * @param[out] out      new tensor, shape of x; the caller releases it
 * @param x             float32 [.., n]; a row that holds NaN becomes NaN
 * @param gain, offset  float32 [n]
 * @param eps           added as the form says, > 0
 * @return LAC_OK; LAC_EINVAL for another eps, a scalar, or the published form of one channel;
 * LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: to x, gain and offset. Where a row's values are all alike, the published form has no
 * derivative of its deviation; it counts as 0.
 */
lac_status lac_layer_norm(lac_tensor **out, lac_tensor *x, lac_tensor *gain, lac_tensor *offset,
                          float eps, lac_layer_norm_form form);

#endif
