/*
 * Softmax over rows of n, one group of REDUCE work items each: maximum, sum of exponentials, result.
 */

GROUP_KERNEL void softmax_fwd(global float *y, ulong y0, const global float *x, ulong x0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n, lid = get_local_id(0), whole = n - n % 8;
  const global float *row = x + x0 + begin;
  global float *to = y + y0 + begin;
  const float top = row_max(row, n, room), total = row_exp_sum(row, n, top, room);
  for (ulong i = 8 * lid; i < whole; i += 8 * REDUCE)
    vstore8(bounded_exp8(vload8(0, row + i) - top) / total, 0, to + i);
  if (whole + lid < n) to[whole + lid] = bounded_exp(row[whole + lid] - top) / total;
}

GROUP_KERNEL void log_softmax_fwd(global float *y, ulong y0, const global float *x, ulong x0, ulong n) {
  local float room[REDUCE];
  const ulong begin = get_group_id(0) * n, lid = get_local_id(0), whole = n - n % 8;
  const global float *row = x + x0 + begin;
  global float *to = y + y0 + begin;
  const float top = row_max(row, n, room), log_total = log(row_exp_sum(row, n, top, room));
  for (ulong i = 8 * lid; i < whole; i += 8 * REDUCE) vstore8(vload8(0, row + i) - top - log_total, 0, to + i);
  if (whole + lid < n) to[whole + lid] = row[whole + lid] - top - log_total;
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
