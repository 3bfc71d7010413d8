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

inline float sampled(float w, float logit, uint word) {
  return masked(w, logit, (float)(word >> 8) * 0x1p-24f * inverse_keep(logit) < 1.0f);
}

/* Of 4 * part elements, element q of quarter j takes word j at counter + q: neighbours of a quarter are
 * neighbours in memory, so CPUs draw sixteen at once. */
kernel void mask_sample(global float *y, ulong y0, const global float *w, ulong w0,
                        const global float *logit, ulong logit0, ulong part, ulong seed,
                        ulong stream, ulong counter) {
  const ulong q = get_global_id(0);
  if (q >= part) return;
  const ulong second = q + part, third = second + part, fourth = third + part;
  const uint4 words = philox(seed, stream, counter + q);
  y[y0 + q] = sampled(w[w0 + q], logit[logit0 + q], words.s0);
  y[y0 + second] = sampled(w[w0 + second], logit[logit0 + second], words.s1);
  y[y0 + third] = sampled(w[w0 + third], logit[logit0 + third], words.s2);
  y[y0 + fourth] = sampled(w[w0 + fourth], logit[logit0 + fourth], words.s3);
}

/* The last n % 4 elements share the words at counter + part. */
kernel void mask_sample_rest(global float *y, ulong y0, const global float *w, ulong w0,
                             const global float *logit, ulong logit0, ulong part, ulong seed,
                             ulong stream, ulong counter, ulong n) {
  const ulong j = get_global_id(0), i = 4 * part + j;
  if (i >= n) return;
  const uint4 words = philox(seed, stream, counter + part);
  const uint word = j == 0 ? words.s0 : j == 1 ? words.s1 : words.s2;
  y[y0 + i] = sampled(w[w0 + i], logit[logit0 + i], word);
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

/* Rows ids[i] of a masked table [count, width]: element e of all takes the word that mask_sample gives it. */
kernel void mask_rows(global float *y, ulong y0, const global float *w, ulong w0,
                      const global float *logit, ulong logit0, const global int *ids, ulong ids0,
                      ulong width, ulong count, ulong part, ulong seed, ulong stream, ulong counter) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= width) return;
  const int id = ids[ids0 + i];
  const int known = id >= 0 && (ulong)id < count;
  const ulong e = known ? (ulong)id * width + j : 0;
  const ulong quarter = (e >= part) + (e >= 2 * part) + (e >= 3 * part) + (e >= 4 * part);
  const ulong q = e - quarter * part;
  const uint4 words = philox(seed, stream, counter + (quarter == 4 ? part : q));
  const ulong at = quarter == 4 ? q : quarter;
  const uint word = at == 0 ? words.s0 : at == 1 ? words.s1 : at == 2 ? words.s2 : words.s3;
  y[y0 + i * width + j] = known ? sampled(w[w0 + e], logit[logit0 + e], word) : NAN;
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
