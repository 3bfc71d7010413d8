/*
 * The parts of an affine map that are no product. A matrix is [rows, n], row-major.
 */

/* y = add + bias, either of them optional: what the products are then added to. */
kernel void linear_start(global float *y, ulong y0, const global float *bias, ulong bias0,
                         const global float *add, ulong add0, ulong n, uint with_bias, uint with_add) {
  const ulong j = get_global_id(0), i = get_global_id(1) * n + j; // no division: it costs more than the rest
  if (j >= n) return;
  const float b = with_bias ? bias[bias0 + j] : 0.0f;
  y[y0 + i] = with_add ? b + add[add0 + i] : b;
}

/*
 * partial[p, j] = sum of column j over the rows of part p: neighbours read neighbours, and short sums are
 * added up later so that a long running one loses no digits.
 */
kernel void column_sum_parts(global float *partial, ulong partial0, const global float *x, ulong x0,
                             ulong rows, ulong n, ulong rows_each) {
  const ulong j = get_global_id(0), p = get_global_id(1);
  if (j >= n) return;
  const ulong first = p * rows_each, end = min(rows, first + rows_each);
  float sum = 0.0f;
  for (ulong i = first; i < end; i++) sum += x[x0 + i * n + j];
  partial[partial0 + p * n + j] = sum;
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
