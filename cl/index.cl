/*
 * Moving rows and elements by index. An index out of range is never followed: it gives NaN forward and is
 * ignored backward.
 */

/* y[i, j] = table[ids[i], j] */
kernel void embedding_fwd(global float *y, ulong y0, const global float *table, ulong table0,
                          const global int *ids, ulong ids0, ulong width, ulong vocab) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= width) return;
  const int id = ids[ids0 + i];
  const int known = id >= 0 && (ulong)id < vocab;
  y[y0 + i * width + j] = known ? table[table0 + (ulong)id * width + j] : NAN;
}

/* gt[ids[i], j] += gy[i, j]: a work item owns column j and adds its rows in order, so no two meet. */
kernel void embedding_bwd(global float *gt, ulong gt0, const global float *gy, ulong gy0,
                          const global int *ids, ulong ids0, ulong count, ulong width,
                          ulong vocab) {
  const ulong j = get_global_id(0);
  if (j >= width) return;
  for (ulong i = 0; i < count; i++) {
    const int id = ids[ids0 + i];
    if (id >= 0 && (ulong)id < vocab) gt[gt0 + (ulong)id * width + j] += gy[gy0 + i * width + j];
  }
}

/* y[i] = x[i, at[i]] */
kernel void pick_fwd(global float *y, ulong y0, const global float *x, ulong x0,
                     const global int *at, ulong at0, ulong rows, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= rows) return;
  const int place = at[at0 + i];
  y[y0 + i] = place >= 0 && (ulong)place < n ? x[x0 + i * n + place] : NAN;
}

kernel void pick_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                     const global int *at, ulong at0, ulong rows, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= rows) return;
  const int place = at[at0 + i];
  if (place >= 0 && (ulong)place < n) gx[gx0 + i * n + place] += gy[gy0 + i];
}

/* Rows of `width` elements (any 4-byte type) into rows of y, `pitch` apart; y0 says where in the row. */
kernel void concat_fwd(global int *y, ulong y0, const global int *x, ulong x0, ulong width,
                       ulong pitch) {
  const ulong j = get_global_id(0), row = get_global_id(1);
  if (j >= width) return;
  y[y0 + row * pitch + j] = x[x0 + row * width + j];
}

kernel void concat_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0, ulong width,
                       ulong pitch) {
  const ulong j = get_global_id(0), row = get_global_id(1);
  if (j >= width) return;
  gx[gx0 + row * width + j] += gy[gy0 + row * pitch + j];
}

/* y[i * k + r] = x[i] for r = 0 .. k - 1 (any 4-byte type) */
kernel void repeat_rows_fwd(global int *y, ulong y0, const global int *x, ulong x0, ulong width,
                            ulong k) {
  const ulong j = get_global_id(0), row = get_global_id(1);
  if (j >= width) return;
  y[y0 + row * width + j] = x[x0 + (row / k) * width + j];
}

kernel void repeat_rows_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                            ulong width, ulong k) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j >= width) return;
  float total = 0.0f;
  for (ulong row = i * k; row < (i + 1) * k; row++) total += gy[gy0 + row * width + j];
  gx[gx0 + i * width + j] += total;
}
