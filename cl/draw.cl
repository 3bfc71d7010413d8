/*
 * Words drawn from scores [rows, n], a group of REDUCE work items per row.
 *
 * draw_allowed leaves -inf where a word cannot be drawn; draw_words draws from what that left, or from the scores
 * themselves. Weights are e^((z - top) sharp), exactly 0 where z is -inf. One random number u per row chooses: lane by
 * lane, eight by eight, word by word, the first at which the sum of weights exceeds u times the whole. Every order is
 * fixed by n alone.
 */

inline float8 weights8(float8 z, float top, float sharp) {
  return z == (float8)(-INFINITY) ? (float8)(0.0f) : bounded_exp8((z - top) * sharp);
}

inline float weight(float z, float top, float sharp) {
  return z == -INFINITY ? 0.0f : bounded_exp((z - top) * sharp);
}

/* What the words of the row with a score of at least `limit` come to: their weights, or (sharp = 0) their number. By
 * eights, as in row_max; NaN does not count, and no word where limit is NaN. */
inline float mass_from(const global float *z, ulong n, float limit, float top, float sharp, local float *room) {
  const ulong lid = get_local_id(0), whole = n - n % 8;
  float8 total = (float8)(0.0f);
  if (sharp > 0.0f) {
    for (ulong i = 8 * lid; i < whole; i += 8 * REDUCE) {
      const float8 v = vload8(0, z + i);
      total += v >= (float8)(limit) ? bounded_exp8((v - top) * sharp) : (float8)(0.0f);
    }
  } else {
    for (ulong i = 8 * lid; i < whole; i += 8 * REDUCE)
      total += vload8(0, z + i) >= (float8)(limit) ? (float8)(1.0f) : (float8)(0.0f);
  }
  if (whole + lid < n && z[whole + lid] >= limit)
    total.s0 += sharp > 0.0f ? bounded_exp((z[whole + lid] - top) * sharp) : 1.0f;
  return group_sum(sum8(total), room);
}

/* The float at a place in the order of all floats, counted in 32 bits; at 0 it is NaN. */
inline float float_at(uint place) {
  return as_float(place >> 31 ? place ^ 0x80000000u : ~place);
}

/* The largest score from which on words come to `goal` or more, NaN where none do; bit by bit from the top. */
inline float find_limit(const global float *z, ulong n, float goal, float top, float sharp, local float *room) {
  uint place = 0;
  for (uint bit = 0x80000000u; bit > 0; bit >>= 1)
    if (mass_from(z, n, float_at(place | bit), top, sharp, room) >= goal) place |= bit;
  return float_at(place);
}

/* -inf to scores below the limit; NaN stays */
inline void drop_below(global float *z, ulong n, float limit) {
  barrier(CLK_GLOBAL_MEM_FENCE); // others have looked at all scores
  for (ulong i = get_local_id(0); i < n; i += REDUCE)
    if (z[i] < limit) z[i] = -INFINITY;
  barrier(CLK_GLOBAL_MEM_FENCE);
}

/*
 * z = x less an amount (without `limited`: +inf) at some words of each row, no word twice, those outside of 0 .. n - 1
 * not counting, where that leaves any; then -inf at all but the top_k largest, and of these at all but the largest that have `nucleus`
 * of the weight. With equal values at the end of either choice all of them stay.
 */
GROUP_KERNEL void draw_allowed(global float *z, ulong z0, const global float *x, ulong x0, const global int *words,
                               ulong words0, const global float *amounts, ulong amounts0, ulong n, ulong count,
                               uint limited, uint top_k, float nucleus, float sharp) {
  local float room[REDUCE];
  const ulong row = get_group_id(0), lid = get_local_id(0);
  const global float *from = x + x0 + row * n;
  global float *to = z + z0 + row * n;
  for (ulong i = lid; i < n; i += REDUCE) to[i] = from[i];
  barrier(CLK_GLOBAL_MEM_FENCE);
  for (ulong j = lid; j < count; j += REDUCE) {
    const int word = words[words0 + row * count + j];
    if (word >= 0 && (ulong)word < n) to[word] -= limited ? amounts[amounts0 + row * count + j] : INFINITY;
  }
  barrier(CLK_GLOBAL_MEM_FENCE);
  const float left = row_max(to, n, room);
  barrier(CLK_GLOBAL_MEM_FENCE);
  if (left == -INFINITY)
    for (ulong i = lid; i < n; i += REDUCE) to[i] = from[i];
  barrier(CLK_GLOBAL_MEM_FENCE);
  const float top = row_max(to, n, room);
  if (top_k > 0) drop_below(to, n, find_limit(to, n, (float)top_k, top, 0.0f, room));
  if (nucleus < 1.0f) {
    const float whole = mass_from(to, n, -MAXFLOAT, top, sharp, room);
    drop_below(to, n, find_limit(to, n, nucleus * whole, top, sharp, room));
  }
}

/* The sum of a lane's weights: its eights, then what no eight holds, as in row_exp_sum. */
inline float lane_sum(const global float *z, ulong n, float top, float sharp) {
  const ulong lid = get_local_id(0), whole = n - n % 8;
  float8 total = (float8)(0.0f);
  for (ulong j = 8 * lid; j < whole; j += 8 * REDUCE) total += weights8(vload8(0, z + j), top, sharp);
  if (whole + lid < n) total.s0 += weight(z[whole + lid], top, sharp);
  return sum8(total);
}

/* The word of a lane at which its weights exceed `rest`: the last that has a weight, where rounding lets none. */
inline int find_word(const global float *z, ulong n, ulong lane, float rest, float top, float sharp) {
  const ulong whole = n - n % 8;
  int word = 0;
  float before = 0.0f;
  for (ulong j = 8 * lane; j < n; j += 8 * REDUCE) {
    if (j >= whole) break;
    const float eight = sum8(weights8(vload8(0, z + j), top, sharp));
    const bool here = before + eight > rest;
    if (!here && eight > 0.0f) word = (int)(j + 7);
    before += here ? 0.0f : eight;
    for (ulong i = j; here && i < j + 8; i++) {
      const float w = weight(z[i], top, sharp);
      before += w;
      if (w > 0.0f) word = (int)i;
      if (w > 0.0f && before > rest) return word;
    }
    if (here) return word;
  }
  if (whole + lane < n && weight(z[whole + lane], top, sharp) > 0.0f) return (int)(whole + lane);
  while (word > 0 && z[word] == -INFINITY) word--;
  return word;
}

/*
 * ids = a word of each row, drawn from z; logp = ln softmax(x) there, of the scores themselves. Row r takes the word
 * of Philox at counter + places[r], or + r. A row with NaN or without any finite score gives word 0 and NaN.
 */
GROUP_KERNEL void draw_words(global int *ids, ulong ids0, global float *logp, ulong logp0, const global float *z,
                             ulong z0, const global float *x, ulong x0, const global int *places, ulong places0,
                             ulong n, ulong seed, ulong stream, ulong counter, float sharp, uint placed, uint plain) {
  local float room[REDUCE];
  local float found[2];
  const ulong row = get_group_id(0), lid = get_local_id(0);
  const global float *drawn = z + z0 + row * n, *scores = x + x0 + row * n;
  const float top = row_max(drawn, n, room), own = lane_sum(drawn, n, top, sharp);
  float all = 0.0f, before = 0.0f;
  const float total = group_sum(own, room);
  barrier(CLK_LOCAL_MEM_FENCE);
  room[lid] = own;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (lid == 0) {
    const uint word = philox(seed, stream, counter + (placed ? (ulong)places[places0 + row] : row)).s0;
    uint lane = 0;
    for (uint i = 0; i < REDUCE; i++) all += room[i];
    const float goal = (float)(word >> 8) * 0x1p-24f * all;
    for (uint i = 0; i < REDUCE; i++) { // the last lane with a weight, or the first that passes the goal
      if (!(room[i] > 0.0f)) continue;
      lane = i;
      if (before + room[i] > goal) break;
      before += room[i];
    }
    found[0] = (float)lane;
    found[1] = goal - before;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const float lane = found[0], rest = found[1];
  const float high = plain ? top : row_max(scores, n, room);
  const float sum = plain ? total : row_exp_sum(scores, n, high, room);
  if (lid == 0) {
    const bool good = total > 0.0f; // not NaN
    const int word = good ? find_word(drawn, n, (ulong)lane, rest, top, sharp) : 0;
    ids[ids0 + row] = word;
    logp[logp0 + row] = good ? scores[word] - high - log(sum) : NAN;
  }
}
