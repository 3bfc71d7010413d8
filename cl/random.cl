/*
 * Fills from Philox counters: work item q makes elements 4 q .. 4 q + 3 from the words at counter + q.
 *
 * The same bits on every device: only integers, single multiplications and fma(), which OpenCL rounds
 * exactly; no division, square root, logarithm, sine or cosine of the driver's.
 */

#define FILL_ARGS ulong n, ulong seed, ulong stream, ulong counter

/* low + span * (word / 2^32), kept below `high` (top is the float next to it) where rounding would reach it */
inline float uniform_value(uint word, float low, float span, float top) {
  return fmin(fma((float)(word >> 8) * 0x1p-24f, span, low), top);
}

kernel void uniform_fill(global float *y, ulong y0, FILL_ARGS, float low, float span, float top) {
  const ulong q = get_global_id(0), i = 4 * q;
  if (i >= n) return;
  const uint4 w = philox(seed, stream, counter + q);
  y[y0 + i] = uniform_value(w.s0, low, span, top);
  if (i + 1 < n) y[y0 + i + 1] = uniform_value(w.s1, low, span, top);
  if (i + 2 < n) y[y0 + i + 2] = uniform_value(w.s2, low, span, top);
  if (i + 3 < n) y[y0 + i + 3] = uniform_value(w.s3, low, span, top);
}

/* floor(word * range / 2^32): the whole numbers below range, equally likely to within range / 2^32 */
kernel void below_fill(global int *y, ulong y0, FILL_ARGS, uint range) {
  const ulong q = get_global_id(0), i = 4 * q;
  if (i >= n) return;
  const uint4 w = philox(seed, stream, counter + q);
  y[y0 + i] = (int)mul_hi(w.s0, range);
  if (i + 1 < n) y[y0 + i + 1] = (int)mul_hi(w.s1, range);
  if (i + 2 < n) y[y0 + i + 2] = (int)mul_hi(w.s2, range);
  if (i + 3 < n) y[y0 + i + 3] = (int)mul_hi(w.s3, range);
}

/* -2 ln u for u = (2 k + 1) / 2^24, k the upper 23 bits of the word: never 0, at most 33.3 */
inline float minus_two_log(uint word) {
  const uint bits = as_uint((float)((word >> 9) * 2 + 1)); // exact
  const uint fraction = bits & 0x7fffffu;
  const uint halve = fraction > 0x3504f3u; // u = m 2^e with m within sqrt(1/2) .. sqrt(2)
  const float m = as_float(fraction | ((127u - halve) << 23));
  const float e = (float)((int)(bits >> 23) - 127 + (int)halve - 24);
  const float f = m - 1.0f, z = f * f; // ln(1 + f) = f - f^2 / 2 + f^3 p(f), fitted; off by 1e-8 at most
  float p = -0.0810155869f;
  p = fma(p, f, 0.127123073f);
  p = fma(p, f, -0.129722387f);
  p = fma(p, f, 0.142021745f);
  p = fma(p, f, -0.166422471f);
  p = fma(p, f, 0.200014681f);
  p = fma(p, f, -0.25000298f);
  p = fma(p, f, 0.333333284f);
  return -2.0f * fma(e, 0.693147182f, fma(f * z, p, fma(-0.5f, z, f)));
}

/* Square root of s within 1e-7 .. 34: Newton's iteration for 1 / sqrt(s), then one for the root itself. */
inline float fixed_sqrt(float s) {
  float r = as_float(0x5f375a86u - (as_uint(s) >> 1)); // first guess: Lomont 2003, "Fast inverse square root"
  for (int i = 0; i < 3; i++) r = r * fma(-0.5f * s * r, r, 1.5f);
  const float root = s * r;
  return fma(fma(-root, root, s), 0.5f * r, root);
}

/*
 * Two independent standard normal values from two words: r cos a, r sin a with r^2 = -2 ln u and a uniform.
 * Box and Muller 1958, "A note on the generation of random normal deviates". |value| < 5.8.
 */
inline float2 normal_pair(uint word_r, uint word_a) {
  const float r = fixed_sqrt(minus_two_log(word_r));
  const float t = (float)((word_a >> 6) & 0xffffffu) * 0x1p-24f, z = t * t; // a quarter turn from 0 to 1
  float s = 0.000151675122f; // sin(t pi / 2) = t s(t^2), fitted; off by 1e-8 at most
  s = fma(s, z, -0.00467415061f);
  s = fma(s, z, 0.0796899199f);
  s = fma(s, z, -0.645963788f);
  s = t * fma(s, z, 1.57079637f);
  float c = -2.40502977e-05f; // cos(t pi / 2) = 1 + t^2 c(t^2), fitted; off by 1e-9 at most
  c = fma(c, z, 0.000918260019f);
  c = fma(c, z, -0.0208631251f);
  c = fma(c, z, 0.253669471f);
  c = fma(c, z, -1.23370051f);
  c = fma(c, z, 1.0f);
  const uint quarter = word_a >> 30; // the quarter turn's number
  const float x = quarter & 1 ? -s : c, y = quarter & 1 ? c : s;
  return (float2)(quarter & 2 ? -x : x, quarter & 2 ? -y : y) * r;
}

kernel void normal_fill(global float *y, ulong y0, FILL_ARGS, float mean, float std) {
  const ulong q = get_global_id(0), i = 4 * q;
  if (i >= n) return;
  const uint4 w = philox(seed, stream, counter + q);
  const float2 a = normal_pair(w.s0, w.s1), b = normal_pair(w.s2, w.s3);
  y[y0 + i] = fma(a.s0, std, mean);
  if (i + 1 < n) y[y0 + i + 1] = fma(a.s1, std, mean);
  if (i + 2 < n) y[y0 + i + 2] = fma(b.s0, std, mean);
  if (i + 3 < n) y[y0 + i + 3] = fma(b.s1, std, mean);
}
