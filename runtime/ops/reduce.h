/**
 * Sums, means, maxima and the largest few, along one dimension or over all elements.
 *
 * x is float32. `dim` counts from 0, or is LAC_ALL for one result over all elements; with `keep`
 * the dimension stays with length 1 (LAC_ALL: all of them do). Indices are int32 and, like token
 * ids, count from 0. Results depend on the sizes and nothing else: every order of summation is
 * fixed.
 *
 * Where values are compared, NaN never beats a number, a row of NaN gives NaN at index 0, and of
 * equal values the one with the lower index comes first. Sums and means let NaN through.
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or no such dimension;
 * LAC_ESHAPE where said; LAC_ENOMEM; LAC_EDEVICE. Results are new and the caller's to release.
 */
#ifndef LAC_OPS_REDUCE_H
#define LAC_OPS_REDUCE_H

#include "tensor/tensor.h"

enum { LAC_ALL = 0xffff, LAC_TOPK_MAX = 64 };

/** y = sum of x along dim; 0 where there is nothing to add. Gradient: gy, repeated. */
lac_status lac_sum(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep);

/** y = sum of x along dim / its length; NaN where that is 0. Gradient: gy / length, repeated. */
lac_status lac_mean(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep);

/**
 * The mean of all elements and their standard deviation, sqrt(mean((x - mean)^2)); NaN for no
 * elements. As accurate for a small deviation about a large mean as x itself. Scalars [1]; no
 * gradients.
 */
lac_status lac_moments(lac_tensor **mean, lac_tensor **std, lac_tensor *x);

/**
 * y = the largest element along dim. Gradient: gy to the element it came from.
 *
 * @return as above; LAC_ESHAPE for a dimension of length 0 or of more than 2^31 - 1
 */
lac_status lac_max(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep);

/** The index along dim (over all elements: in row-major order) of what lac_max gives. No gradient.
 */
lac_status lac_argmax(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep);

/**
 * The k largest of the last dimension in descending order, [..., n] -> values and indices [..., k].
 *
 * @param k  1 .. min(n, LAC_TOPK_MAX)
 * @return as above; LAC_EINVAL for another k or a scalar x
 *
 * Gradient of the values: gy to the elements they came from.
 */
lac_status lac_topk(lac_tensor **values, lac_tensor **indices, lac_tensor *x, uint64_t k);

#endif
