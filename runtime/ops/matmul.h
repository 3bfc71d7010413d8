/**
 * Matrix products of tensors, single and batched.
 */
#ifndef LAC_OPS_MATMUL_H
#define LAC_OPS_MATMUL_H

#include "tensor/tensor.h"

/**
 * y = a b.
 *
 * Transposed and sliced views are taken as they are; only views with gaps in both dimensions are
 * copied.
 *
 * @param[out] out  [m, n], or [batch, m, n] when a or b has three dimensions; the caller releases
 * it
 * @param a         float32 [m, k] or [batch, m, k]
 * @param b         float32 [k, n] or [batch, k, n]; a side with two dimensions serves the whole
 * batch
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: ga = gy b^T, gb = a^T gy; summed over the batch for a side with two dimensions.
 */
lac_status lac_matmul(lac_tensor **out, lac_tensor *a, lac_tensor *b);

/**
 * Enqueue c = a b + beta c on tensors as they lie in memory; no gradient. For backward rules.
 *
 * @param c  [m, n] or [batch, m, n], one of its last two strides 1; not a, not b
 * @param a, b  as for lac_matmul, one of their last two strides 1
 */
lac_status lac_product(lac_tensor *c, float beta, lac_tensor *a, lac_tensor *b);

/** c = a b with `start` [n], contiguous, added to every row; all matrices, c with whole rows. */
lac_status lac_product_from(lac_tensor *c, const lac_tensor *start, lac_tensor *a, lac_tensor *b);

/** Whether one of the last two strides is 1, so that lac_product takes x as it lies. */
bool lac_is_matrix(const lac_tensor *x);

/** x retained where lac_is_matrix, else a contiguous copy, which has a gradient. */
lac_status lac_as_matrix(lac_tensor **out, lac_tensor *x);

#endif
