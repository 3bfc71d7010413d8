/*
 * Convolution by products of patches.
 *
 *   x [n, in_h, in_w, channels]   w [out, group, size_h, size_w]   y [n, out_h, out_w, out]
 *   patch [position - first, (tap, channel of the group)]: what the window sees at each position
 *
 * and depthwise convolution, in which `each` outputs see one channel, by loops over taps:
 *
 *   w, gw [tap, out]
 */

kernel void conv_patches(global float *patch, ulong patch0, const global float *x, ulong x0,
                         SLIDE_ARGS, ulong first, uint channel0, uint group) {
  const uint k = (uint)get_global_id(0), taps = size_h * size_w;
  if (k >= taps * group) return;
  const ulong row = get_global_id(1), at = first + row;
  const uint tap = k / group, channel = channel0 + k % group;
  const uint i = slide_source((uint)(at / out_w % out_h), tap / size_w, stride_h, step_h, top);
  const uint j = slide_source((uint)(at % out_w), tap % size_w, stride_w, step_w, left);
  float value = 0.0f;
  if (i < in_h && j < in_w)
    value = x[x0 + ((at / out_w / out_h * in_h + i) * in_w + j) * channels + channel];
  patch[patch0 + row * taps * group + k] = value;
}

/* gx += the gradients of `count` patches from `first` on; items2: a channel of the group, a pixel from pixel0 on. */
kernel void conv_unpatch(global float *gx, ulong gx0, const global float *patch, ulong patch0,
                         SLIDE_ARGS, ulong first, ulong count, ulong pixel0, uint channel0,
                         uint group) {
  const uint c = (uint)get_global_id(0);
  if (c >= group) return;
  const ulong pixel = pixel0 + get_global_id(1), map = pixel / in_w / in_h;
  const uint i = (uint)(pixel / in_w % in_h), j = (uint)(pixel % in_w);
  float sum = 0.0f;
  for (uint y = 0; y < size_h; y++) {
    const uint row = slide_target(i, y, stride_h, step_h, top);
    if (row >= out_h) continue;
    for (uint z = 0; z < size_w; z++) {
      const uint column = slide_target(j, z, stride_w, step_w, left);
      const ulong at = (map * out_h + row) * out_w + column;
      if (column < out_w && at >= first && at - first < count)
        sum += patch[patch0 + ((at - first) * size_h * size_w + y * size_w + z) * group + c];
    }
  }
  gx[gx0 + pixel * channels + channel0 + c] += sum;
}

/* to [rows, columns, deep] = from [rows, deep, columns] exchanged, added where `add` */
kernel void conv_exchange(global float *to, ulong to0, const global float *from, ulong from0,
                          ulong rows, uint columns, uint deep, uint add) {
  const ulong at = get_global_id(0);
  if (at >= rows * columns * deep) return;
  const ulong row = at / deep / columns;
  const uint column = (uint)(at / deep % columns), d = (uint)(at % deep);
  const float value = from[from0 + (row * deep + d) * columns + column];
  to[to0 + at] = add ? to[to0 + at] + value : value;
}

/* y [rows, count] = bias in every row */
kernel void conv_bias(global float *y, ulong y0, const global float *bias, ulong bias0,
                      uint count) {
  const uint i = (uint)get_global_id(0);
  if (i < count) y[y0 + get_global_id(1) * count + i] = bias[bias0 + i];
}

kernel void depthwise_fwd(global float *y, ulong y0, const global float *x, ulong x0,
                          const global float *w, ulong w0, const global float *bias, ulong bias0,
                          SLIDE_ARGS, uint each, uint with_bias) {
  const uint o = (uint)get_global_id(0), count = channels * each;
  if (o >= count) return;
  const ulong at = get_global_id(1), map = at / out_w / out_h;
  float sum = with_bias ? bias[bias0 + o] : 0.0f;
  for (uint a = 0; a < size_h; a++) {
    const uint i = slide_source((uint)(at / out_w % out_h), a, stride_h, step_h, top);
    if (i >= in_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint j = slide_source((uint)(at % out_w), b, stride_w, step_w, left);
      if (j < in_w)
        sum += w[w0 + (ulong)(a * size_w + b) * count + o] *
               x[x0 + ((map * in_h + i) * in_w + j) * channels + o / each];
    }
  }
  y[y0 + at * count + o] = sum;
}

kernel void depthwise_bwd_x(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                            const global float *w, ulong w0, SLIDE_ARGS, uint each, uint add) {
  const uint c = (uint)get_global_id(0), count = channels * each;
  if (c >= channels) return;
  const ulong pixel = get_global_id(1), map = pixel / in_w / in_h;
  float sum = 0.0f;
  for (uint a = 0; a < size_h; a++) {
    const uint row = slide_target((uint)(pixel / in_w % in_h), a, stride_h, step_h, top);
    if (row >= out_h) continue;
    for (uint b = 0; b < size_w; b++) {
      const uint column = slide_target((uint)(pixel % in_w), b, stride_w, step_w, left);
      if (column >= out_w) continue;
      const ulong from = gy0 + ((map * out_h + row) * out_w + column) * count;
      for (uint o = c * each; o < (c + 1) * each; o++)
        sum += w[w0 + (ulong)(a * size_w + b) * count + o] * gy[from + o];
    }
  }
  const ulong to = gx0 + pixel * channels + c;
  gx[to] = add ? gx[to] + sum : sum;
}

/* part [parts, tap, out]: sums over some rows of positions each; items2: an output, a (part, tap). */
kernel void depthwise_bwd_w(global float *part, ulong part0, const global float *gy, ulong gy0,
                            const global float *x, ulong x0, SLIDE_ARGS, uint each, uint parts) {
  const uint o = (uint)get_global_id(0), count = channels * each, taps = size_h * size_w;
  if (o >= count) return;
  const uint p = (uint)(get_global_id(1) / taps), tap = (uint)(get_global_id(1) % taps);
  const ulong rows = (ulong)n * out_h, end = rows * (p + 1) / parts;
  float sum = 0.0f;
  for (ulong row = rows * p / parts; row < end; row++) {
    const uint i = slide_source((uint)(row % out_h), tap / size_w, stride_h, step_h, top);
    if (i >= in_h) continue;
    for (uint column = 0; column < out_w; column++) {
      const uint j = slide_source(column, tap % size_w, stride_w, step_w, left);
      if (j < in_w)
        sum += gy[gy0 + (row * out_w + column) * count + o] *
               x[x0 + ((row / out_h * in_h + i) * in_w + j) * channels + o / each];
    }
  }
  part[part0 + get_global_id(1) * count + o] = sum;
}

/* gw [out, taps] += the parts */
kernel void depthwise_add(global float *gw, ulong gw0, const global float *part, ulong part0,
                          uint count, uint taps, uint parts) {
  const uint o = (uint)get_global_id(0), tap = (uint)get_global_id(1);
  if (o >= count) return;
  float sum = 0.0f;
  for (uint p = 0; p < parts; p++) sum += part[part0 + ((ulong)p * taps + tap) * count + o];
  gw[gw0 + (ulong)o * taps + tap] += sum;
}
