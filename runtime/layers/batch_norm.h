/**
 * Batch normalisation, with the activation that usually follows it.
 */
#ifndef LAC_LAYERS_BATCH_NORM_H
#define LAC_LAYERS_BATCH_NORM_H

#include "tensor/tensor.h"

/** What becomes of the normalised value. */
typedef enum lac_activation { LAC_ACT_NONE, LAC_ACT_RELU, LAC_ACT_RELU6 } lac_activation;

typedef struct lac_batch_norm_args {
  lac_tensor *x;               /* float32 [.., n]; all dimensions but the last are rows */
  lac_tensor *gain, *offset;   /* float32 [n], or NULL for ones and zeros */
  lac_tensor *mean, *variance; /* float32 [n], contiguous; changed in training */
  float eps;                   /* > 0 */
  bool training;               /* by the statistics of x */
  float momentum;              /* 0..1 */
  lac_activation activation;
} lac_batch_norm_args;

/**
 * y = f(gain * (x - mean) / sqrt(variance + eps) + offset), column by column.
 *
 * Ioffe and Szegedy 2015, "Batch normalization", algorithms 1 and 2. In training the statistics are
 * those of x over its rows, the variance divided by their number; `mean` and `variance` are then
 * moved towards them by the fraction `momentum`, the variance there divided by the number less one.
 *
 * @param[out] out  new tensor, shape of x; the caller releases it
 * @return LAC_OK; LAC_EINVAL, also for training on one row; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: to x, gain and offset; in training through the statistics too. relu's is gy where
 * y > 0, relu6's where also y < 6.
 */
lac_status lac_batch_norm(lac_tensor **out, const lac_batch_norm_args *args);

#endif
