/*
 * x is packed first, in tiles of rows that lie [input][row]; then each panel is read once from
 * memory, DEPTH inputs (64 KiB) at a time, which stay in the second-level cache for all tiles while
 * the first two tiles have the next DEPTH inputs fetched. The innermost piece, a tile of `rows` x
 * LAC_PANEL sums, lives in registers:
 *
 *             panel: 32 outputs                      AVX-512  13 rows x 32 outputs = 26 of 32
 * registers
 *            +--------------------+                  AVX2      6 rows x 16         = 12 of 16
 *            | one input at a time|  DEPTH           other     6 rows x 8          = 12 of 16 (SSE,
 * NEON)
 *            +--------------------+
 *    +-----+  rows x 32 sums, += x[input][row] * panel[input][output]
 *    | x   |
 *    +-----+
 *
 * With one to three rows the sums are too few to keep the multipliers busy, so inputs i, i + 1, ...
 * go to sums of their own ("chains") that are added up at the end.
 */
#include "gemm/packed.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
  DEPTH = 512,
  STRIP = 8,  // panels filled at a time
  CHUNK = 16, // a cache line of each row at a time where rows become columns
};

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* What is asked for with product t. */
static inline void fetch_ahead(const lac_series *s, uint32_t rows, uint32_t t) {
  const uint32_t last = t + 2 < s->count ? t + 2 : s->count - 1;
  __builtin_prefetch(s->words[last] + s->first_word);
  __builtin_prefetch(s->words[last] + s->first_word + rows - 1);
  for (uint64_t r = rows * t / s->count; r < rows * (t + 1) / s->count; r++)
    for (uint32_t k = 0; k < LAC_SERIES_AHEAD; k++) {
      if (!s->ahead[k]) continue;
      __builtin_prefetch(s->ahead[k] + r * s->ahead_gap, 1);
      __builtin_prefetch(s->ahead[k] + r * s->ahead_gap + LAC_PANEL / 2, 1);
    }
}

#if defined(__x86_64__)
typedef float vec16 __attribute__((vector_size(64)));
typedef float vec8 __attribute__((vector_size(32)));
typedef int32_t int8 __attribute__((vector_size(32)));
#define BITS8 ((int8){1, 2, 4, 8, 16, 32, 64, 128})

/* Half of a word, in a mask register for as long as it is needed: compilers would move it there for
 * every use. */
__attribute__((target("avx512f"))) static inline __mmask16 take_half(const uint32_t *word,
                                                                     int lane) {
  __mmask16 half;
  memcpy(&half, (const char *)word + lane / 8, sizeof half);
  __asm__("" : "+Yk"(half));
  return half;
}

#define TILE tile_avx512
#define BODY body_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC vec16
#define LANES 16
#define ACROSS 2
#define ROWS 13
#define FMA(a, b, c) (vec16) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define SERIES series_avx512
#define DRAWS draws_avx512
#define KEEP(a, bits) (vec16) _mm512_maskz_mov_ps((__mmask16)(bits), (__m512)(a))
#define BITS __mmask16
#define TAKE_BITS(word, lane) take_half(word, lane)
#define FMA_KEPT(a, b, c, bits)                                                                    \
  (vec16) _mm512_mask3_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c), bits)
#include "gemm/packed_tile.inc"

#define TILE tile_avx2
#define BODY body_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VEC vec8
#define LANES 8
#define ACROSS 2
#define ROWS 6
#define FMA(a, b, c) (vec8) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define SERIES series_avx2
#define DRAWS draws_avx2
#define KEEP(a, bits) (vec8)((int8)(a) & ((((int8){0} + (int32_t)(bits)) & BITS8) == BITS8))
#define BITS uint32_t
#define TAKE_BITS(word, lane) (*(word) >> (lane))
#define FMA_KEPT(a, b, c, bits) FMA(a, KEEP(b, bits), c)
#include "gemm/packed_tile.inc"
#endif

typedef float vec4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));
#define BITS4 ((int4){1, 2, 4, 8})

#define TILE tile_plain
#define BODY body_plain
#define TARGET
#define VEC vec4
#define LANES 4
#define ACROSS 2
#define ROWS 6
#define FMA(a, b, c) ((a) * (b) + (c))
#define SERIES series_plain
#define DRAWS draws_plain
#define KEEP(a, bits) (vec4)((int4)(a) & ((((int4){0} + (int32_t)(bits)) & BITS4) == BITS4))
#define BITS uint32_t
#define TAKE_BITS(word, lane) (*(word) >> (lane))
#define FMA_KEPT(a, b, c, bits) FMA(a, KEEP(b, bits), c)
#include "gemm/packed_tile.inc"

bool lac_packed_has(lac_packed_kind kind) {
#if defined(__x86_64__)
  if (kind == LAC_PACKED_AVX512) return __builtin_cpu_supports("avx512f");
  if (kind == LAC_PACKED_AVX2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return kind == LAC_PACKED_BEST || kind == LAC_PACKED_PLAIN;
}

const lac_tile *lac_packed_tile(lac_packed_kind wanted) {
  static const lac_tile kinds[LAC_PACKED_KINDS] = {
#if defined(__x86_64__)
    [LAC_PACKED_AVX512] = {13, tile_avx512, series_avx512},
    [LAC_PACKED_AVX2] = {6, tile_avx2, series_avx2},
#endif
    [LAC_PACKED_PLAIN] = {6, tile_plain, series_plain},
  };
  if (wanted == LAC_PACKED_BEST)
    for (wanted = LAC_PACKED_BEST + 1; !lac_packed_has(wanted);)
      wanted++;
  return &kinds[wanted];
}

uint64_t lac_packed_panels(uint64_t n) {
  return (n + LAC_PANEL - 1) / LAC_PANEL;
}

/* to[i][r] = from[r][i] for four r and `count` i; rows of `to` are `width` apart, of `from` `row`.
 */
static void take_four(float *to, uint64_t width, const float *from, uint64_t row, uint64_t count) {
  uint64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    vec4 a, b, c, d; // not an array: compilers would keep that in memory
    memcpy(&a, from + i, sizeof a);
    memcpy(&b, from + row + i, sizeof b);
    memcpy(&c, from + 2 * row + i, sizeof c);
    memcpy(&d, from + 3 * row + i, sizeof d);
    const vec4 low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const vec4 high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const vec4 low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const vec4 high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    a = __builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5);
    b = __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7);
    c = __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5);
    d = __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7);
    memcpy(to + i * width, &a, sizeof a);
    memcpy(to + (i + 1) * width, &b, sizeof b);
    memcpy(to + (i + 2) * width, &c, sizeof c);
    memcpy(to + (i + 3) * width, &d, sizeof d);
  }
  for (; i < count; i++)
    for (uint64_t r = 0; r < 4; r++)
      to[i * width + r] = from[r * row + i];
}

/* to[i][r] = from[r][i] for r < count and i < depth. A cache line of each row is used up before the
 * next: rows that lie a power of two apart push each other out. */
static void take_columns(float *to, uint64_t width, const float *from, uint64_t row, uint64_t count,
                         uint64_t depth) {
  for (uint64_t i0 = 0; i0 < depth; i0 += CHUNK) {
    const uint64_t chunk = depth - i0 < CHUNK ? depth - i0 : CHUNK;
    float *start = to + i0 * width;
    uint64_t r = 0;
    for (; r + 4 <= count; r += 4)
      take_four(start + r, width, from + r * row + i0, row, chunk);
    for (; r < count; r++)
      for (uint64_t i = 0; i < chunk; i++)
        start[i * width + r] = from[r * row + i0 + i];
  }
}

/* to[i][r] = from[i][r] for r < count and i < depth. */
static void take_rows(float *to, uint64_t width, const float *from, uint64_t row, uint64_t count,
                      uint64_t depth) {
  for (uint64_t i = 0; i < depth; i++, to += width, from += row) {
    uint64_t r = 0;
    for (; r + 4 <= count; r += 4)
      memcpy(to + r, from + r, 4 * sizeof *to);
    for (; r < count; r++)
      to[r] = from[r];
  }
}

/* Panels first .. end - 1 of w that lies [input][output]: several at a time, so that a row is read
 * on. */
static void take_panels(float *panels, const float *w, uint64_t w_in, uint64_t n, uint64_t k,
                        uint64_t first, uint64_t end) {
  for (uint64_t i = 0; i < k; i++)
    for (uint64_t panel = first; panel < end; panel++) {
      const uint64_t at = panel * LAC_PANEL;
      float *to = panels + at * k + i * LAC_PANEL;
      const float *from = w + i * w_in + at;
      if (n - at >= LAC_PANEL)
        memcpy(to, from, LAC_PANEL * sizeof *to); // of a known size: no call
      else
        for (uint64_t r = 0; r < LAC_PANEL; r++)
          to[r] = r < n - at ? from[r] : 0;
    }
}

void lac_packed_fill(float *panels, const float *w, uint64_t w_out, uint64_t w_in, uint64_t n,
                     uint64_t k, uint64_t first, uint64_t end) {
  if (w_out == 1) {
    for (; first < end; first += STRIP)
      take_panels(panels, w, w_in, n, k, first, first + STRIP < end ? first + STRIP : end);
    return;
  }
  for (uint64_t panel = first; panel < end; panel++) {
    float *to = panels + panel * LAC_PANEL * k;
    const uint64_t outputs = n - panel * LAC_PANEL < LAC_PANEL ? n - panel * LAC_PANEL : LAC_PANEL;
    if (outputs < LAC_PANEL) memset(to, 0, k * LAC_PANEL * sizeof *to);
    take_columns(to, LAC_PANEL, w + panel * LAC_PANEL * w_out, w_out, outputs, k);
  }
}

// NOLINTBEGIN(clang-analyzer-core.UndefinedBinaryOperatorResult): a tile function has written the
// sums
/* y = alpha * sums + beta * from for one row of a tile, and only the outputs that exist. */
static inline void store_row(float *y, const float *from, const float *sums, uint64_t outputs,
                             float alpha, float beta) {
  uint64_t j = 0;
  for (; j + 4 <= outputs; j += 4) {
    vec4 sum, old = {0};
    memcpy(&sum, sums + j, sizeof sum);
    if (beta != 0) memcpy(&old, from + j, sizeof old);
    sum = beta == 0 ? alpha * sum : alpha * sum + beta * old;
    memcpy(y + j, &sum, sizeof sum);
  }
  for (; j < outputs; j++)
    y[j] = beta == 0 ? alpha * sums[j] : alpha * sums[j] + beta * from[j];
}

/* from_row is 0 where every row starts from the same. */
static void store_tile(float *y, uint64_t y_row, const float *from, uint64_t from_row,
                       const float *sums, uint32_t rows, uint64_t outputs, float alpha,
                       float beta) {
  for (uint32_t r = 0; r < rows; r++, y += y_row, from += from_row, sums += LAC_PANEL)
    store_row(y, from, sums, outputs, alpha, beta);
}

// NOLINTEND(clang-analyzer-core.UndefinedBinaryOperatorResult)

uint64_t lac_packed_tiles(const lac_packed_args *p) {
  const uint64_t rows = lac_packed_tile(p->kind)->rows;
  return (p->m + rows - 1) / rows; // NOLINT(clang-analyzer-core.DivideZero): no kind has 0
}

/* Tiles of nearly the same height: tile t starts at this row. */
static uint64_t tile_row(const lac_packed_args *p, uint64_t tiles, uint64_t t) {
  return p->m * t / tiles;
}

void lac_packed_take(const lac_packed_args *p, uint64_t first, uint64_t end) {
  const uint64_t tiles = lac_packed_tiles(p);
  for (uint64_t t = first; t < end; t++) {
    const uint64_t top = tile_row(p, tiles, t), height = tile_row(p, tiles, t + 1) - top;
    float *to = p->room + top * p->k;
    if (p->x_row == 1)
      take_rows(to, height, p->x + top, p->x_col, height, p->k);
    else
      take_columns(to, height, p->x + top * p->x_row, p->x_row, height, p->k);
  }
}

/* Inputs k0 .. k0 + depth - 1 of a panel, all rows. The first two tiles bring the panel's next part
 * nearer, or what follows the panel. */
static void multiply_block(const lac_packed_args *p, const lac_tile *best, uint64_t panel,
                           uint64_t k0, uint64_t depth) {
  _Alignas(64) float sums[LAC_TILE_ROWS_MAX * LAC_PANEL];
  const bool starts = k0 == 0 && p->start;
  const float beta = k0 == 0 && !starts ? p->beta : 1; // later blocks add to what the first stored
  const uint64_t left = p->n - panel * LAC_PANEL, outputs = left < LAC_PANEL ? left : LAC_PANEL;
  const uint64_t at = panel * p->panel_inputs + k0, tiles = lac_packed_tiles(p);
  const bool more = at + depth < lac_packed_panels(p->n) * p->panel_inputs;
  const float *w = p->panels + at * LAC_PANEL;
  for (uint64_t t = 0; t < tiles; t++) {
    const uint64_t top = tile_row(p, tiles, t), height = tile_row(p, tiles, t + 1) - top;
    const float *ahead = more && t < 2 ? w + depth * LAC_PANEL + t * depth * 16 : NULL;
    best->multiply((uint32_t)height, p->room + top * p->k + k0 * height, w,
                   p->words ? p->words + at : NULL, ahead, depth, sums);
    float *y = p->y + top * p->y_row + panel * LAC_PANEL;
    store_tile(y, p->y_row, starts ? p->start + panel * LAC_PANEL : y, starts ? 0 : p->y_row, sums,
               (uint32_t)height, outputs, p->alpha, beta);
  }
}

void lac_packed_product(const lac_packed_args *p, uint64_t first, uint64_t end) {
  const lac_tile *best = lac_packed_tile(p->kind);
  const uint64_t blocks = (p->k + DEPTH - 1) / DEPTH;
  for (uint64_t panel = first; panel < end; panel++)
    for (uint64_t b = 0; b < blocks; b++) {
      const uint64_t k0 = p->k * b / blocks;
      multiply_block(p, best, panel, k0, p->k * (b + 1) / blocks - k0);
    }
}
