/*
 * Scaled dot-product attention in segments. One head has `d` channels of q and k and `dv` of v and y.
 *
 *   q, k, v   rows q_step, k_step, v_step apart        y [rows, heads, dv]
 *   lse, delta [rows, heads]: ln of the sum of e^score; gy . y
 *   table     see layers/segments.h                     bias [segments, heads, bias_q, bias_k]
 *
 * A group works through the keys of a query, or the queries of a key, REDUCE at a time.
 */
#define CAUSAL 1
#define BIAS 2
#define DROPOUT 4
#define WANT_Q 8
#define WANT_K 16
#define WANT_V 32
#define WANT_BIAS 64

/* What all kernels are given. */
#define ATTEND_ARGS                                                                                \
  const global float *q, ulong q0, const global float *k, ulong k0, const global float *v,         \
      ulong v0, const global float *bias, ulong bias0, const global int *table, ulong table0,      \
      uint segments, uint groups, uint heads, uint d, uint dv, ulong q_step, ulong k_step,         \
      ulong v_step, uint bias_q, uint bias_k, uint flags, float scale, ulong seed, ulong stream,   \
      ulong counter, uint blocks, uint threshold, float keep

/* The last of n rows of four that begins at or before `at`. */
inline int4 find_row(const global int *rows, uint n, int at, uint *index) {
  uint low = 0, high = n; // rows[low] begins there, rows[high] does not
  while (high - low > 1) {
    const uint middle = (low + high) / 2;
    if (rows[4 * middle] <= at) low = middle;
    else high = middle;
  }
  *index = low;
  return vload4(low, rows);
}

inline float dot_of(const global float *a, const global float *b, uint n) {
  float sum = 0.0f;
  for (uint i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* What the probability of key j is multiplied by: 0, or `keep`. A row and head have `blocks` counters. */
inline float kept(ulong seed, ulong stream, ulong first, uint blocks, uint j, uint threshold,
                  float keep) {
  const uint4 w = philox(seed, stream, first + j % blocks);
  const uint which = j / blocks;
  const uint word = which == 0 ? w.s0 : which == 1 ? w.s1 : which == 2 ? w.s2 : w.s3;
  return word >= threshold ? keep : 0.0f;
}

/* One group per query row and head. A larger maximum scales what was summed before. */
GROUP_KERNEL void attend_fwd(global float *y, ulong y0, global float *lse, ulong lse0, ATTEND_ARGS) {
  local float room[REDUCE], p[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong item = get_group_id(0), row = item / heads, head = item % heads;
  uint at;
  const int4 segment = find_row(table + table0, segments, (int)row, &at);
  const uint place = (uint)row - segment.s0, n = flags & CAUSAL ? place + 1 : (uint)segment.s3;
  const global float *query = q + q0 + row * q_step + head * d;
  const global float *keys = k + k0 + segment.s2 * k_step + head * d;
  const global float *values = v + v0 + segment.s2 * v_step + head * dv;
  const global float *more = bias + bias0 + ((at * heads + head) * bias_q + place) * bias_k;
  global float *out = y + y0 + item * dv;
  float top = -INFINITY, total = 0.0f;
  for (uint begin = 0; begin < n; begin += REDUCE) {
    const uint j = begin + lid, some = min(n - begin, (uint)REDUCE);
    float score = -INFINITY, w = 0.0f, shrink = 1.0f;
    if (j < n) score = scale * dot_of(query, keys + j * k_step, d) + (flags & BIAS ? more[j] : 0.0f);
    const float new_top = fmax(top, group_max(score, room));
    if (new_top != -INFINITY) {
      if (j < n) w = bounded_exp(score - new_top);
      shrink = bounded_exp(top - new_top);
    }
    total = total * shrink + group_sum(w, room);
    top = new_top;
    p[lid] = w;
    if (flags & DROPOUT) p[lid] = w * kept(seed, stream, counter + item * blocks, blocks, j, threshold, keep);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint c = lid; c < dv; c += REDUCE) {
      float sum = 0.0f;
      for (uint i = 0; i < some; i++) sum += p[i] * values[(begin + i) * v_step + c];
      out[c] = begin ? out[c] * shrink + sum : sum;
    }
  }
  for (uint c = lid; c < dv; c += REDUCE) out[c] /= total;
  if (lid == 0) lse[lse0 + item] = top + log(total);
}

/* gq, gbias and delta; one group per query row and head. */
GROUP_KERNEL void attend_bwd_q(global float *gq, ulong gq0, ulong gq_step, global float *gbias,
                               ulong gbias0, global float *delta, ulong delta0,
                               const global float *gy, ulong gy0, const global float *y, ulong y0,
                               const global float *lse, ulong lse0, ATTEND_ARGS) {
  local float room[REDUCE], gscore[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const ulong item = get_group_id(0), row = item / heads, head = item % heads;
  uint at;
  const int4 segment = find_row(table + table0, segments, (int)row, &at);
  const uint place = (uint)row - segment.s0, n = flags & CAUSAL ? place + 1 : (uint)segment.s3;
  const global float *query = q + q0 + row * q_step + head * d, *g = gy + gy0 + item * dv;
  const global float *keys = k + k0 + segment.s2 * k_step + head * d;
  const global float *values = v + v0 + segment.s2 * v_step + head * dv;
  const ulong more = ((at * heads + head) * bias_q + place) * bias_k;
  global float *to = gq + gq0 + row * gq_step + head * d;
  float mine = 0.0f;
  for (uint c = lid; c < dv; c += REDUCE) mine += g[c] * y[y0 + item * dv + c];
  const float along = group_sum(mine, room);
  if (lid == 0) delta[delta0 + item] = along;
  for (uint begin = 0; begin < n; begin += REDUCE) {
    const uint j = begin + lid, some = min(n - begin, (uint)REDUCE);
    barrier(CLK_LOCAL_MEM_FENCE); // the part before may still be read
    if (j < n) {
      const float score =
          scale * dot_of(query, keys + j * k_step, d) + (flags & BIAS ? bias[bias0 + more + j] : 0.0f);
      float gp = dot_of(g, values + j * v_step, dv);
      if (flags & DROPOUT) gp *= kept(seed, stream, counter + item * blocks, blocks, j, threshold, keep);
      gscore[lid] = bounded_exp(score - lse[lse0 + item]) * (gp - along);
      if (flags & WANT_BIAS) gbias[gbias0 + more + j] += gscore[lid];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint c = lid; c < d && (flags & WANT_Q); c += REDUCE) {
      float sum = 0.0f;
      for (uint i = 0; i < some; i++) sum += gscore[i] * keys[(begin + i) * k_step + c];
      to[c] += scale * sum;
    }
  }
}

/* gk and gv, which may be one; one group per key row and head. */
GROUP_KERNEL void attend_bwd_kv(global float *gk, ulong gk0, ulong gk_step, global float *gv,
                                ulong gv0, ulong gv_step, const global float *gy, ulong gy0,
                                const global float *delta, ulong delta0, const global float *lse,
                                ulong lse0, ATTEND_ARGS) {
  local float p[REDUCE], gscore[REDUCE];
  const uint lid = (uint)get_local_id(0);
  const int row = (int)(get_group_id(0) / heads);
  const ulong head = get_group_id(0) % heads;
  const global int *rows = table + table0, *order = rows + 4 * (ulong)(segments + groups);
  const global float *key = k + k0 + row * k_step + head * d;
  const global float *value = v + v0 + row * v_step + head * dv;
  global float *to_k = gk + gk0 + row * gk_step + head * d;
  global float *to_v = gv + gv0 + row * gv_step + head * dv;
  uint unused;
  const int4 group = find_row(rows + 4 * (ulong)segments, groups, row, &unused);
  for (int o = group.s2; o < group.s3; o++) {
    const int4 segment = vload4(order[o], rows);
    const int j = row - segment.s2;
    if (j < 0 || j >= segment.s3) continue;
    for (int begin = flags & CAUSAL ? j : 0; begin < segment.s1; begin += REDUCE) {
      const int place = begin + (int)lid, some = min(segment.s1 - begin, REDUCE);
      const ulong item = (ulong)(segment.s0 + place) * heads + head;
      barrier(CLK_LOCAL_MEM_FENCE); // the part before may still be read
      if (place < segment.s1) {
        const ulong more = ((order[o] * heads + head) * bias_q + place) * bias_k + j;
        const float score = scale * dot_of(q + q0 + (segment.s0 + place) * q_step + head * d, key, d) +
                            (flags & BIAS ? bias[bias0 + more] : 0.0f);
        const float w = bounded_exp(score - lse[lse0 + item]);
        const float times =
            flags & DROPOUT ? kept(seed, stream, counter + item * blocks, blocks, j, threshold, keep) : 1.0f;
        p[lid] = w * times;
        gscore[lid] = w * (times * dot_of(gy + gy0 + item * dv, value, dv) - delta[delta0 + item]);
      }
      barrier(CLK_LOCAL_MEM_FENCE);
      for (uint c = lid; c < d && (flags & WANT_K); c += REDUCE) {
        float sum = 0.0f;
        for (int i = 0; i < some; i++)
          sum += gscore[i] * q[q0 + (segment.s0 + begin + i) * q_step + head * d + c];
        to_k[c] += scale * sum;
      }
      for (uint c = lid; c < dv && (flags & WANT_V); c += REDUCE) {
        float sum = 0.0f;
        for (int i = 0; i < some; i++)
          sum += p[i] * gy[gy0 + ((ulong)(segment.s0 + begin + i) * heads + head) * dv + c];
        to_v[c] += sum;
      }
    }
  }
}
