/**
 * Softmax and its logarithm along the last dimension, in the form that cannot overflow: the row's
 * maximum is subtracted first.
 *
 * x is float32 of at least one dimension. Entries of -inf are allowed and get probability 0; a row
 * that is all -inf, or that holds NaN or +inf, becomes NaN throughout.
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or a scalar; LAC_ENOMEM;
 * LAC_EDEVICE.
 */
#ifndef LAC_OPS_SOFTMAX_H
#define LAC_OPS_SOFTMAX_H

#include "tensor/tensor.h"

/** y_i = e^(x_i) / sum_j e^(x_j). Gradient: y_i (gy_i - sum_j gy_j y_j). */
lac_status lac_softmax(lac_tensor **out, lac_tensor *x);

/** y_i = x_i - ln sum_j e^(x_j). Gradient: gy_i - e^(y_i) sum_j gy_j. */
lac_status lac_log_softmax(lac_tensor **out, lac_tensor *x);

#endif
