/**
 * Masks of the smallest elements: of several tensors together, or of every few neighbours.
 *
 * Scores are float32. NaN counts as smaller than everything and -0.0 as equal to 0.0; of equal
 * elements the one that comes first is taken first. Masks are float32, 0 at the smallest and 1
 * elsewhere. No gradients, and nothing waits for the device.
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or device, or counts out of
 * range; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE. Results are new and the caller's to release.
 */
#ifndef LAC_OPS_SMALLEST_H
#define LAC_OPS_SMALLEST_H

#include "tensor/tensor.h"

/**
 * Exactly the k smallest of several tensors, seen as one list of their elements in order.
 *
 * @param[out] masks   as many as scores, of their shapes
 * @param[out] report  int32 [tensors, 2]: zeros in each mask, NaN seen in each tensor
 * @param k            0 .. the number of elements
 * @return as above; LAC_EINVAL for no tensor, LAC_ESHAPE for more than 2^31 - 1 elements
 */
lac_status lac_smallest(lac_tensor **masks, lac_tensor **report, lac_tensor *const *scores,
                        size_t count, uint64_t k);

enum { LAC_SMALLEST_GROUP = 256 };

/**
 * The n smallest of every m consecutive elements of the last dimension ("n:m" sparsity).
 *
 * @param m  1 .. LAC_SMALLEST_GROUP, divides the last dimension
 * @param n  0 .. m
 */
lac_status lac_smallest_of_groups(lac_tensor **mask, lac_tensor *score, uint64_t n, uint64_t m);

#endif
