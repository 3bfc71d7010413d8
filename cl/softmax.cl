/*
 * Softmax over rows of n, one group of REDUCE work items each: maximum, sum of exponentials, result.
 */

/* ln sum e^x of a row, split as (maximum, sum of e^(x - maximum)) by every work item of its group. */
inline float row_max(const global float *row, ulong n, local float *room) {
  float top = -INFINITY;
  for (ulong i = get_local_id(0); i < n; i += REDUCE) top = fmax(top, row[i]);
  return group_max(top, room);
}

inline float row_exp_sum(const global float *row, ulong n, float top, local float *room) {
  float total = 0.0f;
  for (ulong i = get_local_id(0); i < n; i += REDUCE) total += bounded_exp(row[i] - top);
  return group_sum(total, room);
}

GROUP_KERNEL void softmax_fwd(global float *y, ulong y0, const global float *x, ulong x0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n;
  const global float *row = x + x0 + begin;
  const float top = row_max(row, n, room);
  const float total = row_exp_sum(row, n, top, room);
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    y[y0 + begin + i] = bounded_exp(row[i] - top) / total;
}

GROUP_KERNEL void log_softmax_fwd(global float *y, ulong y0, const global float *x, ulong x0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n;
  const global float *row = x + x0 + begin;
  const float top = row_max(row, n, room);
  const float log_total = log(row_exp_sum(row, n, top, room));
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    y[y0 + begin + i] = row[i] - top - log_total;
}

GROUP_KERNEL void softmax_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                        const global float *y, ulong y0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n;
  float total = 0.0f;
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    total += gy[gy0 + begin + i] * y[y0 + begin + i];
  total = group_sum(total, room);
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    gx[gx0 + begin + i] += y[y0 + begin + i] * (gy[gy0 + begin + i] - total);
}

GROUP_KERNEL void log_softmax_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                            const global float *y, ulong y0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n;
  float total = 0.0f;
  for (ulong i = get_local_id(0); i < n; i += REDUCE) total += gy[gy0 + begin + i];
  total = group_sum(total, room);
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    gx[gx0 + begin + i] += gy[gy0 + begin + i] - bounded_exp(y[y0 + begin + i]) * total;
}
