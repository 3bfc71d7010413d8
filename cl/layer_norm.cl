/*
 * Layer normalisation of rows of n: y = gain * (x - mean) * scale + offset.
 *
 *   kept [rows, 3]  mean, scale, and what backward multiplies by: the derivative of the scale
 *   part [parts, 2, n]  sums for gain and offset over some rows each
 */

/* One group per row. */
GROUP_KERNEL void layer_norm_fwd(global float *y, ulong y0, global float *kept, ulong kept0,
                                 const global float *x, ulong x0, const global float *gain,
                                 ulong gain0, const global float *offset, ulong offset0, uint n,
                                 float eps, uint published) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), begin = row * n;
  const global float *in = x + x0 + begin;
  float total = 0.0f, squares = 0.0f;
  for (uint i = lid; i < n; i += REDUCE) total += in[i];
  const float mean = group_sum(total, room) / (float)n;
  for (uint i = lid; i < n; i += REDUCE) {
    const float distance = in[i] - mean;
    squares += distance * distance;
  }
  squares = group_sum(squares, room);
  const float deviation = sqrt(squares / (float)(n - 1));
  const float scale =
      published ? 1.0f / (deviation + eps) : 1.0f / sqrt(squares / (float)n + eps);
  if (lid == 0) {
    const float slope = published ? 1.0f / ((float)(n - 1) * deviation) : scale / (float)n;
    kept[kept0 + 3 * row] = mean;
    kept[kept0 + 3 * row + 1] = scale;
    kept[kept0 + 3 * row + 2] = squares == 0.0f ? 0.0f : slope; // alike: x - mean is 0 anyway
  }
  for (uint i = lid; i < n; i += REDUCE)
    y[y0 + begin + i] = gain[gain0 + i] * ((in[i] - mean) * scale) + offset[offset0 + i];
}

/* gx = scale * (g - mean of g) - slope * xhat * sum of g * xhat, with g = gy * gain */
GROUP_KERNEL void layer_norm_bwd_x(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                                   const global float *x, ulong x0, const global float *gain,
                                   ulong gain0, const global float *kept, ulong kept0, uint n,
                                   uint add) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), begin = row * n;
  const global float *in = x + x0 + begin, *g = gy + gy0 + begin;
  const float mean = kept[kept0 + 3 * row], scale = kept[kept0 + 3 * row + 1];
  const float slope = kept[kept0 + 3 * row + 2];
  float sum = 0.0f, along = 0.0f;
  for (uint i = lid; i < n; i += REDUCE) {
    const float part = g[i] * gain[gain0 + i];
    sum += part;
    along += part * ((in[i] - mean) * scale);
  }
  sum = group_sum(sum, room) / (float)n;
  along = group_sum(along, room) * slope;
  for (uint i = lid; i < n; i += REDUCE) {
    const float part = scale * (g[i] * gain[gain0 + i] - sum) - (in[i] - mean) * scale * along;
    gx[gx0 + begin + i] = add ? gx[gx0 + begin + i] + part : part;
  }
}

/* A work item per channel and per `each` rows. */
kernel void layer_norm_bwd_parts(global float *part, ulong part0, const global float *gy, ulong gy0,
                                 const global float *x, ulong x0, const global float *kept,
                                 ulong kept0, ulong rows, uint n, uint each) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  const ulong first = get_global_id(1) * each, end = min(first + each, rows);
  float sum = 0.0f, along = 0.0f;
  for (ulong row = first; row < end; row++) {
    const float g = gy[gy0 + row * n + i];
    const float scale = kept[kept0 + 3 * row + 1];
    sum += g;
    along += g * ((x[x0 + row * n + i] - kept[kept0 + 3 * row]) * scale);
  }
  global float *to = part + part0 + get_global_id(1) * 2 * n;
  to[i] = along;
  to[n + i] = sum;
}

/* ggain and goffset, each where it is wanted */
kernel void layer_norm_bwd_sums(global float *ggain, ulong ggain0, global float *goffset,
                                ulong goffset0, const global float *part, ulong part0, uint parts,
                                uint n, uint with_gain, uint with_offset) {
  const uint i = (uint)get_global_id(0);
  if (i >= n) return;
  float sum = 0.0f, along = 0.0f;
  for (uint p = 0; p < parts; p++) {
    along += part[part0 + (ulong)2 * p * n + i];
    sum += part[part0 + ((ulong)2 * p + 1) * n + i];
  }
  if (with_gain) ggain[ggain0 + i] += along;
  if (with_offset) goffset[goffset0 + i] += sum;
}
