/*
 * Dropout: element i is kept where word i % 4 at counter + i / 4 is at least `threshold`. The same kernel
 * runs backward, with the same counters and gy for x, and then adds.
 */
kernel void dropout(global float *y, ulong y0, const global float *x, ulong x0, ulong n, ulong seed,
                    ulong stream, ulong counter, uint threshold, float scale, uint add) {
  const ulong q = get_global_id(0);
  if (4 * q >= n) return;
  const uint4 w = philox(seed, stream, counter + q);
  const uint words[4] = {w.s0, w.s1, w.s2, w.s3};
  const ulong end = min(4 * q + 4, n);
  for (ulong i = 4 * q; i < end; i++) {
    const float v = words[i % 4] >= threshold ? scale * x[x0 + i] : 0.0f;
    y[y0 + i] = add ? y[y0 + i] + v : v;
  }
}
