/*
 * Maps [n, in_h, in_w, channels] <-> [n, out_h, out_w, channels], bilinear.
 *
 * Position i of the result lies at scale * i + shift, or at 0 where that is less; items2 of both
 * kernels: a channel, a position.
 */
#define RESIZE_ARGS                                                                                \
  uint channels, uint in_h, uint in_w, uint out_h, uint out_w, float scale_h, float scale_w,       \
      float shift_h, float shift_w

/* The first of the two cells that position i lies between, and the share of the second. */
inline uint resize_source(uint i, uint in, float scale, float shift, float *share) {
  const float at = fmax(scale * (float)i + shift, 0.0f);
  const uint cell = min((uint)at, in - 1);
  *share = cell + 1 < in ? at - (float)cell : 0.0f;
  return cell;
}

/* What position i takes of a cell. */
inline float resize_share(uint i, uint cell, uint in, float scale, float shift) {
  float share;
  const uint first = resize_source(i, in, scale, shift, &share);
  return first == cell ? 1.0f - share : first + 1 == cell ? share : 0.0f;
}

/* A position before which none takes anything of the cell (end = 0), or behind which (end = 1). */
inline uint resize_bound(uint cell, uint end, uint in, uint out, float scale, float shift) {
  if (scale == 0.0f || (end && cell + 2 >= in)) return end ? out : 0;
  const float at = ((float)cell + (end ? 1.0f : -1.0f) - shift) / scale + (end ? 2.0f : -2.0f);
  return (uint)clamp(at, 0.0f, (float)out);
}

kernel void resize_fwd(global float *y, ulong y0, const global float *x, ulong x0, RESIZE_ARGS) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong at = get_global_id(1), map = at / out_w / out_h;
  float down, right;
  const uint i = resize_source((uint)(at / out_w % out_h), in_h, scale_h, shift_h, &down);
  const uint j = resize_source((uint)(at % out_w), in_w, scale_w, shift_w, &right);
  const ulong next_i = min(i + 1, in_h - 1), next_j = min(j + 1, in_w - 1);
  const global float *from = x + x0 + map * in_h * in_w * channels + c;
  const float top = from[((ulong)i * in_w + j) * channels] * (1.0f - right) +
                    from[((ulong)i * in_w + next_j) * channels] * right;
  const float bottom = from[(next_i * in_w + j) * channels] * (1.0f - right) +
                       from[(next_i * in_w + next_j) * channels] * right;
  y[y0 + at * channels + c] = top * (1.0f - down) + bottom * down;
}

kernel void resize_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0, RESIZE_ARGS,
                       uint add) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong at = get_global_id(1), map = at / in_w / in_h;
  const uint i = (uint)(at / in_w % in_h), j = (uint)(at % in_w);
  const uint end_i = resize_bound(i, 1, in_h, out_h, scale_h, shift_h);
  const uint end_j = resize_bound(j, 1, in_w, out_w, scale_w, shift_w);
  const uint begin_j = resize_bound(j, 0, in_w, out_w, scale_w, shift_w);
  float sum = 0.0f;
  for (uint p = resize_bound(i, 0, in_h, out_h, scale_h, shift_h); p < end_i; p++) {
    const float down = resize_share(p, i, in_h, scale_h, shift_h);
    if (down == 0.0f) continue;
    const global float *row = gy + gy0 + (map * out_h + p) * out_w * channels + c;
    for (uint q = begin_j; q < end_j; q++)
      sum += row[(ulong)q * channels] * down * resize_share(q, j, in_w, scale_w, shift_w);
  }
  const ulong to = gx0 + at * channels + c;
  gx[to] = add ? gx[to] + sum : sum;
}
