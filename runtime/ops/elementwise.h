/**
 * Maps over elements: of one tensor, and of two with broadcasting.
 *
 * Unless it says otherwise an operation takes float32 of any shape, lets NaN through, and returns
 * LAC_OK; LAC_EINVAL for a closed tensor, another type or another device; LAC_ESHAPE; LAC_ENOMEM;
 * LAC_EDEVICE. The result is new and the caller's to release.
 */
#ifndef LAC_OPS_ELEMENTWISE_H
#define LAC_OPS_ELEMENTWISE_H

#include "tensor/tensor.h"

/** x itself (retained) when it is contiguous, else a contiguous copy, float32 or int32. Gradient:
 * passes. */
lac_status lac_contiguous(lac_tensor **out, lac_tensor *x);

/** A copy, float32 or int32, always new memory. Gradient: passes. */
lac_status lac_clone(lac_tensor **out, lac_tensor *x);

/** y = -x. Gradient: -gy. */
lac_status lac_neg(lac_tensor **out, lac_tensor *x);
/** y = e^x. Gradient: gy * y. */
lac_status lac_exp(lac_tensor **out, lac_tensor *x);
/** y = ln x; -inf at 0, NaN below. Gradient: gy / x. */
lac_status lac_log(lac_tensor **out, lac_tensor *x);
/** y = square root of x; NaN below 0. Gradient: gy / (2 y). */
lac_status lac_sqrt(lac_tensor **out, lac_tensor *x);
/** y = x * x. Gradient: 2 x gy. */
lac_status lac_square(lac_tensor **out, lac_tensor *x);
/** y = |x|. Gradient: sign(x) gy, 0 at 0. */
lac_status lac_abs(lac_tensor **out, lac_tensor *x);
/** y = 1 / x. Gradient: -y^2 gy. */
lac_status lac_reciprocal(lac_tensor **out, lac_tensor *x);
/** y = max(x, 0), NaN stays NaN. Gradient: gy where x > 0. */
lac_status lac_relu(lac_tensor **out, lac_tensor *x);
/** y = tanh x. Gradient: gy (1 - y^2). */
lac_status lac_tanh(lac_tensor **out, lac_tensor *x);
/** y = 1 / (1 + e^-x). Gradient: gy y (1 - y). */
lac_status lac_sigmoid(lac_tensor **out, lac_tensor *x);
/**
 * y = x Phi(x), Phi the normal distribution's function: (1 + erf(x / sqrt 2)) / 2. Gradient:
 * gy (Phi(x) + x Phi'(x)). Hendrycks and Gimpel 2016, "Gaussian error linear units".
 */
lac_status lac_gelu(lac_tensor **out, lac_tensor *x);
/** y = a x + b. Gradient: a gy. */
lac_status lac_scale(lac_tensor **out, lac_tensor *x, float a, float b);
/** y = x limited to low..high. Gradient: gy where low <= x <= high. LAC_EINVAL unless low <= high.
 */
lac_status lac_clamp(lac_tensor **out, lac_tensor *x, float low, float high);
/** y = 1 where x > a, else 0 (NaN gives 0). No gradient. */
lac_status lac_greater(lac_tensor **out, lac_tensor *x, float a);

/** y = a + b with broadcasting. Gradients: gy, summed over stretched dimensions. */
lac_status lac_add(lac_tensor **out, lac_tensor *a, lac_tensor *b);
/** y = a - b with broadcasting. Gradients: gy and -gy, summed as for add. */
lac_status lac_sub(lac_tensor **out, lac_tensor *a, lac_tensor *b);
/** y = a * b with broadcasting. Gradients: gy b and gy a, summed as for add. */
lac_status lac_mul(lac_tensor **out, lac_tensor *a, lac_tensor *b);
/** y = a / b with broadcasting. Gradients: gy / b and -gy a / b^2, summed as for add. */
lac_status lac_div(lac_tensor **out, lac_tensor *a, lac_tensor *b);
/** y = the larger, with broadcasting. Gradients: gy to the larger, to a on ties. */
lac_status lac_maximum(lac_tensor **out, lac_tensor *a, lac_tensor *b);
/** y = the smaller, with broadcasting. Gradients: gy to the smaller, to a on ties. */
lac_status lac_minimum(lac_tensor **out, lac_tensor *a, lac_tensor *b);

/** int32 to float32 (exact up to 2^24). No gradient. */
lac_status lac_to_f32(lac_tensor **out, lac_tensor *x);
/** float32 to int32, towards zero; NaN gives 0, values out of range the nearest int32. No gradient.
 */
lac_status lac_to_i32(lac_tensor **out, lac_tensor *x);

/** Enqueue y += x for contiguous float32 of one shape; no gradient. For backward rules. */
lac_status lac_accumulate(lac_tensor *y, const lac_tensor *x);

#endif
