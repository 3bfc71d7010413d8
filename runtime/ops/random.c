/* One kernel per distribution; each work item makes the four elements of one counter. */
#include "ops/random.h"

#include <math.h>

void lac_arg_rng(lac_launch *run, const lac_rng *rng) {
  lac_arg_u64(run, rng->seed);
  lac_arg_u64(run, rng->stream);
  lac_arg_u64(run, rng->counter);
}

/* The arguments all fills begin with. */
static lac_launch begin_fill(lac_tensor *y, const lac_rng *rng, const char *kernel) {
  const uint64_t n = lac_tensor_numel(y);
  lac_launch run = lac_launch_new(lac_tensor_device(y), "random", kernel);
  lac_arg_tensor(&run, y);
  lac_arg_u64(&run, n);
  lac_arg_rng(&run, rng);
  lac_launch_items(&run, lac_rng_span(n));
  return run;
}

static lac_status end_fill(lac_tensor **out, lac_tensor *y, lac_rng *rng, lac_launch *run) {
  const lac_status status = lac_launch_run(run);
  if (status != LAC_OK) {
    lac_tensor_release(y);
    return status;
  }
  rng->counter += lac_rng_span(lac_tensor_numel(y));
  *out = y;
  return LAC_OK;
}

lac_status lac_random_uniform(lac_tensor **out, lac_device *device, const lac_shape *shape,
                              lac_rng *rng, float low, float high) {
  lac_tensor *y;
  const float span = high - low;
  if (!(low < high) || !isfinite(span))
    return lac_fail(LAC_EINVAL, "uniform: low must be below high, both finite, got %g and %g",
                    (double)low, (double)high);
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, shape));
  lac_launch run = begin_fill(y, rng, "uniform_fill");
  lac_arg_f32(&run, low);
  lac_arg_f32(&run, span);
  lac_arg_f32(&run, nextafterf(high, low));
  return end_fill(out, y, rng, &run);
}

lac_status lac_random_normal(lac_tensor **out, lac_device *device, const lac_shape *shape,
                             lac_rng *rng, float mean, float std) {
  lac_tensor *y;
  if (!(std >= 0) || !isfinite(std) || !isfinite(mean))
    return lac_fail(LAC_EINVAL, "normal: the deviation must be >= 0, both finite, got %g and %g",
                    (double)mean, (double)std);
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, shape));
  lac_launch run = begin_fill(y, rng, "normal_fill");
  lac_arg_f32(&run, mean);
  lac_arg_f32(&run, std);
  return end_fill(out, y, rng, &run);
}

lac_status lac_random_below(lac_tensor **out, lac_device *device, const lac_shape *shape,
                            lac_rng *rng, uint64_t n) {
  lac_tensor *y;
  if (n < 1 || n > (uint64_t)1 << 31)
    return lac_fail(LAC_EINVAL, "integers: their number must be 1 to 2^31, got %llu",
                    (unsigned long long)n);
  LAC_TRY(lac_tensor_new(&y, device, LAC_I32, shape));
  lac_launch run = begin_fill(y, rng, "below_fill");
  lac_arg_u32(&run, (uint32_t)n);
  return end_fill(out, y, rng, &run);
}
