/*
 * Sines and cosines as features. Arguments reach some hundreds, where a float has few digits behind the point:
 * what two devices make of them may differ by 1e-4.
 */

/* y[t, 2 i] and y[t, 2 i + 1]: sine and cosine of t * 10000^(-2 i / d) */
kernel void positions(global float *y, ulong y0, ulong n, uint d) {
  const ulong at = get_global_id(0);
  if (at >= n) return;
  const uint c = (uint)(at % d);
  const float u = (float)(at / d) * exp((float)(c / 2 * 2) * (-9.21034037f / (float)d));
  float cosine;
  const float sine = quick_sincos(u, &cosine);
  y[y0 + at] = c % 2 ? cosine : sine;
}

/* Four logarithms for a pair of boxes x0, y0, x1, y1. */
inline float4 log_ratios(float4 a, float4 b) {
  const float2 size_a = (a.hi - a.lo) + 1.0f, size_b = (b.hi - b.lo) + 1.0f;
  const float2 between = fabs(0.5f * (a.lo + a.hi) - 0.5f * (b.lo + b.hi)) / size_a;
  const float2 away = between < 1e-3f ? (float2)(1e-3f) : between; // NaN stays NaN
  return (float4)(log(away), log(size_a / size_b));
}

/* A work item per pair. */
kernel void box_ratios(global float *y, ulong y0, const global float *boxes, ulong boxes0, ulong n,
                       uint each) {
  const ulong at = get_global_id(0);
  if (at >= n) return;
  const ulong row = at / each, other = row / each * each + at % each;
  vstore4(log_ratios(vload4(row, boxes + boxes0), vload4(other, boxes + boxes0)), at, y + y0);
}

/* A work item per logarithm, for eight multiples of it: the sines 32 places before the cosines. */
kernel void box_waves(global float *y, ulong y0, const global float *ratios, ulong ratios0, ulong n) {
  const ulong item = get_global_id(0);
  if (item >= n) return;
  const float8 multiples = (float8)(100.0f, 42.1696503f, 17.7827941f, 7.49894209f, 3.16227766f, 1.33352143f,
                                    0.562341325f, 0.237137371f); // 100 * 1000^(-k / 8)
  global float *to = y + y0 + item / 4 * 64 + item % 4 * 8;
  float8 cosines;
  vstore8(quick_sincos8(ratios[ratios0 + item] * multiples, &cosines), 0, to);
  vstore8(cosines, 0, to + 32);
}
