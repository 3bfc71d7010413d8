/*
 * Put before every program. OpenCL C 1.2, nothing optional.
 *
 * Contraction is off so that every device rounds alike; kernels that want fma() say so.
 */
#pragma OPENCL FP_CONTRACT OFF

/*
 * exp, logistic and tanh that compilers for CPUs make vectors of: on PoCL a kernel of these is five times as
 * fast as one of its exp() and tanh(). One formula each and no fabs(), which kept PoCL from it. Within 3 units
 * in the last place; NaN stays NaN. The polynomial is that of Moshier's Cephes library (expf.c, 1992).
 */

/* exp(x) = *scale * (1 + result) for -87 <= x <= 87, with a power of two and a result that keeps its digits
 * near zero; outside, the value at that end. Past 87, 1 / exp(x) would be denormal, which is slow. */
inline float split_exp(float x, float *scale) {
  x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x; // not fmin, fmax: they drop NaN
  const float n = rint(x * 1.44269504f);
  const float r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x)); // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = fma(p, r, 1.3981999507e-3f);
  p = fma(p, r, 8.3334519073e-3f);
  p = fma(p, r, 4.1665795894e-2f);
  p = fma(p, r, 1.6666665459e-1f);
  p = fma(p, r, 5.0000001201e-1f);
  *scale = as_float(((int)n + 127) << 23);
  return fma(p, r * r, r);
}

inline float bounded_exp(float x) {
  float scale;
  const float part = split_exp(x, &scale);
  return fma(scale, part, scale);
}

/* The same for eight numbers. */
inline float8 bounded_exp8(float8 x) {
  const float8 low = (float8)(-87.0f), high = (float8)(87.0f);
  x = x < low ? low : x > high ? high : x;
  const float8 n = rint(x * 1.44269504f);
  const float8 r =
      fma(n, (float8)(2.12194440e-4f), fma(n, (float8)(-0.693359375f), x)); // ln 2 in two parts
  float8 p = (float8)(1.9875691500e-4f);
  p = fma(p, r, (float8)(1.3981999507e-3f));
  p = fma(p, r, (float8)(8.3334519073e-3f));
  p = fma(p, r, (float8)(4.1665795894e-2f));
  p = fma(p, r, (float8)(1.6666665459e-1f));
  p = fma(p, r, (float8)(5.0000001201e-1f));
  const float8 scale = as_float8((convert_int8(n) + 127) << 23);
  return fma(scale, fma(p, r * r, r), scale);
}

inline float logistic(float x) {
  return 1.0f / (1.0f + bounded_exp(-x));
}

/*
 * tanh(x) = e / (e + 2) with e = exp(2 x) - 1, which keeps the digits of small x. For one number, and for eight
 * where a work item walks along memory by itself and no compiler would make vectors of its loop.
 */
#define TANH_BODY(T, to_int, from_bits)                                                            \
  {                                                                                                \
    const T low = (T)(-87.0f), high = (T)(87.0f), twice = x + x;                                   \
    const T t = twice < low ? low : twice > high ? high : twice;                                   \
    const T n = rint(t * 1.44269504f);                                                             \
    const T r = fma(n, (T)(2.12194440e-4f), fma(n, (T)(-0.693359375f), t));                        \
    T p = (T)(1.9875691500e-4f);                                                                   \
    p = fma(p, r, (T)(1.3981999507e-3f));                                                          \
    p = fma(p, r, (T)(8.3334519073e-3f));                                                          \
    p = fma(p, r, (T)(4.1665795894e-2f));                                                          \
    p = fma(p, r, (T)(1.6666665459e-1f));                                                          \
    p = fma(p, r, (T)(5.0000001201e-1f));                                                          \
    const T scale = from_bits((to_int(n) + 127) << 23);                                            \
    const T e = fma(scale, fma(p, r * r, r), scale - 1.0f);                                        \
    return e / (e + 2.0f);                                                                         \
  }

inline float quick_tanh(float x) TANH_BODY(float, convert_int, as_float)
inline float8 quick_tanh8(float8 x) TANH_BODY(float8, convert_int8, as_float8)

/* sin(u) and, in *cosine, cos(u), within 1e-7 for |u| <= 8192: pi / 2 in three parts and the polynomials of Moshier's
 * Cephes library (sinf.c, 1992). For one number and for eight, as above. NaN stays NaN. */
#define SINCOS_BODY(T, to_int)                                                                     \
  {                                                                                                \
    const T n = rint(u * 0.636619772f);                                                            \
    const T near = fma(n, (T)(-4.837512969970703125e-4f), fma(n, (T)(-1.5703125f), u));            \
    const T r = fma(n, (T)(-7.5497899549e-8f), near), z = r * r;                                   \
    const T odd = fma(z, fma(z, (T)(-1.9515295891e-4f), (T)(8.3321608736e-3f)), (T)(-1.6666654611e-1f)); \
    const T even = fma(z, fma(z, (T)(2.443315711809948e-5f), (T)(-1.388731625493765e-3f)),         \
                       (T)(4.166664568298827e-2f));                                                \
    const T s = fma(z * r, odd, r), c = fma(z * z, even, fma(z, (T)(-0.5f), (T)(1.0f)));           \
    const T sine = (to_int(n) & 1) != 0 ? c : s, other = (to_int(n) & 1) != 0 ? s : c;             \
    *cosine = ((to_int(n) + 1) & 2) != 0 ? -other : other;                                         \
    return (to_int(n) & 2) != 0 ? -sine : sine;                                                    \
  }

inline float quick_sincos(float u, float *cosine) SINCOS_BODY(float, convert_int)
inline float8 quick_sincos8(float8 u, float8 *cosine) SINCOS_BODY(float8, convert_int8)

/* log(x) within 2 units in the last place: a power of two, and the polynomial of Moshier's Cephes library (logf.c, 1992)
 * between the roots of 1/2 and 2. NaN stays NaN. */
inline float quick_log(float x) {
  const bool tiny = x < 1.17549435e-38f; // denormal
  const int bits = as_int(tiny ? x * 16777216.0f : x), power = (bits - 0x3f3504f3) >> 23;
  const float f = as_float(bits - (power << 23)) - 1.0f, n = (float)power - (tiny ? 24.0f : 0.0f);
  float p = 7.0376836292e-2f;
  p = fma(p, f, -1.1514610310e-1f);
  p = fma(p, f, 1.1676998740e-1f);
  p = fma(p, f, -1.2420140846e-1f);
  p = fma(p, f, 1.4249322787e-1f);
  p = fma(p, f, -1.6668057665e-1f);
  p = fma(p, f, 2.0000714765e-1f);
  p = fma(p, f, -2.4999993993e-1f);
  p = fma(p, f, 3.3333331174e-1f);
  const float near = f + fma(f * f, fma(p, f, -0.5f), n * -2.12194440e-4f); // ln 2 in two parts
  const float right = fma(n, 0.693359375f, near);
  return x > 0.0f && x < INFINITY ? right : x == 0.0f ? -INFINITY : x < 0.0f ? NAN : x;
}

inline float sum8(float8 x) {
  const float4 four = x.lo + x.hi;
  const float2 two = four.lo + four.hi;
  return two.x + two.y;
}

/* Work items of a reduction group; the host launches these kernels with exactly this many. */
#define REDUCE 64

/* How such a kernel begins. Stating the size is more than a hint: drivers (rusticl for one) may otherwise
 * limit a kernel to fewer work items than the device can run. */
#define GROUP_KERNEL kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1)))

/* Sum over the group; every work item gets the result. `room` holds REDUCE floats; all items call it. */
inline float group_sum(float value, local float *room) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE); // an earlier use of room may still be read
  room[lid] = value;
  for (uint half_size = REDUCE / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < half_size) room[lid] += room[lid + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return room[0];
}

/* Largest over the group, as group_sum. */
inline float group_max(float value, local float *room) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  room[lid] = value;
  for (uint half_size = REDUCE / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < half_size) room[lid] = fmax(room[lid], room[lid + half_size]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return room[0];
}

/* Largest of a row of n, and sum of e^(x - top) over it, by a group that walks along it by eights: a compiler for CPUs
 * makes no vectors of loops between barriers. What no eight holds goes by single numbers. */
inline float row_max(const global float *row, ulong n, local float *room) {
  const ulong lid = get_local_id(0), whole = n - n % 8;
  float8 top8 = (float8)(-INFINITY);
  for (ulong j = 8 * lid; j < whole; j += 8 * REDUCE) {
    const float8 v = vload8(0, row + j);
    top8 = v > top8 ? v : top8; // not NaN
  }
  if (whole + lid < n) top8.s0 = fmax(top8.s0, row[whole + lid]);
  const float4 top4 = fmax(top8.lo, top8.hi);
  return group_max(fmax(fmax(top4.x, top4.y), fmax(top4.z, top4.w)), room);
}

inline float row_exp_sum(const global float *row, ulong n, float top, local float *room) {
  const ulong lid = get_local_id(0), whole = n - n % 8;
  float8 total8 = (float8)(0.0f);
  for (ulong j = 8 * lid; j < whole; j += 8 * REDUCE) total8 += bounded_exp8(vload8(0, row + j) - top);
  if (whole + lid < n) total8.s0 += bounded_exp(row[whole + lid] - top);
  return group_sum(sum8(total8), room);
}

/* Philox 4x32-10 at (seed, stream, counter), as runtime/core/rng.h says and computes on the host. Single
 * numbers, unrolled and never a call: only so do compilers for CPUs draw sixteen at once (PoCL: 20 times as
 * fast). */
__attribute__((always_inline)) inline uint4 philox(ulong seed, ulong stream, ulong counter) {
  uint x0 = (uint)counter, x1 = (uint)(counter >> 32);
  uint x2 = (uint)stream, x3 = (uint)(stream >> 32);
  uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const ulong a = 0xD2511F53ul * x0, b = 0xCD9E8D57ul * x2;
    x0 = (uint)(b >> 32) ^ x1 ^ k0;
    x2 = (uint)(a >> 32) ^ x3 ^ k1;
    x1 = (uint)b;
    x3 = (uint)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (uint4)(x0, x1, x2, x3);
}

/* A window that slides over maps [n, in_h, in_w, channels], see runtime/layers/window.h. */
#define SLIDE_ARGS                                                                                 \
  uint n, uint channels, uint in_h, uint in_w, uint out_h, uint out_w, uint size_h, uint size_w,   \
      uint stride_h, uint stride_w, uint step_h, uint step_w, uint top, uint left, uint bottom,    \
      uint right

/* Where tap `tap` of the window at position `at` lies: an index below `limit`, or some other number. */
inline uint slide_source(uint at, uint tap, uint stride, uint step, uint before) {
  return at * stride + tap * step - before; // below 0 wraps around to beyond any limit
}

/* The position whose tap `tap` lies at `from`, or a number that is no position. */
inline uint slide_target(uint from, uint tap, uint stride, uint step, uint before) {
  const uint reach = from + before, offset = tap * step;
  return reach < offset || (reach - offset) % stride ? 0xffffffffu : (reach - offset) / stride;
}
