/*
 * Sums, maxima and the k largest along one dimension of x seen as [outer, n, inner].
 *
 * inner = 1: a group of REDUCE work items per row, or per part of a long row (a second pass joins the
 * parts). inner > 1: one work item per column. The order of every sum is fixed by the sizes alone.
 *
 * Where values are compared, NaN never beats a number and the lower index wins among equals.
 */

/* y[row * parts + p] = scale * (sum of part p of the row), parts of `part` elements. */
GROUP_KERNEL void sum_rows(global float *y, ulong y0, const global float *x, ulong x0, ulong n,
                     ulong part, ulong parts, float scale) {
  local float room[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const ulong begin = (group % parts) * part;
  const ulong end = min(begin + part, n);
  const global float *row = x + x0 + (group / parts) * n;
  float total = 0.0f;
  for (ulong i = begin + lid; i < end; i += REDUCE) total += row[i];
  total = group_sum(total, room);
  if (lid == 0) y[y0 + group] = scale * total;
}

kernel void sum_columns(global float *y, ulong y0, const global float *x, ulong x0, ulong count,
                        ulong n, ulong inner, float scale) {
  const ulong c = get_global_id(0);
  if (c >= count) return;
  const global float *column = x + x0 + (c / inner) * n * inner + c % inner;
  float total = 0.0f;
  for (ulong begin = 0; begin < n; begin += REDUCE) {
    const ulong end = min(begin + REDUCE, n);
    float part = 0.0f; // short sums first: a long running one loses digits
    for (ulong i = begin; i < end; i++) part += column[i * inner];
    total += part;
  }
  y[y0 + c] = scale * total;
}

/* gx += scale * gy, spread over the dimension that was summed */
kernel void sum_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0, ulong count,
                    ulong n, ulong inner, float scale) {
  const ulong i = get_global_id(0);
  if (i >= count) return;
  gx[gx0 + i] += scale * gy[gy0 + (i / (n * inner)) * inner + i % inner];
}

/* The mean and the sum of squared distances from it of each part of `part` elements. */
GROUP_KERNEL void moments_parts(global float *mean, ulong mean0, global float *square, ulong square0,
                                const global float *x, ulong x0, ulong n, ulong part) {
  local float room[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const ulong begin = group * part, end = min(begin + part, n);
  float total = 0.0f, squares = 0.0f;
  for (ulong i = begin + lid; i < end; i += REDUCE) total += x[x0 + i];
  const float middle = group_sum(total, room) / (float)(end - begin);
  for (ulong i = begin + lid; i < end; i += REDUCE) {
    const float distance = x[x0 + i] - middle;
    squares += distance * distance;
  }
  squares = group_sum(squares, room);
  if (lid == 0) {
    mean[mean0 + group] = middle;
    square[square0 + group] = squares;
  }
}

/* Join the parts; Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing
 * sample variances", eq. 2.1. Means are summed as distances from the first, which keeps digits. One group. */
GROUP_KERNEL void moments_join(global float *mean, ulong mean0, global float *std, ulong std0,
                               const global float *means, ulong means0, const global float *squares,
                               ulong squares0, ulong n, ulong part, ulong parts) {
  local float room[REDUCE];
  const ulong lid = get_local_id(0);
  const float first = parts ? means[means0] : NAN;
  float total = 0.0f, square = 0.0f;
  for (ulong p = lid; p < parts; p += REDUCE)
    total += (float)min(part, n - p * part) * (means[means0 + p] - first);
  const float middle = first + group_sum(total, room) / (float)n;
  for (ulong p = lid; p < parts; p += REDUCE) {
    const float distance = means[means0 + p] - middle;
    square += squares[squares0 + p] + (float)min(part, n - p * part) * distance * distance;
  }
  square = group_sum(square, room);
  if (lid == 0) {
    mean[mean0] = middle;
    std[std0] = sqrt(square / (float)n);
  }
}

/* A strict order of (value, index) pairs: larger values, then lower indices; NaN last. */
inline int beats(float a, int at_a, float b, int at_b) {
  if (isnan(a) || isnan(b)) return isnan(a) ? isnan(b) && at_a < at_b : 1;
  return a > b || (a == b && at_a < at_b);
}

#define NOWHERE INT_MAX /* the index that goes with NAN before anything was seen: loses to all */

/* The best pair of the group, left in room[0] and places[0]; all items call it. */
inline void group_best(float best, int at, local float *room, local int *places) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE); // an earlier result may still be read
  room[lid] = best;
  places[lid] = at;
  for (uint half_size = REDUCE / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < half_size &&
        beats(room[lid + half_size], places[lid + half_size], room[lid], places[lid])) {
      room[lid] = room[lid + half_size];
      places[lid] = places[lid + half_size];
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

/* y[row * parts + p] and at[...] = the largest value of part p of the row, and its index in the row */
GROUP_KERNEL void max_rows(global float *y, ulong y0, global int *at, ulong at0, const global float *x,
                     ulong x0, ulong n, ulong part, ulong parts) {
  local float room[REDUCE];
  local int places[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const ulong begin = (group % parts) * part;
  const ulong end = min(begin + part, n);
  const global float *row = x + x0 + (group / parts) * n;
  float best = NAN;
  int place = NOWHERE;
  for (ulong i = begin + lid; i < end; i += REDUCE) {
    if (!beats(row[i], (int)i, best, place)) continue;
    best = row[i];
    place = (int)i;
  }
  group_best(best, place, room, places);
  if (lid == 0) {
    y[y0 + group] = room[0];
    at[at0 + group] = places[0];
  }
}

/* Join the parts of long rows: one work item per row, over few candidates. */
kernel void max_parts(global float *y, ulong y0, global int *at, ulong at0, const global float *x,
                      ulong x0, const global int *from, ulong from0, ulong rows, ulong parts) {
  const ulong row = get_global_id(0);
  if (row >= rows) return;
  float best = NAN;
  int place = NOWHERE;
  for (ulong i = row * parts; i < (row + 1) * parts; i++) {
    if (!beats(x[x0 + i], from[from0 + i], best, place)) continue;
    best = x[x0 + i];
    place = from[from0 + i];
  }
  y[y0 + row] = best;
  at[at0 + row] = place;
}

kernel void max_columns(global float *y, ulong y0, global int *at, ulong at0, const global float *x,
                        ulong x0, ulong count, ulong n, ulong inner) {
  const ulong c = get_global_id(0);
  if (c >= count) return;
  const global float *column = x + x0 + (c / inner) * n * inner + c % inner;
  float best = NAN;
  int place = NOWHERE;
  for (ulong i = 0; i < n; i++) {
    if (!beats(column[i * inner], (int)i, best, place)) continue;
    best = column[i * inner];
    place = (int)i;
  }
  y[y0 + c] = best;
  at[at0 + c] = place;
}

/* The k first pairs of each row in order; pass j takes the best of those that pass j - 1's winner beats. */
GROUP_KERNEL void topk_fwd(global float *y, ulong y0, global int *at, ulong at0, const global float *x,
                     ulong x0, ulong n, ulong k) {
  local float room[REDUCE];
  local int places[REDUCE];
  const ulong group = get_group_id(0), lid = get_local_id(0);
  const global float *row = x + x0 + group * n;
  float last = 0.0f;
  int last_place = 0;
  for (ulong j = 0; j < k; j++) {
    float best = NAN;
    int place = NOWHERE;
    for (ulong i = lid; i < n; i += REDUCE) {
      const float v = row[i];
      if (j > 0 && !beats(last, last_place, v, (int)i)) continue;
      if (!beats(v, (int)i, best, place)) continue;
      best = v;
      place = (int)i;
    }
    group_best(best, place, room, places);
    last = room[0];
    last_place = places[0];
    if (lid == 0) {
      y[y0 + group * k + j] = last;
      at[at0 + group * k + j] = last_place;
    }
  }
}

/* gx[the place each of the `count` results came from] += gy; results of [outer, k, inner], no two from one
 * place. */
kernel void max_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                    const global int *at, ulong at0, ulong count, ulong n, ulong k, ulong inner) {
  const ulong i = get_global_id(0);
  if (i >= count) return;
  const ulong outer = i / (k * inner);
  gx[gx0 + (outer * n + (ulong)at[at0 + i]) * inner + i % inner] += gy[gy0 + i];
}
