/*
 * C = alpha * A B + beta * C for any strides, so that transposes are only other strides.
 *
 *              k                      one group: TILE x TILE of C, SIDE x SIDE work items
 *           +------+
 *        B  | DEPTH|  each step          item (x, y) holds EACH x EACH sums of C:
 *           | x    |  loads two            rows    y, y + SIDE, y + 2 SIDE, ...
 *           | TILE |  slabs into           columns x, x + SIDE, x + 2 SIDE, ...
 *           +------+  local memory       so neighbours in x read and write neighbours in memory
 *    A               C
 *   +----------+    +------+             local memory: 2 * DEPTH * (TILE + 1) floats, 4 KiB; a slab
 *   | TILE     |    | TILE |             is kept [k][line], a line being a row of A or a column
 *   | x DEPTH >|    | xTILE|             of B, one float wider than TILE so that writing it along
 *   +----------+    +------+             k meets different banks
 *
 * Edges: lines and k outside the matrix are loaded as zeros, stores are guarded; every item meets every
 * barrier. Products of a batch lie below each other in the second dimension of groups.
 */
#ifndef TILE
#define TILE 32
#endif
#ifndef DEPTH
#define DEPTH 16
#endif
#ifndef EACH
#define EACH 4
#endif
#define SIDE (TILE / EACH)

/* slab[kk][line] = x at (line0 + line, k0 + kk); neighbouring items read neighbouring memory. */
inline void load_slab(local float slab[DEPTH][TILE + 1], const global float *x, uint line0,
                      uint lines, uint k0, uint k, ulong line_step, ulong k_step) {
  const uint item = (uint)(get_local_id(1) * SIDE + get_local_id(0));
  for (uint i = item; i < TILE * DEPTH; i += SIDE * SIDE) {
    const uint line = k_step == 1 ? i / DEPTH : i % TILE;
    const uint kk = k_step == 1 ? i % DEPTH : i / TILE;
    const bool inside = line0 + line < lines && k0 + kk < k;
    slab[kk][line] = inside ? x[(line0 + line) * line_step + (k0 + kk) * k_step] : 0.0f;
  }
}

/* a [m, k], b [k, n] and c [m, n] at steps of a_row, a_col, ... elements; groups_down = ceil(m / TILE).
 * beta = 0 does not read c; k = 0 reads neither a nor b. */
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
matmul(global float *c, ulong c0, const global float *a, ulong a0, const global float *b, ulong b0,
       uint m, uint n, uint k, ulong c_row, ulong a_row, ulong a_col, ulong b_row, ulong b_col,
       ulong c_batch, ulong a_batch, ulong b_batch, uint groups_down, float alpha, float beta) {
  local float a_slab[DEPTH][TILE + 1], b_slab[DEPTH][TILE + 1];
  const uint x = (uint)get_local_id(0), y = (uint)get_local_id(1);
  const uint batch = (uint)get_group_id(1) / groups_down;
  const uint row0 = (uint)get_group_id(1) % groups_down * TILE, col0 = (uint)get_group_id(0) * TILE;
  float sum[EACH][EACH];
  for (uint i = 0; i < EACH; i++)
    for (uint j = 0; j < EACH; j++)
      sum[i][j] = 0.0f;

  for (uint k0 = 0; k0 < k; k0 += DEPTH) {
    load_slab(a_slab, a + a0 + batch * a_batch, row0, m, k0, k, a_row, a_col);
    load_slab(b_slab, b + b0 + batch * b_batch, col0, n, k0, k, b_col, b_row);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint kk = 0; kk < DEPTH; kk++)
      for (uint i = 0; i < EACH; i++) {
        const float left = a_slab[kk][y + i * SIDE];
        for (uint j = 0; j < EACH; j++)
          sum[i][j] = fma(left, b_slab[kk][x + j * SIDE], sum[i][j]);
      }
    barrier(CLK_LOCAL_MEM_FENCE);
  }

  c += c0 + batch * c_batch;
  for (uint i = 0; i < EACH; i++)
    for (uint j = 0; j < EACH; j++) {
      const uint row = row0 + y + i * SIDE, col = col0 + x + j * SIDE;
      if (row >= m || col >= n) continue;
      global float *at = c + row * c_row + col;
      *at = beta == 0.0f ? alpha * sum[i][j] : fma(beta, *at, alpha * sum[i][j]);
    }
}

/* Every row of c [.., n] = row: what a product is then added to. */
kernel void start_rows(global float *c, ulong c0, const global float *row, ulong row0, ulong n, ulong c_row) {
  const ulong j = get_global_id(0), i = get_global_id(1);
  if (j < n) c[c0 + i * c_row + j] = row[row0 + j];
}
