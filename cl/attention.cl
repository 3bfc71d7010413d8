/*
 * Additive attention. Rows are [images * each]: the `each` rows of an image lie together.
 *
 *   query [rows, size]   keys [images, regions, size]   values [images, regions, width]
 *   w     [rows, regions]                               y      [rows, width]
 */

/* One group per row: scores, their softmax over the regions that count, and the weighted sum. */
kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1))) void
additive_fwd(global float *y, ulong y0, global float *w, ulong w0, const global float *query,
             ulong query0, const global float *keys, ulong keys0, const global float *values,
             ulong values0, const global float *v, ulong v0, const global float *mask, ulong mask0,
             uint with_mask, uint each, uint regions, uint size, uint width) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), image = row / each;
  const global float *q = query + query0 + row * size;
  global float *wr = w + w0 + row * regions;
  float top = -INFINITY;
  for (uint s = lid; s < regions; s += REDUCE) {
    const bool counts = !with_mask || mask[mask0 + image * regions + s] != 0.0f;
    const global float *key = keys + keys0 + (image * regions + s) * size;
    float score = 0.0f;
    if (counts)
      for (uint c = 0; c < size; c++) score += v[v0 + c] * quick_tanh(key[c] + q[c]);
    else
      score = -INFINITY;
    wr[s] = score;
    top = fmax(top, score);
  }
  top = group_max(top, room);
  float total = 0.0f;
  for (uint s = lid; s < regions; s += REDUCE) {
    const float e = exp(wr[s] - top);
    wr[s] = e;
    total += e;
  }
  total = group_sum(total, room);
  for (uint s = lid; s < regions; s += REDUCE) wr[s] /= total;
  barrier(CLK_GLOBAL_MEM_FENCE);
  for (uint h = lid; h < width; h += REDUCE) {
    const global float *value = values + values0 + image * regions * width + h;
    float sum = 0.0f;
    for (uint s = 0; s < regions; s++) sum += wr[s] * value[(ulong)s * width];
    y[y0 + row * width + h] = sum;
  }
}

/* One group per row: ge[row, s], the gradient of the scores, and gquery's part. */
kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1))) void
additive_bwd_scores(global float *ge, ulong ge0, global float *gquery, ulong gquery0,
                    const global float *gy, ulong gy0, const global float *w, ulong w0,
                    const global float *query, ulong query0, const global float *keys, ulong keys0,
                    const global float *values, ulong values0, const global float *v, ulong v0,
                    uint with_gquery, uint each, uint regions, uint size, uint width) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), image = row / each;
  const global float *wr = w + w0 + row * regions, *g = gy + gy0 + row * width;
  global float *ger = ge + ge0 + row * regions;
  float dot = 0.0f;
  for (uint s = lid; s < regions; s += REDUCE) {
    const global float *value = values + values0 + (image * regions + s) * width;
    float gw = 0.0f;
    for (uint h = 0; h < width; h++) gw += g[h] * value[h];
    ger[s] = gw;
    dot += wr[s] * gw;
  }
  dot = group_sum(dot, room);
  for (uint s = lid; s < regions; s += REDUCE) ger[s] = wr[s] * (ger[s] - dot);
  barrier(CLK_GLOBAL_MEM_FENCE);
  for (uint c = lid; with_gquery && c < size; c += REDUCE) {
    const float q = query[query0 + row * size + c];
    const global float *key = keys + keys0 + image * regions * size + c;
    float sum = 0.0f;
    for (uint s = 0; s < regions; s++) {
      const float t = quick_tanh(key[(ulong)s * size] + q);
      sum += ger[s] * (1.0f - t * t);
    }
    gquery[gquery0 + row * size + c] += sum * v[v0 + c];
  }
}

/* One item per (image, c): gkeys[image, :, c], and gv's part of this image in partial[image, c]. */
kernel void additive_bwd_keys(global float *gkeys, ulong gkeys0, global float *partial,
                              ulong partial0, const global float *ge, ulong ge0,
                              const global float *query, ulong query0, const global float *keys,
                              ulong keys0, const global float *v, ulong v0, uint with_gkeys,
                              uint each, uint regions, uint size) {
  const uint c = (uint)get_global_id(0);
  const ulong image = get_global_id(1);
  if (c >= size) return;
  const float vc = v[v0 + c];
  float gv = 0.0f;
  for (uint s = 0; s < regions; s++) {
    const ulong at = (image * regions + s) * size + c;
    const float key = keys[keys0 + at];
    float gkey = 0.0f;
    for (uint r = 0; r < each; r++) {
      const ulong row = image * each + r;
      const float t = quick_tanh(key + query[query0 + row * size + c]);
      const float g = ge[ge0 + row * regions + s];
      gv += g * t;
      gkey += g * (1.0f - t * t);
    }
    if (with_gkeys) gkeys[gkeys0 + at] += gkey * vc;
  }
  partial[partial0 + image * size + c] = gv;
}

/* gv[c] += sum over images of partial[image, c] */
kernel void additive_bwd_v(global float *gv, ulong gv0, const global float *partial, ulong partial0,
                           uint images, uint size) {
  const uint c = (uint)get_global_id(0);
  if (c >= size) return;
  float sum = 0.0f;
  for (uint i = 0; i < images; i++) sum += partial[partial0 + (ulong)i * size + c];
  gv[gv0 + c] += sum;
}

/* One item per (image and region, h): gvalues += sum over the image's rows of w gy */
kernel void additive_bwd_values(global float *gvalues, ulong gvalues0, const global float *w,
                                ulong w0, const global float *gy, ulong gy0, uint each,
                                uint regions, uint width) {
  const uint h = (uint)get_global_id(0);
  const ulong place = get_global_id(1), image = place / regions, s = place % regions;
  if (h >= width) return;
  float sum = 0.0f;
  for (uint r = 0; r < each; r++) {
    const ulong row = image * each + r;
    sum += w[w0 + row * regions + s] * gy[gy0 + row * width + h];
  }
  gvalues[gvalues0 + place * width + h] += sum;
}
