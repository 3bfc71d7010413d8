/*
 * Local response normalisation over channels of x [rows, channels]:
 *
 *   base = k + slope * sum of x^2 over channels c - before .. c + after      y = x base^-beta
 */

inline float nearby(const global float *row, uint c, uint before, uint after, uint channels) {
  float sum = 0.0f;
  for (uint tap = 0; tap <= before + after; tap++) {
    const uint i = c + tap - before; // below 0 wraps around to beyond the channels
    if (i < channels) sum += row[i] * row[i];
  }
  return sum;
}

kernel void response_norm_fwd(global float *y, ulong y0, global float *base, ulong base0,
                              const global float *x, ulong x0, uint channels, uint before,
                              uint after, float k, float slope, float beta) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong row = get_global_id(1) * channels;
  const float b = k + slope * nearby(x + x0 + row, c, before, after, channels);
  base[base0 + row + c] = b;
  y[y0 + row + c] = x[x0 + row + c] * pow(b, -beta);
}

/* gx = gy base^-beta - 2 slope beta x * sum of gy x base^(-beta - 1) over the channels that see this one */
kernel void response_norm_bwd(global float *gx, ulong gx0, const global float *gy, ulong gy0,
                              const global float *base, ulong base0, const global float *x,
                              ulong x0, uint channels, uint before, uint after, float slope,
                              float beta, uint add) {
  const uint c = (uint)get_global_id(0);
  if (c >= channels) return;
  const ulong row = get_global_id(1) * channels;
  const global float *g = gy + gy0 + row, *b = base + base0 + row, *in = x + x0 + row;
  float sum = 0.0f;
  for (uint tap = 0; tap <= before + after; tap++) {
    const uint i = c + tap - after;
    if (i < channels) sum += g[i] * in[i] * pow(b[i], -beta - 1.0f);
  }
  const float part = g[c] * pow(b[c], -beta) - 2.0f * slope * beta * in[c] * sum;
  gx[gx0 + row + c] = add ? gx[gx0 + row + c] + part : part;
}
