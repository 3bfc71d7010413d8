/**
 * New tensors of random numbers, with the same bits on every device.
 *
 * Each moves the generator on by lac_rng_span(n) counters, and by none when it fails. No gradients.
 *
 * Each returns LAC_OK; LAC_EINVAL where said; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE. The result is
 * new and the caller's to release.
 */
#ifndef LAC_OPS_RANDOM_H
#define LAC_OPS_RANDOM_H

#include "core/rng.h"
#include "tensor/tensor.h"

/** float32, uniform in low <= y < high in steps of 2^-24 of the range. LAC_EINVAL unless low < high
 * and high - low is finite. */
lac_status lac_random_uniform(lac_tensor **out, lac_device *device, const lac_shape *shape,
                              lac_rng *rng, float low, float high);

/**
 * float32, normal with this mean and standard deviation; no value is further than 5.8 deviations
 * out.
 *
 * Box and Muller 1958, with logarithm, root and sine of our own. LAC_EINVAL unless std >= 0, both
 * finite.
 */
lac_status lac_random_normal(lac_tensor **out, lac_device *device, const lac_shape *shape,
                             lac_rng *rng, float mean, float std);

/** int32, 0 .. n - 1, equally likely to within n / 2^32. LAC_EINVAL unless 1 <= n <= 2^31. */
lac_status lac_random_below(lac_tensor **out, lac_device *device, const lac_shape *shape,
                            lac_rng *rng, uint64_t n);

/** The kernel arguments seed, stream and counter. */
void lac_arg_rng(lac_launch *run, const lac_rng *rng);

#endif
