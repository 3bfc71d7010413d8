/**
 * Weights under a trained mask: y = b w, b in {0, 1} by the sigmoid of a logit per weight.
 *
 * Tan, Chan and Chuah 2022, "End-to-end supermask pruning", section 3; straight-through gradients:
 * Bengio, Leonard and Courville 2013, "Estimating or propagating gradients through stochastic
 * neurons", section 2.3.
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or device; LAC_ESHAPE;
 * LAC_ENOMEM; LAC_EDEVICE. Results are new and the caller's to release.
 */
#ifndef LAC_SPARSE_MASK_H
#define LAC_SPARSE_MASK_H

#include "core/rng.h"
#include "autograd/tape.h"

/** What decides b; with neither rng nor noise it is rounded. */
typedef struct lac_mask_args {
  lac_tensor *w;     /* float32, any shape */
  lac_tensor *logit; /* float32, the shape of w */
  lac_rng *rng;      /* b = 1 with probability sigmoid(logit); moves on by lac_rng_span(n) counters,
                        by none on failure */
  lac_tensor *noise; /* float32, the shape of w: b = 1 where noise < sigmoid(logit) */
  bool bypass;       /* leave the sigmoid's slope out of the logit's gradient */
} lac_mask_args;

/**
 * y = b w: b drawn, compared with given noise, or round(sigmoid(logit)) with halves to even (a
 * logit of 0 gives 0).
 *
 * Dropped weights become -0.0 and kept zeros +0.0; that is how backward knows b, so no mask is
 * stored. A NaN logit gives NaN, a dropped NaN weight does not.
 *
 * @return as above; LAC_EINVAL when both rng and noise are given
 *
 * Gradients: gw = b gy; glogit = gy w p (1 - p) with p = sigmoid(logit), kept or not; with bypass
 * gy w.
 */
lac_status lac_mask(lac_tensor **out, const lac_mask_args *args);

/**
 * Rows of a masked table: lac_embedding() of lac_mask(), without masking more than the rows asked
 * for. The draws are the same.
 *
 * @param args  w is a matrix [count, width]; with rng or noise
 * @param ids   int32 [...]; one out of range gives NaN, as in lac_embedding()
 * @param[out] out  new [..., width]
 */
lac_status lac_mask_rows(lac_tensor **out, const lac_mask_args *args, lac_tensor *ids);

/**
 * How many weights rounding keeps: y = sum round(sigmoid(logit)), a scalar; exact below 2^24.
 *
 * Gradient: gy p (1 - p), straight through the rounding.
 */
lac_status lac_mask_count(lac_tensor **out, lac_tensor *logit);

/** The rule under which a count's gradient waits for its logit: rules of masks take it along. */
lac_status lac_mask_count_gradient(lac_tensor *logit, const lac_part *parts, size_t count);

#endif
