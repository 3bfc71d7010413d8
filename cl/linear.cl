/*
 * The parts of an affine map that are no product. A matrix is [rows, n], row-major.
 */

/* y = add + bias, the latter where there is one: what the products are then added to. */
kernel void linear_start(global float *y, ulong y0, const global float *bias, ulong bias0,
                         const global float *add, ulong add0, ulong n, uint with_bias) {
  const ulong j = get_global_id(0), i = get_global_id(1) * n + j; // no division: it costs more than the rest
  if (j >= n) return;
  y[y0 + i] = (with_bias ? bias[bias0 + j] : 0.0f) + add[add0 + i];
}

/*
 * partial[p, j] = sum of column j over the rows of part p: short sums are added up later so that a long running
 * one loses no digits. A work item has SUM_ACROSS columns, a cache line of every row, by hand: compilers for
 * CPUs make no vectors across work items that loop.
 */
#define SUM_ACROSS 16

kernel void column_sum_parts(global float *partial, ulong partial0, const global float *x, ulong x0,
                             ulong rows, ulong n, ulong rows_each) {
  const ulong j = SUM_ACROSS * get_global_id(0), p = get_global_id(1);
  if (j >= n) return;
  const ulong first = p * rows_each, end = min(rows, first + rows_each);
  const global float *from = x + x0 + j;
  global float *to = partial + partial0 + p * n + j;
  if (j + SUM_ACROSS <= n) {
    float16 sum = (float16)(0.0f);
    for (ulong i = first; i < end; i++) sum += vload16(0, from + i * n);
    vstore16(sum, 0, to);
    return;
  }
  for (ulong c = 0; c < n - j; c++) {
    float sum = 0.0f;
    for (ulong i = first; i < end; i++) sum += from[i * n + c];
    to[c] = sum;
  }
}

/* y[j] += sum over parts of partial[p, j] */
kernel void column_sum_add(global float *y, ulong y0, const global float *partial, ulong partial0,
                           ulong parts, ulong n) {
  const ulong j = get_global_id(0);
  if (j >= n) return;
  float sum = 0.0f;
  for (ulong p = 0; p < parts; p++) sum += partial[partial0 + p * n + j];
  y[y0 + j] += sum;
}
