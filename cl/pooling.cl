/*
 * Pooling of maps x [n, in_h, in_w, channels] into y [n, out_h, out_w, channels].
 *
 *   at [as y]  which tap of the window was the first largest; as many as there are taps: none
 *
 * items2 of all kernels: a channel, a position.
 */

kernel void max_pool_fwd(global float *y, ulong y0, global int *at, ulong at0,
                         const global float *x, ulong x0, SLIDE_ARGS) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong position = get_global_id(1), map = position / out_w / out_h;
  const uint row = (uint)(position / out_w % out_h), column = (uint)(position % out_w);
  float best = 0.0f; // where there are none
  uint where = size_h * size_w;
  for (uint a = 0; a < size_h; a++) {
    const uint i = slide_source(row, a, stride_h, step_h, top);
    if (i >= in_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint j = slide_source(column, b, stride_w, step_w, left);
      if (j >= in_w) continue;
      const float value = x[x0 + ((map * in_h + i) * in_w + j) * channels + c];
      if (where == size_h * size_w || value > best || (isnan(value) && !isnan(best))) {
        best = value;
        where = a * size_w + b;
      }
    }
  }
  y[y0 + position * channels + c] = best;
  at[at0 + position * channels + c] = (int)where;
}

kernel void max_pool_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                         const global int *at, ulong at0, SLIDE_ARGS, uint add) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong pixel = get_global_id(1), map = pixel / in_w / in_h;
  float sum = 0.0f;
  for (uint a = 0; a < size_h; a++) {
    const uint row = slide_target((uint)(pixel / in_w % in_h), a, stride_h, step_h, top);
    if (row >= out_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint column = slide_target((uint)(pixel % in_w), b, stride_w, step_w, left);
      if (column >= out_w) continue;
      const ulong from = ((map * out_h + row) * out_w + column) * channels + c;
      if (at[at0 + from] == (int)(a * size_w + b)) sum += gy[gy0 + from];
    }
  }
  const ulong to = gx0 + pixel * channels + c;
  gx[to] = add ? gx[to] + sum : sum;
}

/* Cells that a mean is taken over along one side: those of the padded maps, or of the maps. */
inline uint pool_count(uint at, uint size, uint stride, uint step, uint before, uint in, uint after,
                       uint with_padding) {
  uint count = 0;
  for (uint tap = 0; tap < size; tap++) {
    const uint reach = at * stride + tap * step;
    count += with_padding ? reach < before + in + after : reach - before < in;
  }
  return count;
}

#define POOL_COUNT(row, column)                                                                    \
  (pool_count(row, size_h, stride_h, step_h, top, in_h, bottom, with_padding) *                    \
   pool_count(column, size_w, stride_w, step_w, left, in_w, right, with_padding))

kernel void average_pool_fwd(global float *y, ulong y0, const global float *x, ulong x0, SLIDE_ARGS,
                             uint with_padding) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong position = get_global_id(1), map = position / out_w / out_h;
  const uint row = (uint)(position / out_w % out_h), column = (uint)(position % out_w);
  float sum = 0.0f;
  for (uint a = 0; a < size_h; a++) {
    const uint i = slide_source(row, a, stride_h, step_h, top);
    if (i >= in_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint j = slide_source(column, b, stride_w, step_w, left);
      if (j < in_w) sum += x[x0 + ((map * in_h + i) * in_w + j) * channels + c];
    }
  }
  const uint count = POOL_COUNT(row, column);
  y[y0 + position * channels + c] = count ? sum / (float)count : 0.0f;
}

kernel void average_pool_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                             SLIDE_ARGS, uint with_padding, uint add) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong pixel = get_global_id(1), map = pixel / in_w / in_h;
  float sum = 0.0f;
  for (uint a = 0; a < size_h; a++) {
    const uint row = slide_target((uint)(pixel / in_w % in_h), a, stride_h, step_h, top);
    if (row >= out_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint column = slide_target((uint)(pixel % in_w), b, stride_w, step_w, left);
      if (column < out_w)
        sum += gy[gy0 + ((map * out_h + row) * out_w + column) * channels + c] /
               (float)POOL_COUNT(row, column);
    }
  }
  const ulong to = gx0 + pixel * channels + c;
  gx[to] = add ? gx[to] + sum : sum;
}
