/*
 * Maps over elements. One work item per element; a backward kernel adds into its gradient, or
 * writes it where `add` is 0.
 *
 * Unary kernels read v (the input) or r (the result) and two attributes a, b. Binary kernels exist for equal
 * shapes; the broadcasting ones walk up to four dimensions with strides that are 0 where a side is stretched.
 */

#define MAP1_FWD(expression)                                                                       \
  {                                                                                                \
    const ulong i = get_global_id(0);                                                              \
    if (i >= n) return;                                                                            \
    const float v = x[x0 + i];                                                                     \
    y[y0 + i] = (expression);                                                                      \
  }

/* s is the input or the result of the forward kernel, whichever the host saved. */
#define MAP1_BWD(expression)                                                                       \
  {                                                                                                \
    const ulong i = get_global_id(0);                                                              \
    if (i >= n) return;                                                                            \
    const float v = s[s0 + i], g = gy[gy0 + i];                                                    \
    const float r = (expression);                                                                  \
    gx[gx0 + i] = add ? gx[gx0 + i] + r : r;                                                       \
  }

#define MAP1_ARGS                                                                                  \
  global float *y, ulong y0, const global float *x, ulong x0, ulong n, float a, float b
#define MAP1_BWD_ARGS                                                                              \
  global float *gx, ulong gx0, const global float *gy, ulong gy0, const global float *s, ulong s0, \
      ulong n, float a, float b, uint add

kernel void neg_fwd(MAP1_ARGS) MAP1_FWD(-v)
kernel void neg_bwd(MAP1_BWD_ARGS) MAP1_BWD(-g)

kernel void exp_fwd(MAP1_ARGS) MAP1_FWD(exp(v))
kernel void exp_bwd(MAP1_BWD_ARGS) MAP1_BWD(g * v)

kernel void log_fwd(MAP1_ARGS) MAP1_FWD(quick_log(v))
kernel void log_bwd(MAP1_BWD_ARGS) MAP1_BWD(g / v)

kernel void sqrt_fwd(MAP1_ARGS) MAP1_FWD(sqrt(v))
kernel void sqrt_bwd(MAP1_BWD_ARGS) MAP1_BWD(0.5f * g / v)

kernel void square_fwd(MAP1_ARGS) MAP1_FWD(v * v)
kernel void square_bwd(MAP1_BWD_ARGS) MAP1_BWD(2.0f * g * v)

kernel void abs_fwd(MAP1_ARGS) MAP1_FWD(fabs(v))
kernel void abs_bwd(MAP1_BWD_ARGS) MAP1_BWD(v > 0.0f ? g : (v < 0.0f ? -g : 0.0f))

kernel void reciprocal_fwd(MAP1_ARGS) MAP1_FWD(1.0f / v)
kernel void reciprocal_bwd(MAP1_BWD_ARGS) MAP1_BWD(-g * v * v)

kernel void relu_fwd(MAP1_ARGS) MAP1_FWD(v <= 0.0f ? 0.0f : v) // NaN stays NaN
kernel void relu_bwd(MAP1_BWD_ARGS) MAP1_BWD(v > 0.0f ? g : 0.0f)

kernel void tanh_fwd(MAP1_ARGS) MAP1_FWD(quick_tanh(v))
kernel void tanh_bwd(MAP1_BWD_ARGS) MAP1_BWD(g * (1.0f - v * v))

kernel void sigmoid_fwd(MAP1_ARGS) MAP1_FWD(logistic(v))
kernel void sigmoid_bwd(MAP1_BWD_ARGS) MAP1_BWD(g * v * (1.0f - v))

/* The normal distribution's function at v, and in *slope its derivative: erf by 7.1.26 of Abramowitz and Stegun
 * 1964, within 2e-7, which compilers for CPUs make vectors of. NaN stays NaN. */
inline float normal_below(float v, float *slope) {
  const float far = v < 0.0f ? -v : v, bell = bounded_exp(-0.5f * v * v);
  const float t = 1.0f / (1.0f + 0.231641888f * far); // 0.3275911 / sqrt 2
  const float tail =
      0.5f * bell * t *
      (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  *slope = 0.398942280f * bell;
  return v < 0.0f ? tail : 1.0f - tail;
}

kernel void gelu_fwd(MAP1_ARGS) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  float slope;
  const float v = x[x0 + i];
  y[y0 + i] = v * normal_below(v, &slope);
}

kernel void gelu_bwd(MAP1_BWD_ARGS) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  float slope;
  const float v = s[s0 + i], below = normal_below(v, &slope);
  const float r = gy[gy0 + i] * (below + v * slope);
  gx[gx0 + i] = add ? gx[gx0 + i] + r : r;
}

kernel void scale_fwd(MAP1_ARGS) MAP1_FWD(a * v + b)
kernel void scale_bwd(MAP1_BWD_ARGS) MAP1_BWD(g * a)

kernel void clamp_fwd(MAP1_ARGS) MAP1_FWD(v < a ? a : (v > b ? b : v)) // NaN stays NaN
kernel void clamp_bwd(MAP1_BWD_ARGS) MAP1_BWD(v >= a && v <= b ? g : 0.0f)

kernel void greater_fwd(MAP1_ARGS) MAP1_FWD(v > a ? 1.0f : 0.0f)

kernel void to_f32_fwd(global float *y, ulong y0, const global int *x, ulong x0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  y[y0 + i] = (float)x[x0 + i];
}

kernel void to_i32_fwd(global int *y, ulong y0, const global float *x, ulong x0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float v = x[x0 + i];
  y[y0 + i] = isnan(v) ? 0 : convert_int_sat_rtz(v);
}

kernel void accumulate(global float *y, ulong y0, const global float *x, ulong x0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  y[y0 + i] += x[x0 + i];
}

/* Binary maps of equal shapes: p and q are the elements of a and b. */
#define MAP2_FWD(expression)                                                                       \
  {                                                                                                \
    const ulong i = get_global_id(0);                                                              \
    if (i >= n) return;                                                                            \
    const float p = a[a0 + i], q = b[b0 + i];                                                      \
    y[y0 + i] = (expression);                                                                      \
  }

#define MAP2_ARGS                                                                                  \
  global float *y, ulong y0, const global float *a, ulong a0, const global float *b, ulong b0,     \
      ulong n

/* Element i of four dimensions (d0 outermost, found by division) in a side with strides s0 .. s3. */
inline ulong walk(ulong i, ulong d1, ulong d2, ulong d3, ulong s0, ulong s1, ulong s2, ulong s3) {
  const ulong i3 = i % d3, r3 = i / d3;
  const ulong i2 = r3 % d2, r2 = r3 / d2;
  return (r2 / d1) * s0 + (r2 % d1) * s1 + i2 * s2 + i3 * s3;
}

#define WALK_ARGS                                                                                  \
  ulong d1, ulong d2, ulong d3, ulong as0, ulong as1, ulong as2, ulong as3, ulong bs0, ulong bs1,  \
      ulong bs2, ulong bs3

#define MAP2_WALK(expression)                                                                      \
  {                                                                                                \
    const ulong i = get_global_id(0);                                                              \
    if (i >= n) return;                                                                            \
    const float p = a[a0 + walk(i, d1, d2, d3, as0, as1, as2, as3)];                               \
    const float q = b[b0 + walk(i, d1, d2, d3, bs0, bs1, bs2, bs3)];                               \
    y[y0 + i] = (expression);                                                                      \
  }

kernel void add_fwd(MAP2_ARGS) MAP2_FWD(p + q)
kernel void sub_fwd(MAP2_ARGS) MAP2_FWD(p - q)
kernel void mul_fwd(MAP2_ARGS) MAP2_FWD(p * q)
kernel void div_fwd(MAP2_ARGS) MAP2_FWD(p / q)
kernel void maximum_fwd(MAP2_ARGS) MAP2_FWD(isnan(p) || p >= q ? p : q)
kernel void minimum_fwd(MAP2_ARGS) MAP2_FWD(isnan(p) || p <= q ? p : q)

kernel void add_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(p + q)
kernel void sub_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(p - q)
kernel void mul_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(p * q)
kernel void div_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(p / q)
kernel void maximum_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(isnan(p) || p >= q ? p : q)
kernel void minimum_walk(MAP2_ARGS, WALK_ARGS) MAP2_WALK(isnan(p) || p <= q ? p : q)

/*
 * Gradients of binary maps, before the sum over stretched dimensions: t = gy * (d expression / d side),
 * written, not added; for shapes that are equal t is the gradient itself, and is added to where `add` is 1.
 */
#define MAP2_BWD(expression)                                                                       \
  {                                                                                                \
    const ulong i = get_global_id(0);                                                              \
    if (i >= n) return;                                                                            \
    const float p = a[a0 + walk(i, d1, d2, d3, as0, as1, as2, as3)];                               \
    const float q = b[b0 + walk(i, d1, d2, d3, bs0, bs1, bs2, bs3)];                               \
    const float g = gy[gy0 + i];                                                                   \
    const float r = (expression);                                                                  \
    t[t0 + i] = add ? t[t0 + i] + r : r;                                                           \
  }

#define MAP2_BWD_ARGS                                                                              \
  global float *t, ulong t0, const global float *gy, ulong gy0, const global float *a, ulong a0,   \
      const global float *b, ulong b0, ulong n, uint add

kernel void add_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g)
kernel void add_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g)
kernel void sub_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g)
kernel void sub_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(-g)
kernel void mul_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g * q)
kernel void mul_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g * p)
kernel void div_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(g / q)
kernel void div_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(-g * p / (q * q))
kernel void maximum_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(isnan(p) || p >= q ? g : 0.0f)
kernel void maximum_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(isnan(p) || p >= q ? 0.0f : g)
kernel void minimum_bwd_a(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(isnan(p) || p <= q ? g : 0.0f)
kernel void minimum_bwd_b(MAP2_BWD_ARGS, WALK_ARGS) MAP2_BWD(isnan(p) || p <= q ? 0.0f : g)

/* Strided copy into contiguous memory (any 4-byte type), and its reverse, which adds. */
kernel void contiguous_fwd(global int *y, ulong y0, const global int *x, ulong x0, ulong n, ulong d1,
                           ulong d2, ulong d3, ulong d4, ulong d5, ulong s0, ulong s1, ulong s2,
                           ulong s3, ulong s4, ulong s5) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const ulong low = i % (d4 * d5), high = i / (d4 * d5);
  y[y0 + i] = x[x0 + walk(high, d1, d2, d3, s0, s1, s2, s3) + (low / d5) * s4 + (low % d5) * s5];
}

kernel void contiguous_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0, ulong n,
                           ulong d1, ulong d2, ulong d3, ulong d4, ulong d5, ulong s0, ulong s1,
                           ulong s2, ulong s3, ulong s4, ulong s5) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const ulong low = i % (d4 * d5), high = i / (d4 * d5);
  gx[gx0 + walk(high, d1, d2, d3, s0, s1, s2, s3) + (low / d5) * s4 + (low % d5) * s5] +=
      gy[gy0 + i];
}

/*
 * Sum a full gradient t over the dimensions in which one side was stretched: work item j owns element j of
 * the side and adds the elements that were made from it, in order. The side's dimensions are e0 .. e3 (1
 * where stretched); t's are the same with the stretch r0 .. r3.
 */
kernel void unstretch(global float *gx, ulong gx0, const global float *t, ulong t0, ulong n,
                      ulong e1, ulong e2, ulong e3, ulong r0, ulong r1, ulong r2, ulong r3,
                      ulong ts0, ulong ts1, ulong ts2, ulong ts3) {
  const ulong j = get_global_id(0);
  if (j >= n) return;
  const global float *from = t + t0 + walk(j, e1, e2, e3, ts0, ts1, ts2, ts3);
  float total = 0.0f;
  for (ulong i0 = 0; i0 < r0; i0++)
    for (ulong i1 = 0; i1 < r1; i1++)
      for (ulong i2 = 0; i2 < r2; i2++) {
        float part = 0.0f; // short sums first: a long running one loses digits
        for (ulong i3 = 0; i3 < r3; i3++) part += from[i0 * ts0 + i1 * ts1 + i2 * ts2 + i3 * ts3];
        total += part;
      }
  gx[gx0 + j] += total;
}
