/*
 * Weighted cross-entropy over rows. A row of weight 0 is padding: nothing of it counts. A
 * target outside 0 .. vocab - 1 is never used as an index; with a weight it makes the loss NaN.
 */

/*
 * lse[i] = ln sum_j e^(x[i, j]); term[i] = w_i * (lse[i] - x[i, t_i]); a group per row.
 *
 * With off > 0 targets are smooth, q_j = on at j = t_i and off elsewhere, and the term is the divergence
 * w_i * sum_j q_j (ln q_j + lse[i] - x[i, j]), where known = sum_j q_j ln q_j.
 */
GROUP_KERNEL void xent_fwd(global float *term, ulong term0, global float *lse, ulong lse0,
                           const global float *x, ulong x0, const global int *target,
                           ulong target0, const global float *w, ulong w0, ulong vocab, float on,
                           float off, float known) {
  local float room[REDUCE];
  const ulong i = get_group_id(0);
  const float weight = w[w0 + i];
  const ulong n = weight == 0.0f ? 0 : vocab; // the same for the whole group
  const global float *row = x + x0 + i * vocab;
  const float top = row_max(row, n, room), total = row_exp_sum(row, n, top, room);
  const int t = target[target0 + i];
  const float log_sum = top + log(total);
  float right = NAN; // what the target costs
  if (t >= 0 && (ulong)t < vocab) right = log_sum - row[t];
  float loss = weight * right;
  if (off > 0.0f) { // the same for all groups
    float all = 0.0f;
    for (ulong j = get_local_id(0); j < n; j += REDUCE) all += log_sum - row[j];
    all = group_sum(all, room);
    loss = weight * (on * right + off * (all - right) + known);
  }
  if (weight == 0.0f) loss = 0.0f;
  if (get_local_id(0) == 0) {
    lse[lse0 + i] = log_sum;
    term[term0 + i] = loss;
  }
}

/* term[i] = -w_i * x[i, t_i] */
kernel void nll_fwd(global float *term, ulong term0, const global float *x, ulong x0,
                    const global int *target, ulong target0, const global float *w, ulong w0,
                    ulong rows, ulong vocab) {
  const ulong i = get_global_id(0);
  if (i >= rows) return;
  const int t = target[target0 + i];
  const float weight = w[w0 + i];
  float loss = NAN;
  if (t >= 0 && (ulong)t < vocab) loss = -weight * x[x0 + i * vocab + t];
  if (weight == 0.0f) loss = 0.0f;
  term[term0 + i] = loss;
}

/* total[0] = given, or sum w where that is 0; y[0] = sum term / total[0]; one group */
GROUP_KERNEL void average(global float *y, ulong y0, global float *total, ulong total0,
                          const global float *term, ulong term0, const global float *w, ulong w0,
                          ulong rows, float given) {
  local float room[REDUCE];
  float terms = 0.0f, weights = 0.0f;
  for (ulong i = get_local_id(0); i < rows; i += REDUCE) {
    terms += term[term0 + i];
    weights += w[w0 + i];
  }
  terms = group_sum(terms, room);
  weights = group_sum(weights, room);
  if (get_local_id(0) == 0) {
    const float by = given > 0.0f ? given : weights;
    total[total0] = by;
    y[y0] = terms / by;
  }
}

/* gx[i, j] (+)= gy * w_i / total * (softmax(x_i)_j - q_j), q_j = on at j = t_i and off elsewhere; added only
 * where `add` is 1 */
kernel void xent_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                     const global float *x, ulong x0, const global float *lse, ulong lse0,
                     const global int *target, ulong target0, const global float *w, ulong w0,
                     const global float *total, ulong total0, ulong vocab, uint add, float on,
                     float off) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= vocab) return;
  const float weight = w[w0 + i];
  const int t = target[target0 + i];
  const ulong at = i * vocab + j;
  const float p = bounded_exp(x[x0 + at] - lse[lse0 + i]); // of padding: anything, and not used
  const float share = gy[gy0] * weight / total[total0];
  float g = share * (p - (j == (ulong)t ? on : off));
  if (t < 0 || (ulong)t >= vocab) g = NAN;
  if (weight == 0.0f) g = 0.0f;
  gx[gx0 + at] = add ? gx[gx0 + at] + g : g;
}

/* gx[i, t_i] += -gy * w_i / total */
kernel void nll_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                    const global int *target, ulong target0, const global float *w, ulong w0,
                    const global float *total, ulong total0, ulong rows, ulong vocab) {
  const ulong i = get_global_id(0);
  if (i >= rows) return;
  const int t = target[target0 + i];
  const float weight = w[w0 + i];
  const float share = gy[gy0] * weight / total[total0];
  if (weight != 0.0f && t >= 0 && (ulong)t < vocab) gx[gx0 + i * vocab + t] -= share;
}
