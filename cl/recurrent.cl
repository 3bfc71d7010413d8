/*
 * Cells. z is [batch, 4 hidden] with blocks i, f, g, o in each row; gates keeps their activations in the same
 * layout for the backward kernel.
 *
 *   z row:   | i: hidden | f: hidden | g: hidden | o: hidden |
 */
/*
 * Two forward kernels, and no helper with results by pointer: on PoCL a condition around the stores, or such
 * a helper, keeps the work items from becoming vectors, and the cell then takes five times as long.
 */
kernel void lstm_cell_fwd(global float *h, ulong h0, global float *c, ulong c0, const global float *z,
                          ulong z0, const global float *c_prev, ulong c_prev0, ulong batch,
                          ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 4 * hidden + at, one = row * hidden + at;
  const float i = logistic(z[z0 + base]), f = logistic(z[z0 + base + hidden]);
  const float g = quick_tanh(z[z0 + base + 2 * hidden]), o = logistic(z[z0 + base + 3 * hidden]);
  const float cell = f * c_prev[c_prev0 + one] + i * g;
  c[c0 + one] = cell;
  h[h0 + one] = o * quick_tanh(cell);
}

/* The same, keeping the activations for the backward kernel. */
kernel void lstm_cell_fwd_keep(global float *h, ulong h0, global float *c, ulong c0,
                               global float *gates, ulong gates0, const global float *z, ulong z0,
                               const global float *c_prev, ulong c_prev0, ulong batch,
                               ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 4 * hidden + at, one = row * hidden + at;
  const float i = logistic(z[z0 + base]), f = logistic(z[z0 + base + hidden]);
  const float g = quick_tanh(z[z0 + base + 2 * hidden]), o = logistic(z[z0 + base + 3 * hidden]);
  const float cell = f * c_prev[c_prev0 + one] + i * g;
  c[c0 + one] = cell;
  h[h0 + one] = o * quick_tanh(cell);
  gates[gates0 + base] = i;
  gates[gates0 + base + hidden] = f;
  gates[gates0 + base + 2 * hidden] = g;
  gates[gates0 + base + 3 * hidden] = o;
}

/* gz and gc_prev get their parts added; gh and gc each count as zero without their flag. */
kernel void lstm_cell_bwd(global float *gz, ulong gz0, global float *gc_prev, ulong gc_prev0,
                          const global float *gh, ulong gh0, const global float *gc, ulong gc0,
                          const global float *gates, ulong gates0, const global float *c, ulong c0,
                          const global float *c_prev, ulong c_prev0, ulong batch, ulong hidden,
                          uint with_gh, uint with_gc, uint with_gc_prev) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 4 * hidden + at, one = row * hidden + at;
  const float i = gates[gates0 + base], f = gates[gates0 + base + hidden];
  const float g = gates[gates0 + base + 2 * hidden], o = gates[gates0 + base + 3 * hidden];
  const float t = quick_tanh(c[c0 + one]);
  const float dh = with_gh ? gh[gh0 + one] : 0.0f;
  const float dc = (with_gc ? gc[gc0 + one] : 0.0f) + dh * o * (1.0f - t * t);
  gz[gz0 + base] += dc * g * i * (1.0f - i);
  gz[gz0 + base + hidden] += dc * c_prev[c_prev0 + one] * f * (1.0f - f);
  gz[gz0 + base + 2 * hidden] += dc * i * (1.0f - g * g);
  gz[gz0 + base + 3 * hidden] += dh * t * o * (1.0f - o);
  if (with_gc_prev) gc_prev[gc_prev0 + one] += dc * f;
}

/*
 * The gated recurrent unit. z is [batch, 2 hidden]:
 *
 *   z row:   | r: hidden | u: hidden |
 *
 * Backward, a gradient counts as not wanted without its flag; those that are get their parts added.
 */
kernel void gru_reset_fwd(global float *y, ulong y0, const global float *z, ulong z0,
                          const global float *h, ulong h0, ulong batch, ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 2 * hidden + at, one = row * hidden + at;
  y[y0 + one] = logistic(z[z0 + base]) * h[h0 + one];
}

kernel void gru_reset_bwd(global float *gz, ulong gz0, uint with_gz, global float *gh, ulong gh0,
                          uint with_gh, const global float *gy, ulong gy0, const global float *z,
                          ulong z0, const global float *h, ulong h0, ulong batch, ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 2 * hidden + at, one = row * hidden + at;
  const float r = logistic(z[z0 + base]), g = gy[gy0 + one];
  if (with_gz) gz[gz0 + base] += g * h[h0 + one] * r * (1.0f - r);
  if (with_gh) gh[gh0 + one] += g * r;
}

kernel void gru_cell_fwd(global float *y, ulong y0, const global float *z, ulong z0,
                         const global float *h, ulong h0, const global float *candidate,
                         ulong candidate0, ulong batch, ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong one = row * hidden + at;
  const float u = logistic(z[z0 + row * 2 * hidden + hidden + at]);
  y[y0 + one] = u * h[h0 + one] + (1.0f - u) * quick_tanh(candidate[candidate0 + one]);
}

kernel void gru_cell_bwd(global float *gz, ulong gz0, uint with_gz, global float *gh, ulong gh0,
                         uint with_gh, global float *gcandidate, ulong gcandidate0,
                         uint with_gcandidate, const global float *gy, ulong gy0,
                         const global float *z, ulong z0, const global float *h, ulong h0,
                         const global float *candidate, ulong candidate0, ulong batch,
                         ulong hidden) {
  const ulong at = get_global_id(0), row = get_global_id(1);
  if (at >= hidden) return;
  const ulong base = row * 2 * hidden + hidden + at, one = row * hidden + at;
  const float u = logistic(z[z0 + base]), t = quick_tanh(candidate[candidate0 + one]);
  const float g = gy[gy0 + one];
  if (with_gz) gz[gz0 + base] += g * (h[h0 + one] - t) * u * (1.0f - u);
  if (with_gh) gh[gh0 + one] += g * u;
  if (with_gcandidate) gcandidate[gcandidate0 + one] += g * (1.0f - u) * (1.0f - t * t);
}
