/*
 * Additive attention. The rows of an image lie together, `each` of them; or, with_rows, rows are in any order:
 * owners[row] is a row's image, and members[image, :each] are its rows in ascending order, of which those from
 * `rows` on are absent.
 *
 *   query [rows, size]   keys [images, regions, size]   values [images, regions, width]
 *   w     [rows, regions]                               y      [rows, width]
 */

/* The image of a row; one that does not exist counts as the last. */
inline ulong image_of(const global int *owners, ulong owners0, uint with_rows, ulong row, uint each,
                      uint images) {
  return with_rows ? (ulong)min((uint)owners[owners0 + row], images - 1) : row / each;
}

/* The r-th row of an image; `rows` or more where there is none. */
inline ulong member_of(const global int *members, ulong members0, uint with_rows, ulong image, uint r,
                       uint each) {
  const ulong at = image * each + r;
  return with_rows ? (ulong)members[members0 + at] : at;
}

/* Word i of a generator from counter on. */
inline uint word_at(ulong seed, ulong stream, ulong counter, ulong i) {
  const uint4 words = philox(seed, stream, counter + i / 4);
  return i % 4 == 0 ? words.s0 : i % 4 == 1 ? words.s1 : i % 4 == 2 ? words.s2 : words.s3;
}

/* v . tanh(key + q), eight at a time */
inline float score_of(const global float *v, const global float *key, const global float *q,
                      uint size) {
  const uint whole = size / 8 * 8;
  float8 sums = (float8)(0.0f);
  for (uint c = 0; c < whole; c += 8)
    sums += vload8(0, v + c) * quick_tanh8(vload8(0, key + c) + vload8(0, q + c));
  float score = sum8(sums);
  for (uint c = whole; c < size; c++) score += v[c] * quick_tanh(key[c] + q[c]);
  return score;
}

/* a . b, eight at a time */
inline float dot_of(const global float *a, const global float *b, uint n) {
  const uint whole = n / 8 * 8;
  float8 sums = (float8)(0.0f);
  for (uint i = 0; i < whole; i += 8) sums += vload8(0, a + i) * vload8(0, b + i);
  float sum = sum8(sums);
  for (uint i = whole; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* One group per row: scores, their softmax over the regions that count, and the weighted sum of values. With dropout
 * the values are weighted by `used`, where w's element i is 0 or divided, as word i % 4 at counter + i / 4 says;
 * without it `used` is w. */
kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1))) void
additive_fwd(global float *y, ulong y0, global float *w, ulong w0, global float *used, ulong used0,
             const global float *query, ulong query0, const global float *keys, ulong keys0, const global float *values,
             ulong values0, const global float *v, ulong v0, const global float *mask, ulong mask0,
             uint with_mask, const global int *owners, ulong owners0, uint with_rows, uint images,
             uint each, uint regions, uint size, uint width, uint with_dropout, ulong seed, ulong stream,
             ulong counter, uint threshold, float scale) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), image = image_of(owners, owners0, with_rows, row, each, images);
  const global float *q = query + query0 + row * size;
  global float *wr = w + w0 + row * regions, *ur = used + used0 + row * regions;
  float top = -INFINITY;
  for (uint s = lid; s < regions; s += REDUCE) {
    const bool counts = !with_mask || mask[mask0 + image * regions + s] != 0.0f;
    const global float *key = keys + keys0 + (image * regions + s) * size;
    const float score = counts ? score_of(v + v0, key, q, size) : -INFINITY;
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
  for (uint s = lid; s < regions; s += REDUCE) {
    const float p = wr[s] / total;
    wr[s] = p;
    if (with_dropout) ur[s] = word_at(seed, stream, counter, row * regions + s) >= threshold ? p * scale : 0.0f;
  }
  barrier(CLK_GLOBAL_MEM_FENCE);
  const uint whole = width / 8 * 8;
  const global float *value = values + values0 + image * regions * width;
  for (uint h = 8 * lid; h < whole; h += 8 * REDUCE) {
    float8 sum = (float8)(0.0f);
    for (uint s = 0; s < regions; s++) sum += ur[s] * vload8(0, value + (ulong)s * width + h);
    vstore8(sum, 0, y + y0 + row * width + h);
  }
  for (uint h = whole + lid; h < width; h += REDUCE) {
    float sum = 0.0f;
    for (uint s = 0; s < regions; s++) sum += ur[s] * value[(ulong)s * width + h];
    y[y0 + row * width + h] = sum;
  }
}

/* One group per row: ge[row, s], the gradient of the scores, used_s a_s - w_s sum_r used_r a_r with a_s = gy . value_s,
 * whatever dropout made of w; then gquery's part and t = tanh(key + query), [rows,
 * regions, size], for additive_bwd_keys, without with_tanh neither. */
kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1))) void
additive_bwd_scores(global float *ge, ulong ge0, global float *tanhs, ulong tanhs0,
                    global float *gquery, ulong gquery0,
                    const global float *gy, ulong gy0, const global float *w, ulong w0,
                    const global float *used, ulong used0,
                    const global float *query, ulong query0, const global float *keys, ulong keys0,
                    const global float *values, ulong values0, const global float *v, ulong v0,
                    uint with_tanh, uint with_gquery, const global int *owners, ulong owners0, uint with_rows,
                    uint images, uint each, uint regions, uint size, uint width) {
  local float room[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong row = get_group_id(0), image = image_of(owners, owners0, with_rows, row, each, images);
  const global float *wr = w + w0 + row * regions, *ur = used + used0 + row * regions;
  const global float *g = gy + gy0 + row * width;
  global float *ger = ge + ge0 + row * regions;
  float dot = 0.0f;
  for (uint s = lid; s < regions; s += REDUCE) {
    const global float *value = values + values0 + (image * regions + s) * width;
    const float part = ur[s] * dot_of(g, value, width);
    ger[s] = part;
    dot += part;
  }
  dot = group_sum(dot, room);
  for (uint s = lid; s < regions; s += REDUCE) ger[s] -= wr[s] * dot;
  barrier(CLK_GLOBAL_MEM_FENCE);
  if (!with_tanh) return; // no barrier follows
  const global float *q = query + query0 + row * size;
  const global float *key = keys + keys0 + image * regions * size;
  global float *gq = gquery + gquery0 + row * size;
  global float *tr = tanhs + tanhs0 + row * regions * size;
  const uint whole = size / 8 * 8;
  for (uint c = 8 * lid; c < whole; c += 8 * REDUCE) {
    const float8 qc = vload8(0, q + c);
    float8 sum = (float8)(0.0f);
    for (uint s = 0; s < regions; s++) {
      const float8 t = quick_tanh8(vload8(0, key + (ulong)s * size + c) + qc);
      vstore8(t, 0, tr + (ulong)s * size + c);
      sum += ger[s] * (1.0f - t * t);
    }
    if (with_gquery) vstore8(vload8(0, gq + c) + sum * vload8(0, v + v0 + c), 0, gq + c);
  }
  for (uint c = whole + lid; c < size; c += REDUCE) {
    float sum = 0.0f;
    for (uint s = 0; s < regions; s++) {
      const float t = quick_tanh(key[(ulong)s * size + c] + q[c]);
      tr[(ulong)s * size + c] = t;
      sum += ger[s] * (1.0f - t * t);
    }
    if (with_gquery) gq[c] += sum * v[v0 + c];
  }
}

/*
 * gkeys[image, :, c], and gv's part of this image in partial[image, c]. One item per (image, eight c); the last
 * one of an image takes what is left, one by one.
 */
kernel void additive_bwd_keys(global float *gkeys, ulong gkeys0, global float *partial,
                              ulong partial0, const global float *ge, ulong ge0,
                              const global float *tanhs, ulong tanhs0, const global float *v,
                              ulong v0, uint with_gkeys,
                              const global int *members, ulong members0, uint with_rows, uint rows,
                              uint each, uint regions, uint size) {
  const uint c = 8 * (uint)get_global_id(0);
  const ulong image = get_global_id(1);
  if (c >= size) return;
  if (c + 8 <= size) {
    const float8 vc = vload8(0, v + v0 + c);
    float8 gv = (float8)(0.0f);
    for (uint s = 0; s < regions; s++) {
      const ulong at = (image * regions + s) * size + c;
      float8 gkey = (float8)(0.0f);
      for (uint r = 0; r < each; r++) {
        const ulong row = member_of(members, members0, with_rows, image, r, each);
        if (row >= rows) break;
        const float8 t = vload8(0, tanhs + tanhs0 + (row * regions + s) * size + c);
        const float g = ge[ge0 + row * regions + s];
        gv += g * t;
        gkey += g * (1.0f - t * t);
      }
      if (with_gkeys)
        vstore8(vload8(0, gkeys + gkeys0 + at) + gkey * vc, 0, gkeys + gkeys0 + at);
    }
    vstore8(gv, 0, partial + partial0 + image * size + c);
    return;
  }
  for (uint d = c; d < size; d++) {
    float gv = 0.0f;
    for (uint s = 0; s < regions; s++) {
      const ulong at = (image * regions + s) * size + d;
      float gkey = 0.0f;
      for (uint r = 0; r < each; r++) {
        const ulong row = member_of(members, members0, with_rows, image, r, each);
        if (row >= rows) break;
        const float t = tanhs[tanhs0 + (row * regions + s) * size + d];
        const float g = ge[ge0 + row * regions + s];
        gv += g * t;
        gkey += g * (1.0f - t * t);
      }
      if (with_gkeys) gkeys[gkeys0 + at] += gkey * v[v0 + d];
    }
    partial[partial0 + image * size + d] = gv;
  }
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

/* One item per (image and region, eight h): gvalues += sum over the image's rows of used gy; the last item of a region
 * takes what is left, one by one. */
kernel void additive_bwd_values(global float *gvalues, ulong gvalues0, const global float *used,
                                ulong used0, const global float *gy, ulong gy0,
                                const global int *members, ulong members0, uint with_rows, uint rows,
                                uint each, uint regions, uint width) {
  const uint h = 8 * (uint)get_global_id(0);
  const ulong place = get_global_id(1), image = place / regions, s = place % regions;
  if (h >= width) return;
  global float *out = gvalues + gvalues0 + place * width;
  if (h + 8 <= width) {
    float8 sum = vload8(0, out + h);
    for (uint r = 0; r < each; r++) {
      const ulong row = member_of(members, members0, with_rows, image, r, each);
      if (row >= rows) break;
      sum += used[used0 + row * regions + s] * vload8(0, gy + gy0 + row * width + h);
    }
    vstore8(sum, 0, out + h);
    return;
  }
  for (uint d = h; d < width; d++) {
    float sum = 0.0f;
    for (uint r = 0; r < each; r++) {
      const ulong row = member_of(members, members0, with_rows, image, r, each);
      if (row >= rows) break;
      sum += used[used0 + row * regions + s] * gy[gy0 + row * width + d];
    }
    out[d] += sum;
  }
}
