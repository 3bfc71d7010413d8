/*
 * Optimiser steps in place, one work item per element: limit the gradient, add the weight decay, step, and
 * keep what a mask removes at 0. A clip of 0 or less limits nothing; without a mask `masked` is 0 and the
 * mask argument is not read.
 */
#define STEP_ARGS                                                                                  \
  const global float *g, ulong g0, const global float *mask, ulong mask0, ulong n, uint masked,    \
      float decay, float clip

inline float limited(float g, float clip) {
  if (clip <= 0.0f) return g;
  return g < -clip ? -clip : (g > clip ? clip : g); // NaN stays NaN
}

/* v = momentum * v + g; w -= rate * v; without momentum v is not touched */
kernel void sgd_step(global float *w, ulong w0, global float *v, ulong v0, STEP_ARGS, float rate,
                     float momentum) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float old = w[w0 + i];
  float step = limited(g[g0 + i], clip) + decay * old;
  if (momentum != 0.0f) v[v0 + i] = step = momentum * v[v0 + i] + step;
  const int gone = masked && mask[mask0 + i] == 0.0f;
  w[w0 + i] = gone ? 0.0f : old - rate * step;
}

/* c = 1 - b; m = b1 m + c1 g; v = b2 v + c2 g^2; w -= rate * m / (sqrt(v) * scale + eps) */
kernel void adam_step(global float *w, ulong w0, global float *m, ulong m0, global float *v,
                      ulong v0, STEP_ARGS, float rate, float b1, float c1, float b2,
                      float c2, float scale, float eps) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const float old = w[w0 + i];
  const float step = limited(g[g0 + i], clip) + decay * old;
  const float mean = b1 * m[m0 + i] + c1 * step;
  const float square = b2 * v[v0 + i] + c2 * step * step;
  m[m0 + i] = mean;
  v[v0 + i] = square;
  const int gone = masked && mask[mask0 + i] == 0.0f;
  w[w0 + i] = gone ? 0.0f : old - rate * mean / (sqrt(square) * scale + eps);
}
