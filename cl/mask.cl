/*
 * Masked weights: y = w where the mask is 1, -0.0 where it is 0. A kept zero is +0.0, so y carries its mask
 * and backward reads it there, whichever way it was drawn; nothing else is stored.
 *
 * A mask is 1 where u p' < 1 with p' = 1 + e^-logit, which is u < sigmoid(logit) without the division: every
 * operation rounds exactly, so all devices draw the same masks. NaN in a logit is passed on.
 */
#define DROPPED 0x80000000u /* the bits of -0.0 */

inline float inverse_keep(float logit) {
  return 1.0f + bounded_exp(-logit);
}

inline float masked(float w, float logit, bool keep) {
  const float kept = w == 0.0f ? 0.0f : w; // +0.0
  return logit != logit ? logit : keep ? kept : -0.0f;
}

/* u: 24 bits of a random number below 1 */
inline float sampled(float w, float logit, uint u) {
  return masked(w, logit, (float)u * 0x1p-24f * inverse_keep(logit) < 1.0f);
}

/* Halves of two words as the upper 16 and the lower 8 bits: CPUs need the lower for hardly any element. */
inline uint low_halves(uint upper, uint lower) {
  return (upper & 0xFFFF) << 8 | (lower & 0xFFFF) >> 8;
}

inline uint high_halves(uint upper, uint lower) {
  return upper >> 16 << 8 | lower >> 24;
}

inline void sample_two(global float *y, const global float *w, const global float *logit, uint upper,
                       uint lower) {
  y[0] = sampled(w[0], logit[0], low_halves(upper, lower));
  y[1] = sampled(w[1], logit[1], high_halves(upper, lower));
}

/* Elements 2 q and 2 q + 1 of quarter j, of 2 * counters elements, take their upper bits from the halves of word j
 * at counter + q, their lower ones from those at counter + counters + q: neighbours of a quarter are neighbours in
 * memory, so CPUs draw 32 at once. */
kernel void mask_sample(global float *y, ulong y0, const global float *w, ulong w0,
                        const global float *logit, ulong logit0, ulong counters, ulong seed,
                        ulong stream, ulong counter) {
  const ulong q = get_global_id(0);
  if (q >= counters) return;
  const uint4 upper = philox(seed, stream, counter + q);
  const uint4 lower = philox(seed, stream, counter + counters + q);
  const ulong e0 = 2 * q, e1 = e0 + 2 * counters, e2 = e1 + 2 * counters, e3 = e2 + 2 * counters;
  y += y0;
  w += w0;
  logit += logit0;
  sample_two(y + e0, w + e0, logit + e0, upper.s0, lower.s0);
  sample_two(y + e1, w + e1, logit + e1, upper.s1, lower.s1);
  sample_two(y + e2, w + e2, logit + e2, upper.s2, lower.s2);
  sample_two(y + e3, w + e3, logit + e3, upper.s3, lower.s3);
}

inline uint word_of(uint4 words, ulong j) {
  return j == 0 ? words.s0 : j == 1 ? words.s1 : j == 2 ? words.s2 : words.s3;
}

/* The last n % 8 elements have a word each, behind all counters. */
inline uint rest_of(ulong seed, ulong stream, ulong counter, ulong counters, ulong i) {
  return word_of(philox(seed, stream, counter + 2 * counters + i / 4), i % 4) >> 8;
}

kernel void mask_sample_rest(global float *y, ulong y0, const global float *w, ulong w0,
                             const global float *logit, ulong logit0, ulong counters, ulong seed,
                             ulong stream, ulong counter, ulong n) {
  const ulong j = get_global_id(0), i = 8 * counters + j;
  if (i >= n) return;
  y[y0 + i] =
      sampled(w[w0 + i], logit[logit0 + i], rest_of(seed, stream, counter, counters, j));
}

/* The same with u given. */
kernel void mask_noise(global float *y, ulong y0, const global float *w, ulong w0,
                       const global float *logit, ulong logit0, const global float *noise,
                       ulong noise0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float x = logit[logit0 + i];
  y[y0 + i] = masked(w[w0 + i], x, noise[noise0 + i] * inverse_keep(x) < 1.0f);
}

/* round(sigmoid(logit)), half to even: in float32 the sigmoid exceeds 1/2 beyond this logit. */
#define ROUNDS_UP 0x1.8p-24f

kernel void mask_round(global float *y, ulong y0, const global float *w, ulong w0,
                       const global float *logit, ulong logit0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float x = logit[logit0 + i];
  y[y0 + i] = masked(w[w0 + i], x, x > ROUNDS_UP);
}

/* p (1 - p) with p = sigmoid(x) */
inline float slope(float x) {
  const float p = logistic(x);
  return p * (1.0f - p);
}

/* gw += b gy; glogit += gy w p (1 - p), or gy w with bypass. WANT_x: there is such a gradient; ADD_x: it has
 * values already. COUNT: the gradient of mask_count() goes along, count p (1 - p). */
#define WANT_W 1u
#define ADD_W 2u
#define WANT_LOGIT 4u
#define ADD_LOGIT 8u
#define BYPASS 16u
#define COUNT 32u
kernel void mask_bwd(global float *gw, ulong gw0, global float *glogit, ulong glogit0,
                     const global float *gy, ulong gy0, const global float *y, ulong y0,
                     const global float *w, ulong w0, const global float *logit, ulong logit0,
                     const global float *count, ulong count0, ulong n, uint flags) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float g = gy[gy0 + i];
  if (flags & WANT_W) {
    const float part = as_uint(y[y0 + i]) == DROPPED ? 0.0f : g;
    gw[gw0 + i] = flags & ADD_W ? gw[gw0 + i] + part : part;
  }
  if (flags & WANT_LOGIT) {
    const float change = slope(logit[logit0 + i]);
    float part = g * w[w0 + i] * (flags & BYPASS ? 1.0f : change);
    part += flags & COUNT ? count[count0] * change : 0.0f;
    glogit[glogit0 + i] = flags & ADD_LOGIT ? glogit[glogit0 + i] + part : part;
  }
}

/* 1 / sigmoid(logit), for draws on the host (runtime/sparse/bits.c) */
kernel void mask_odds(global float *y, ulong y0, const global float *logit, ulong logit0, ulong n) {
  const ulong i = get_global_id(0);
  if (i < n) y[y0 + i] = inverse_keep(logit[logit0 + i]);
}

/* Rows ids[i] of a masked table [count, width]: element e of all gets the bits that mask_sample gives it. */
kernel void mask_rows(global float *y, ulong y0, const global float *w, ulong w0,
                      const global float *logit, ulong logit0, const global int *ids, ulong ids0,
                      ulong width, ulong count, ulong counters, ulong seed, ulong stream,
                      ulong counter) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= width) return;
  const int id = ids[ids0 + i];
  const int known = id >= 0 && (ulong)id < count;
  const ulong e = known ? (ulong)id * width + j : 0, part = 2 * counters;
  const ulong quarter = (e >= part) + (e >= 2 * part) + (e >= 3 * part) + (e >= 4 * part);
  const ulong at = e - quarter * part, q = at / 2;
  uint u;
  if (quarter == 4) {
    u = rest_of(seed, stream, counter, counters, at);
  } else {
    const uint upper = word_of(philox(seed, stream, counter + q), quarter);
    const uint lower = word_of(philox(seed, stream, counter + counters + q), quarter);
    u = at % 2 ? high_halves(upper, lower) : low_halves(upper, lower);
  }
  y[y0 + i * width + j] = known ? sampled(w[w0 + e], logit[logit0 + e], u) : NAN;
}

kernel void mask_rows_noise(global float *y, ulong y0, const global float *w, ulong w0,
                            const global float *logit, ulong logit0, const global float *noise,
                            ulong noise0, const global int *ids, ulong ids0, ulong width,
                            ulong count) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= width) return;
  const int id = ids[ids0 + i];
  const int known = id >= 0 && (ulong)id < count;
  const ulong e = known ? (ulong)id * width + j : 0;
  const float x = logit[logit0 + e];
  const float kept = masked(w[w0 + e], x, noise[noise0 + e] * inverse_keep(x) < 1.0f);
  y[y0 + i * width + j] = known ? kept : NAN;
}

/* As mask_bwd, added row by row; a work item owns column j, so no two rows meet. */
kernel void mask_rows_bwd(global float *gw, ulong gw0, global float *glogit, ulong glogit0,
                          const global float *gy, ulong gy0, const global float *y, ulong y0,
                          const global float *w, ulong w0, const global float *logit, ulong logit0,
                          const global int *ids, ulong ids0, ulong rows, ulong width, ulong count,
                          uint flags) {
  const ulong j = get_global_id(0);
  if (j >= width) return;
  for (ulong i = 0; i < rows; i++) {
    const int id = ids[ids0 + i];
    if (id < 0 || (ulong)id >= count) continue;
    const ulong e = (ulong)id * width + j, at = i * width + j;
    const float g = gy[gy0 + at];
    if (flags & WANT_W && as_uint(y[y0 + at]) != DROPPED) gw[gw0 + e] += g;
    if (flags & WANT_LOGIT)
      glogit[glogit0 + e] += g * w[w0 + e] * (flags & BYPASS ? 1.0f : slope(logit[logit0 + e]));
  }
}

/* y[p] = how many of part p are kept when rounding, parts of `part` elements, a multiple of 16; NaN if one is
 * NaN. By sixteens, and in whole numbers, for CPUs. */
GROUP_KERNEL void mask_count(global float *y, ulong y0, const global float *logit, ulong logit0,
                             ulong n, ulong part) {
  local float room[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const ulong end = min((group + 1) * part, n), whole = end - end % 16;
  const global float *x = logit + logit0;
  int16 kept = 0, broken = 0; // 0 or -1 each time
  for (ulong i = group * part + 16 * lid; i < whole; i += 16 * REDUCE) {
    const float16 v = vload16(0, x + i);
    kept += v > ROUNDS_UP;
    broken |= v != v;
  }
  if (whole + lid < end) {
    kept.s0 += -(x[whole + lid] > ROUNDS_UP);
    broken.s0 |= -(x[whole + lid] != x[whole + lid]);
  }
  const int8 k8 = kept.lo + kept.hi, b8 = broken.lo | broken.hi;
  const int4 k4 = k8.lo + k8.hi, b4 = b8.lo | b8.hi;
  const int2 k2 = k4.lo + k4.hi, b2 = b4.lo | b4.hi;
  const float total = group_sum(b2.s0 | b2.s1 ? NAN : (float)-(k2.s0 + k2.s1), room);
  if (lid == 0) y[y0 + group] = total;
}

/* glogit += gy p (1 - p) with gy one number */
kernel void mask_count_bwd(global float *glogit, ulong glogit0, const global float *gy, ulong gy0,
                           const global float *logit, ulong logit0, ulong n, uint add) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float part = gy[gy0] * slope(logit[logit0 + i]);
  glogit[glogit0 + i] = add ? glogit[glogit0 + i] + part : part;
}
