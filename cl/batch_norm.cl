/*
 * Normalisation of the columns of x [rows, n] and an activation:
 *
 *   y = f(gain * (x - mean) * scale + offset)
 *   kept [2, n]  mean and scale = 1 / sqrt(variance + eps) of each column
 *   part [parts, 2, n]  of some rows each: mean and sum of squared distances; or sums for gradients
 *   f  0: none, 1: relu, 2: relu6
 */

inline float bn_active(float x, uint f) {
  if (f == 0 || isnan(x)) return x;
  const float y = fmax(x, 0.0f);
  return f == 2 ? fmin(y, 6.0f) : y;
}

/* gy before the activation that gave y */
inline float bn_inner(float gy, float y, uint f) {
  return f == 0 || (y > 0.0f && (f == 1 || y < 6.0f)) ? gy : 0.0f;
}

kernel void bn_kept(global float *kept, ulong kept0, const global float *mean, ulong mean0,
                    const global float *variance, ulong variance0, uint n, float eps) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  kept[kept0 + i] = mean[mean0 + i];
  kept[kept0 + n + i] = 1.0f / sqrt(variance[variance0 + i] + eps);
}

/* A work item per column and per `each` rows; two walks, so that a large mean costs no digits. */
kernel void bn_parts(global float *part, ulong part0, const global float *x, ulong x0, ulong rows,
                     uint n, uint each) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  const ulong p = get_global_id(1), first = p * each, end = min(first + each, rows);
  float sum = 0.0f, squares = 0.0f;
  for (ulong row = first; row < end; row++) sum += x[x0 + row * n + i];
  const float mean = sum / (float)(end - first);
  for (ulong row = first; row < end; row++) {
    const float distance = x[x0 + row * n + i] - mean;
    squares += distance * distance;
  }
  part[part0 + 2 * p * n + i] = mean;
  part[part0 + (2 * p + 1) * n + i] = squares;
}

/* kept from the parts (Chan, Golub and LeVeque 1979); the running statistics move towards them. */
kernel void bn_stats(global float *kept, ulong kept0, global float *mean, ulong mean0,
                     global float *variance, ulong variance0, const global float *part, ulong part0,
                     ulong rows, uint n, uint each, float eps, float momentum) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  float middle = 0.0f, squares = 0.0f;
  for (ulong first = 0, p = 0; first < rows; first += each, p++) {
    const float count = (float)min((ulong)each, rows - first), so_far = (float)first;
    const float delta = part[part0 + 2 * p * n + i] - middle, share = count / (so_far + count);
    middle += delta * share;
    squares += part[part0 + (2 * p + 1) * n + i] + delta * delta * so_far * share;
  }
  kept[kept0 + i] = middle;
  kept[kept0 + n + i] = 1.0f / sqrt(squares / (float)rows + eps);
  mean[mean0 + i] += momentum * (middle - mean[mean0 + i]);
  variance[variance0 + i] += momentum * (squares / (float)(rows - 1) - variance[variance0 + i]);
}

kernel void bn_fwd(global float *y, ulong y0, const global float *x, ulong x0,
                   const global float *kept, ulong kept0, const global float *gain, ulong gain0,
                   const global float *offset, ulong offset0, uint n, uint with_gain,
                   uint with_offset, uint f) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  const ulong at = get_global_id(1) * n + i;
  float value = (x[x0 + at] - kept[kept0 + i]) * kept[kept0 + n + i];
  if (with_gain) value *= gain[gain0 + i];
  if (with_offset) value += offset[offset0 + i];
  y[y0 + at] = bn_active(value, f);
}

/* Sums of g = gy f' and of g xhat. */
kernel void bn_bwd_parts(global float *part, ulong part0, const global float *gy, ulong gy0,
                         const global float *y, ulong y0, const global float *x, ulong x0,
                         const global float *kept, ulong kept0, ulong rows, uint n, uint each,
                         uint f) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  const ulong p = get_global_id(1), first = p * each, end = min(first + each, rows);
  const float mean = kept[kept0 + i], scale = kept[kept0 + n + i];
  float sum = 0.0f, along = 0.0f;
  for (ulong row = first; row < end; row++) {
    const float g = bn_inner(gy[gy0 + row * n + i], y[y0 + row * n + i], f);
    sum += g;
    along += g * ((x[x0 + row * n + i] - mean) * scale);
  }
  part[part0 + 2 * p * n + i] = sum;
  part[part0 + (2 * p + 1) * n + i] = along;
}

/* sums [2, n] of the parts, and the gradients of gain and offset, each where it is wanted */
kernel void bn_bwd_sums(global float *sums, ulong sums0, global float *ggain, ulong ggain0,
                        global float *goffset, ulong goffset0, const global float *part,
                        ulong part0, uint parts, uint n, uint with_gain, uint with_offset) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  float sum = 0.0f, along = 0.0f;
  for (uint p = 0; p < parts; p++) {
    sum += part[part0 + (ulong)2 * p * n + i];
    along += part[part0 + ((ulong)2 * p + 1) * n + i];
  }
  sums[sums0 + i] = sum;
  sums[sums0 + n + i] = along;
  if (with_gain) ggain[ggain0 + i] += along;
  if (with_offset) goffset[goffset0 + i] += sum;
}

/* gx = gain * scale * (g - (sum of g + xhat * sum of g xhat) / rows); frozen: without the sums */
kernel void bn_bwd_x(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                     const global float *y, ulong y0, const global float *x, ulong x0,
                     const global float *kept, ulong kept0, const global float *sums, ulong sums0,
                     const global float *gain, ulong gain0, ulong rows, uint n, uint training,
                     uint with_gain, uint f, uint add) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  const ulong at = get_global_id(1) * n + i;
  const float scale = kept[kept0 + n + i];
  float g = bn_inner(gy[gy0 + at], y[y0 + at], f);
  if (training) {
    const float xhat = (x[x0 + at] - kept[kept0 + i]) * scale;
    g -= (sums[sums0 + i] + xhat * sums[sums0 + n + i]) / (float)rows;
  }
  g *= scale * (with_gain ? gain[gain0 + i] : 1.0f);
  gx[gx0 + at] = add ? gx[gx0 + at] + g : g;
}
