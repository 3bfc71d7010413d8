/*
 * Dropout: element i is kept where word i % 4 at counter + i / 4 is at least `threshold`. The same kernel
 * runs backward, with the same counters and gy for x, and then adds. Four elements by name, not by a loop:
 * only so do compilers for CPUs draw for many work items at once.
 */
inline float kept(uint word, uint threshold, float scaled) {
  return word >= threshold ? scaled : 0.0f;
}

kernel void dropout(global float *y, ulong y0, const global float *x, ulong x0, ulong n, ulong seed,
                    ulong stream, ulong counter, uint threshold, float scale, uint add) {
  const ulong q = get_global_id(0), i = 4 * q, last = n - 1;
  if (i >= n) return;
  const uint4 w = philox(seed, stream, counter + q);
  const global float *in = x + x0;
  global float *out = y + y0;
  const ulong i1 = min(i + 1, last), i2 = min(i + 2, last), i3 = min(i + 3, last);
  const float v0 = kept(w.s0, threshold, scale * in[i]) + (add ? out[i] : 0.0f);
  const float v1 = kept(w.s1, threshold, scale * in[i1]) + (add ? out[i1] : 0.0f);
  const float v2 = kept(w.s2, threshold, scale * in[i2]) + (add ? out[i2] : 0.0f);
  const float v3 = kept(w.s3, threshold, scale * in[i3]) + (add ? out[i3] : 0.0f);
  out[i] = v0;
  if (i + 1 < n) out[i + 1] = v1;
  if (i + 2 < n) out[i + 2] = v2;
  if (i + 3 < n) out[i + 3] = v3;
}
