/**
 * Affine maps: the sum of several products with weights, in one result and one record.
 */
#ifndef LAC_OPS_LINEAR_H
#define LAC_OPS_LINEAR_H

#include "gemm/gemm.h"
#include "tensor/tensor.h"

enum { LAC_LINEAR_PAIRS = 3 };

/**
 * Weights [n, k] in the form that the device's products like best, for inference. Made once; the
 * weights must keep their values while it is used. Holds the weights.
 */
typedef struct lac_weights lac_weights;

lac_status lac_weights_prepare(lac_weights **out, lac_tensor *w);
void lac_weights_release(lac_weights *weights);
lac_tensor *lac_weights_tensor(const lac_weights *weights);

typedef struct lac_linear_args {
  uint32_t pairs;                  /* 1..LAC_LINEAR_PAIRS */
  lac_tensor *x[LAC_LINEAR_PAIRS]; /* float32 [..., k_i], the same leading dimensions */
  lac_tensor *w[LAC_LINEAR_PAIRS]; /* float32 [n, k_i] */
  const lac_weights
      *prepared[LAC_LINEAR_PAIRS]; /* NULL, or made from w[i]; used when nothing records */
  lac_tensor *bias;                /* float32 [n], or NULL */
  lac_tensor *add;                 /* float32 [..., n], or NULL */
} lac_linear_args;

/**
 * y = sum_i x_i w_i^T + bias + add.
 *
 * The parts of a wider weight matrix may be given as column slices; their gradients land in it.
 *
 * @param[out] out  new [..., n]; the caller releases it
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: gx_i = gy w_i, gw_i = gy^T x_i, gbias = gy summed over rows, gadd = gy.
 */
lac_status lac_linear(lac_tensor **out, const lac_linear_args *args);

#endif
