/*
 * Optimiser steps in place, one work item per element, and the norm of all gradients.
 *
 * Each rule is one function and two kernels: over one parameter, and, so that small ones do not cost a launch
 * each, over up to ROW_COUNT parameters, one per row of work items.
 *
 * A gradient is used as g = limited(gradient * factor, clip) + decay * w, with a factor that brings the norm
 * down to max_norm; a clip or max_norm of 0 or less limits nothing. `masked` has a bit per row: w stays at 0
 * where its mask is 0. s and t are the rule's state. What is absent is not read.
 */
#define INLINE __attribute__((always_inline)) inline /* a call would keep compilers from vectors */

#define ONE(w, w0, g, g0, s, s0, t, t0, mask, mask0, n)                                            \
  global float *w, ulong w0, const global float *g, ulong g0, global float *s, ulong s0,           \
      global float *t, ulong t0, const global float *mask, ulong mask0, ulong n
#define PARAMETER ONE(w, w0, g, g0, s, s0, t, t0, mask, mask0, n)

#define ROW_COUNT 6
#define ROWS                                                                                       \
  ONE(wa, wa0, ga, ga0, sa, sa0, ta, ta0, ma, ma0, na),                                            \
      ONE(wb, wb0, gb, gb0, sb, sb0, tb, tb0, mb, mb0, nb),                                        \
      ONE(wc, wc0, gc, gc0, sc, sc0, tc, tc0, mc, mc0, nc),                                        \
      ONE(wd, wd0, gd, gd0, sd, sd0, td, td0, md, md0, nd),                                        \
      ONE(we, we0, ge, ge0, se, se0, te, te0, me, me0, ne),                                        \
      ONE(wf, wf0, gf, gf0, sf, sf0, tf, tf0, mf, mf0, nf)
#define PICK(row, a, b, c, d, e, f)                                                                \
  (row == 0 ? (a) : row == 1 ? (b) : row == 2 ? (c) : row == 3 ? (d) : row == 4 ? (e) : (f))

/* The parts of this work item's row: w, g, s, t, mask, and element i. */
#define PICK_ROW                                                                                   \
  const ulong i = get_global_id(0), row = get_global_id(1);                                        \
  if (i >= PICK(row, na, nb, nc, nd, ne, nf)) return;                                              \
  global float *w = PICK(row, wa + wa0, wb + wb0, wc + wc0, wd + wd0, we + we0, wf + wf0);         \
  const global float *g = PICK(row, ga + ga0, gb + gb0, gc + gc0, gd + gd0, ge + ge0, gf + gf0);   \
  global float *s = PICK(row, sa + sa0, sb + sb0, sc + sc0, sd + sd0, se + se0, sf + sf0);         \
  global float *t = PICK(row, ta + ta0, tb + tb0, tc + tc0, td + td0, te + te0, tf + tf0);         \
  const global float *mask =                                                                       \
      PICK(row, ma + ma0, mb + mb0, mc + mc0, md + md0, me + me0, mf + mf0)

#define SHARED                                                                                     \
  const global float *norm, ulong norm0, float max_norm, uint masked, float decay, float clip

INLINE float limited(float g, float clip) {
  if (clip <= 0.0f) return g;
  return g < -clip ? -clip : (g > clip ? clip : g); // NaN stays NaN
}

/* What the gradients are multiplied by; the small number is PyTorch's, against a norm of 0. */
INLINE float norm_factor(const global float *norm, float max_norm) {
  if (max_norm <= 0.0f) return 1.0f;
  const float factor = max_norm / (norm[0] + 1e-6f);
  return factor > 1.0f ? 1.0f : factor; // NaN stays NaN
}

#define GRADIENT(row_g, row_w, i)                                                                  \
  (limited(norm_factor(norm + norm0, max_norm) * row_g[i], clip) + decay * row_w[i])
#define KEPT(mask, i, row, value) ((masked >> row & 1u) && mask[i] == 0.0f ? 0.0f : (value))

/* s = momentum * s + g; w -= rate * s, or with Nesterov's look ahead rate * (g + momentum * s); without
 * momentum s is not touched. Returns what to take off w. */
INLINE float sgd(float g, global float *s, float rate, float momentum, uint nesterov) {
  if (momentum == 0.0f) return rate * g;
  const float speed = momentum * *s + g;
  *s = speed;
  return rate * (nesterov ? g + momentum * speed : speed);
}

kernel void sgd_step(PARAMETER, SHARED, float rate, float momentum, uint nesterov) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  w += w0;
  const float step = GRADIENT((g + g0), w, i);
  const float next = w[i] - sgd(step, s + s0 + i, rate, momentum, nesterov);
  w[i] = KEPT((mask + mask0), i, 0, next);
}

kernel void sgd_step_rows(ROWS, SHARED, float rate, float momentum, uint nesterov) {
  PICK_ROW;
  const float step = GRADIENT(g, w, i);
  const float next = w[i] - sgd(step, s + i, rate, momentum, nesterov);
  w[i] = KEPT(mask, i, row, next);
}

/* c = 1 - b; s = b1 s + c1 g; t = b2 t + c2 g^2; w -= rate * s / (sqrt(t) * root + eps) + shrink * w */
#define ADAM                                                                                       \
  float rate, float b1, float c1, float b2, float c2, float root, float eps, float shrink
INLINE float adam(float g, float w, global float *s, global float *t, ADAM) {
  const float mean = b1 * *s + c1 * g;
  const float square = b2 * *t + c2 * g * g;
  *s = mean;
  *t = square;
  return shrink * w + rate * mean / (sqrt(square) * root + eps);
}

kernel void adam_step(PARAMETER, SHARED, ADAM) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  w += w0;
  const float step = GRADIENT((g + g0), w, i);
  const float next = w[i] - adam(step, w[i], s + s0 + i, t + t0 + i, rate, b1, c1, b2, c2, root,
                                              eps, shrink);
  w[i] = KEPT((mask + mask0), i, 0, next);
}

kernel void adam_step_rows(ROWS, SHARED, ADAM) {
  PICK_ROW;
  const float step = GRADIENT(g, w, i);
  const float next = w[i] - adam(step, w[i], s + i, t + i, rate, b1, c1, b2, c2, root, eps, shrink);
  w[i] = KEPT(mask, i, row, next);
}

/* s = a s + c g^2 with c = 1 - a; t = momentum * t + g / (sqrt(s) + eps); w -= rate * t; without momentum t is
 * not touched */
INLINE float rmsprop(float g, global float *s, global float *t, float rate, float a, float c,
                     float eps, float momentum) {
  const float square = a * *s + c * g * g;
  *s = square;
  float speed = g / (sqrt(square) + eps);
  if (momentum != 0.0f) *t = speed = momentum * *t + speed;
  return rate * speed;
}

kernel void rmsprop_step(PARAMETER, SHARED, float rate, float a, float c, float eps,
                         float momentum) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  w += w0;
  const float step = GRADIENT((g + g0), w, i);
  const float next = w[i] - rmsprop(step, s + s0 + i, t + t0 + i, rate, a, c, eps, momentum);
  w[i] = KEPT((mask + mask0), i, 0, next);
}

kernel void rmsprop_step_rows(ROWS, SHARED, float rate, float a, float c, float eps,
                              float momentum) {
  PICK_ROW;
  const float step = GRADIENT(g, w, i);
  const float next = w[i] - rmsprop(step, s + i, t + i, rate, a, c, eps, momentum);
  w[i] = KEPT(mask, i, row, next);
}

/* y[p] = sum of squares of part p of x, parts of `part` elements, a multiple of 16. By sixteens, for CPUs. */
GROUP_KERNEL void square_parts(global float *y, ulong y0, const global float *x, ulong x0, ulong n,
                               ulong part) {
  local float room[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const ulong end = min((group + 1) * part, n), whole = end - end % 16;
  const global float *from = x + x0;
  float16 sum = 0.0f;
  for (ulong i = group * part + 16 * lid; i < whole; i += 16 * REDUCE) {
    const float16 v = vload16(0, from + i);
    sum += v * v;
  }
  if (whole + lid < end) sum.s0 += from[whole + lid] * from[whole + lid];
  const float8 s8 = sum.lo + sum.hi;
  const float4 s4 = s8.lo + s8.hi;
  const float2 s2 = s4.lo + s4.hi;
  const float total = group_sum(s2.s0 + s2.s1, room);
  if (lid == 0) y[y0 + group] = total;
}

/* y[0] = square root of the sum of n parts */
GROUP_KERNEL void norm_of_parts(global float *y, ulong y0, const global float *x, ulong x0,
                                ulong n) {
  local float room[REDUCE];
  const ulong lid = get_local_id(0);
  float sum = 0.0f;
  for (ulong i = lid; i < n; i += REDUCE) sum += x[x0 + i];
  sum = group_sum(sum, room);
  if (lid == 0) y[y0] = sqrt(sum);
}
