/*
 * A draw goes by 32 counters, which give 64 bits of each quarter. The upper 16 bits of u decide but
 * for one of their 65536 values, the limit of the element; only there the lower are drawn. Quarters
 * begin anywhere in a row, so a second pass reads them as a stream of bits, row by row, 32 columns
 * at a time, and turns blocks of 32 x 32 for the other order.
 *
 * u * odds < 1 is computed as (2^24 u) * odds < 2^24, which rounds in the same places.
 */
#include "sparse/bits.h"

#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
#include <immintrin.h>

typedef uint64_t wide8 __attribute__((vector_size(64)));
typedef uint32_t narrow16 __attribute__((vector_size(64)));
typedef int32_t signed16 __attribute__((vector_size(64)));
typedef float number16 __attribute__((vector_size(64)));
typedef uint16_t short16 __attribute__((vector_size(32)));
typedef uint64_t wide4 __attribute__((vector_size(32)));
typedef uint32_t narrow8 __attribute__((vector_size(32)));
typedef int32_t signed8 __attribute__((vector_size(32)));
typedef float number8 __attribute__((vector_size(32)));
typedef uint16_t short8 __attribute__((vector_size(16)));

#define DRAW draw_avx512
#define LIMITS limits_avx512
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw")))
#define LANES 8
#define WIDE wide8
#define NARROW narrow16
#define SIGNED signed16
#define NUMBER number16
#define SHORT short16
#define MUL(a, b) (wide8) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define MERGE(a, b)                                                                                \
  (narrow16) _mm512_mask_shuffle_epi32((__m512i)(a), 0xAAAA, (__m512i)(b), _MM_PERM_CCAA)
#define BELOW(x, y) _mm512_cmplt_epu16_mask((__m512i)(x), (__m512i)(y))
#define SAME(x, y) _mm512_cmpeq_epi16_mask((__m512i)(x), (__m512i)(y))
#include "sparse/bits_draw.inc"

/* Bits of the 16-bit lanes, each of which is all bits or none. */
static inline __attribute__((target("avx2"))) uint32_t lanes_avx2(__m256i x) {
  const uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(x, x));
  return (bits & 0xFF) | (bits >> 8 & 0xFF00);
}

#define DRAW draw_avx2
#define LIMITS limits_avx2
#define TARGET __attribute__((target("avx2")))
#define LANES 4
#define WIDE wide4
#define NARROW narrow8
#define SIGNED signed8
#define NUMBER number8
#define SHORT short8
#define MUL(a, b) (wide4) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define MERGE(a, b)                                                                                \
  (narrow8) _mm256_blend_epi32((__m256i)(a), _mm256_slli_epi64((__m256i)(b), 32), 0xAA)
#define SAME(x, y) lanes_avx2(_mm256_cmpeq_epi16((__m256i)(x), (__m256i)(y)))
#define BELOW(x, y) /* the larger is not x */                                                      \
  (lanes_avx2(_mm256_cmpeq_epi16(_mm256_max_epu16((__m256i)(x), (__m256i)(y)), (__m256i)(x))) ^    \
   0xFFFF)
#include "sparse/bits_draw.inc"
#endif

typedef uint64_t wide2 __attribute__((vector_size(16)));
typedef uint32_t narrow4 __attribute__((vector_size(16)));
typedef int32_t signed4 __attribute__((vector_size(16)));
typedef float number4 __attribute__((vector_size(16)));

typedef uint16_t short4 __attribute__((vector_size(8)));
typedef uint16_t short8_plain __attribute__((vector_size(16)));

static uint32_t below_plain(short8_plain x, short8_plain y) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < 8; i++)
    bits |= (uint32_t)(x[i] < y[i]) << i;
  return bits;
}

static uint32_t same_plain(short8_plain x, short8_plain y) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < 8; i++)
    bits |= (uint32_t)(x[i] == y[i]) << i;
  return bits;
}

#define DRAW draw_plain
#define LIMITS limits_plain
#define TARGET
#define LANES 2
#define WIDE wide2
#define NARROW narrow4
#define SIGNED signed4
#define NUMBER number4
#define SHORT short4
#define MUL(a, b) (((a)&0xFFFFFFFFu) * ((b)&0xFFFFFFFFu))
#define MERGE(a, b) (narrow4) __builtin_shufflevector((narrow4)(a), (narrow4)(b), 0, 4, 2, 6)
#define BELOW(x, y) below_plain((short8_plain)(x), (short8_plain)(y))
#define SAME(x, y) same_plain((short8_plain)(x), (short8_plain)(y))
#include "sparse/bits_draw.inc"

typedef struct functions {
  void (*draw)(const lac_rng *rng, const uint64_t keys[20], uint64_t counter,
               const uint16_t *limits, uint64_t part, uint64_t below[4], uint64_t same[4]);
  void (*limits)(uint16_t *limits, const float *odds, uint64_t n);
} functions;

static functions pick(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return (functions){draw_avx512, limits_avx512};
  if (__builtin_cpu_supports("avx2")) return (functions){draw_avx2, limits_avx2};
#endif
  return (functions){draw_plain, limits_plain};
}

static uint64_t count_of(const lac_bits_plan *plan) {
  return plan->rows * plan->columns;
}

/* Elements of a quarter: two per counter. */
static uint64_t part_of(const lac_bits_plan *plan) {
  return count_of(plan) / 8 * 2;
}

void lac_bits_lay_out(lac_bits_plan *plan) {
  const uint64_t row_panels = (plan->rows + 31) / 32;
  uint64_t start = 0, forward = 0, back = 0;
  for (uint32_t c = 0; c < plan->cuts; c++) {
    plan->start[c] = start;
    plan->forward[c] = forward;
    plan->back[c] = back;
    start += plan->width[c];
    forward += row_panels * plan->width[c];
    back += (plan->width[c] + 31) / 32 * plan->rows;
  }
  plan->forward_words = forward;
  plan->back_words = back;
  plan->lower = count_of(plan) / 8;
  plan->stride = part_of(plan) / 16 + 4; // reading 32 bits takes four words
}

uint64_t lac_bits_words(const lac_bits_plan *plan) {
  return 5 * plan->stride;
}

uint64_t lac_bits_blocks(const lac_bits_plan *plan) {
  return (count_of(plan) / 8 + LAC_BITS_BLOCK - 1) / LAC_BITS_BLOCK +
         (count_of(plan) > 0 && count_of(plan) < 8);
}

static void put_bit(uint16_t *words, uint64_t q, bool bit) {
  const uint16_t one = (uint16_t)(1u << q % 16);
  words[q / 16] = (uint16_t)(bit ? words[q / 16] | one : words[q / 16] & ~one);
}

static bool is_kept(uint32_t u24, float odds) {
  return (float)u24 * odds < 0x1p24f;
}

/* 16 bits of each of a counter's words */
static uint32_t half_of(const uint32_t words[4], uint64_t j, uint64_t which) {
  return words[j] >> 16 * which & 0xFFFF;
}

/* Whether element `half` of word j at counter q is kept, given the upper 16 bits. */
static bool settle(const lac_bits_plan *plan, const lac_rng *rng, uint64_t q, uint64_t j,
                   uint64_t half, uint32_t upper, float odds) {
  lac_rng at = {rng->seed, rng->stream, rng->counter + plan->lower + q};
  uint32_t words[4];
  lac_rng_draw(&at, words);
  return is_kept(upper << 8 | half_of(words, j, half) >> 8, odds);
}

/* Counters q .. end - 1 of all quarters */
static void draw_few(const lac_bits_plan *plan, uint16_t *quarters, const lac_rng *rng,
                     const float *odds, uint64_t q, uint64_t end) {
  uint32_t words[4];
  for (; q < end; q++) {
    lac_rng at = {rng->seed, rng->stream, rng->counter + q};
    lac_rng_draw(&at, words);
    for (uint64_t i = 0; i < 8; i++) {
      const uint64_t j = i / 2, half = i % 2, e = 2 * q + half;
      put_bit(quarters + j * plan->stride, e,
              settle(plan, rng, q, j, half, half_of(words, j, half), odds[j * part_of(plan) + e]));
    }
  }
}

/* The fifth: a word each, of the counters behind all others. */
static void draw_rest(const lac_bits_plan *plan, uint16_t *quarters, const lac_rng *rng,
                      const float *odds) {
  uint32_t words[4];
  for (uint64_t i = 0; i < count_of(plan) % 8; i++) {
    lac_rng at = {rng->seed, rng->stream, rng->counter + 2 * plan->lower + i / 4};
    lac_rng_draw(&at, words);
    put_bit(quarters + 4 * plan->stride, i,
            is_kept(words[i % 4] >> 8, odds[4 * part_of(plan) + i]));
  }
}

void lac_bits_limits(uint16_t *limits, const float *odds, uint64_t n) {
  const functions run = pick();
  const uint64_t whole = n / 16 * 16;
  float last[16] = {0};
  uint16_t found[16];
  run.limits(limits, odds, whole);
  if (whole == n) return;
  memcpy(last, odds + whole, (n - whole) * sizeof *last);
  run.limits(found, last, 16);
  memcpy(limits + whole, found, (n - whole) * sizeof *found);
}

/* 32 counters from q on */
static void put_drawn(const lac_bits_plan *plan, uint16_t *quarters, const lac_rng *rng,
                      const float *odds, const uint16_t *limits, uint64_t q, uint64_t below[4],
                      const uint64_t same[4]) {
  const uint64_t part = part_of(plan);
  for (uint64_t j = 0; j < 4; j++) {
    for (uint64_t open = same[j]; open; open &= open - 1) {
      const uint64_t i = (uint64_t)__builtin_ctzll(open), e = j * part + 2 * q + i;
      if (settle(plan, rng, q + i / 2, j, i % 2, limits[e], odds[e])) below[j] |= 1ull << i;
    }
    for (uint64_t word = 0; word < 4; word++)
      quarters[j * plan->stride + q / 8 + word] = (uint16_t)(below[j] >> 16 * word);
  }
}

void lac_bits_draw(const lac_bits_plan *plan, uint16_t *quarters, const lac_rng *rng,
                   const float *odds, const uint16_t *limits, uint64_t first, uint64_t end) {
  const functions run = pick();
  const uint64_t counters = count_of(plan) / 8, limit = end * LAC_BITS_BLOCK;
  const uint64_t last = limit < counters ? limit : counters;
  uint64_t q = first * LAC_BITS_BLOCK, keys[20]; // of the ten rounds
  for (uint32_t i = 0; i < 10; i++) {
    keys[2 * i] = (uint32_t)rng->seed + i * 0x9E3779B9u;
    keys[2 * i + 1] = (uint32_t)(rng->seed >> 32) + i * 0xBB67AE85u;
  }
  for (; q + 32 <= last; q += 32) {
    uint64_t below[4], same[4];
    run.draw(rng, keys, rng->counter + q, limits + 2 * q, part_of(plan), below, same);
    put_drawn(plan, quarters, rng, odds, limits, q, below, same);
  }
  draw_few(plan, quarters, rng, odds, q, last);
  if (end == lac_bits_blocks(plan)) draw_rest(plan, quarters, rng, odds);
}

void lac_bits_compare(const lac_bits_plan *plan, uint16_t *quarters, const float *noise,
                      const float *odds, uint64_t first, uint64_t end) {
  const uint64_t part = part_of(plan), limit = end * 2 * LAC_BITS_BLOCK;
  const uint64_t last = limit < part ? limit : part;
  for (uint64_t j = 0; j < 4; j++)
    for (uint64_t q = first * 2 * LAC_BITS_BLOCK; q < last; q++)
      put_bit(quarters + j * plan->stride, q, noise[j * part + q] * odds[j * part + q] < 1.0f);
  for (uint64_t i = 4 * part; end == lac_bits_blocks(plan) && i < count_of(plan); i++)
    put_bit(quarters + 4 * plan->stride, i - 4 * part, noise[i] * odds[i] < 1.0f);
}

/* The quarter of element e, without a division: this runs for every 32 weights. */
static uint64_t quarter_of(uint64_t e, uint64_t part) {
  return (uint64_t)(e >= part) + (e >= 2 * part) + (e >= 3 * part) + (e >= 4 * part);
}

/* 32 bits from bit `shift` of the first word on; four words are read. */
static inline uint32_t read_words(const uint16_t *words, uint64_t shift) {
  uint64_t bits = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(&bits, words, sizeof bits);
#else
  for (uint32_t i = 0; i < 4; i++)
    bits |= (uint64_t)words[i] << 16 * i;
#endif
  return (uint32_t)(bits >> shift);
}

/* Bits of elements e .. e + 31; those past the last element are anything. */
static uint32_t read_bits(const lac_bits_plan *plan, const uint16_t *quarters, uint64_t e) {
  const uint64_t part = part_of(plan), j = quarter_of(e, part), q = e - j * part;
  const uint16_t *words = quarters + j * plan->stride + q / 16;
  if (j < 4 && q + 32 <= part) return read_words(words, q % 16);
  uint32_t bits = 0;
  for (uint32_t i = 0; i < 32 && e + i < count_of(plan); i++) {
    const uint64_t k = quarter_of(e + i, part), p = e + i - k * part;
    bits |= (uint32_t)(quarters[k * plan->stride + p / 16] >> p % 16 & 1u) << i;
  }
  return bits;
}

/* Exchange the blocks of j x j bits right of and below the diagonal; j is a constant. */
static inline __attribute__((always_inline)) void turn_blocks(uint32_t a[32], uint32_t j,
                                                              uint32_t mask) {
  UNROLL for (uint32_t top = 0; top < 32; top += 2 * j) {
    UNROLL for (uint32_t k = top; k < top + j; k++) {
      const uint32_t t = ((a[k] >> j) ^ a[k + j]) & mask;
      a[k] ^= t << j;
      a[k + j] ^= t;
    }
  }
}

/* a[r] bit c <-> a[c] bit r: Warren, "Hacker's Delight", 2nd edition, section 7-3 */
static void turn_block(uint32_t a[32]) {
  turn_blocks(a, 16, 0x0000FFFF);
  turn_blocks(a, 8, 0x00FF00FF);
  turn_blocks(a, 4, 0x0F0F0F0F);
  turn_blocks(a, 2, 0x33333333);
  turn_blocks(a, 1, 0x55555555);
}

#if defined(__x86_64__)
/*
 * The same by bytes: vectors of byte b of all rows, whose highest bits are a word of the result,
 * then the next highest.
 */
static __attribute__((target("avx2"))) void turn_block_avx2(uint32_t a[32]) {
  const __m256i by_byte = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0,
                                           4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m256i pairs = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  __m256i x[4], bytes[4]; // x: eight rows each, byte 0 of all, then byte 1, ...
  for (int i = 0; i < 4; i++) {
    x[i] = _mm256_loadu_si256((const __m256i *)(a + 8 * i));
    x[i] = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x[i], by_byte), pairs);
  }
  const __m256i even01 = _mm256_unpacklo_epi64(x[0], x[1]); // bytes 0 and 2 of rows 0 .. 15
  const __m256i even23 = _mm256_unpacklo_epi64(x[2], x[3]);
  const __m256i odd01 = _mm256_unpackhi_epi64(x[0], x[1]);
  const __m256i odd23 = _mm256_unpackhi_epi64(x[2], x[3]);
  bytes[0] = _mm256_permute2x128_si256(even01, even23, 0x20);
  bytes[1] = _mm256_permute2x128_si256(odd01, odd23, 0x20);
  bytes[2] = _mm256_permute2x128_si256(even01, even23, 0x31);
  bytes[3] = _mm256_permute2x128_si256(odd01, odd23, 0x31);
  for (int b = 0; b < 4; b++)
    for (int bit = 7; bit >= 0; bit--) {
      a[8 * b + bit] = (uint32_t)_mm256_movemask_epi8(bytes[b]);
      bytes[b] = _mm256_add_epi8(bytes[b], bytes[b]);
    }
}
#endif

typedef void (*turn_function)(uint32_t a[32]);

static turn_function pick_turn(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return turn_block_avx2;
#endif
  return turn_block;
}

/* The words of one row of a range, `gap` apart: to[panel * gap] has columns 32 panel and on, zeros
 * past the last. */
static void read_row(const lac_bits_plan *plan, const uint16_t *quarters, uint64_t e,
                     uint64_t width, uint32_t *to, uint64_t gap) {
  const uint64_t part = part_of(plan), j = quarter_of(e, part), q = e - j * part;
  const uint16_t *words = quarters + j * plan->stride + q / 16;
  const uint64_t left = j < 4 ? part - q : 0; // in the quarter
  uint64_t column = 0;
  for (; column + 32 <= width && column + 32 <= left; column += 32, words += 2, to += gap)
    *to = read_words(words, q % 16);
  for (; column < width; column += 32, to += gap) {
    const uint64_t bits = width - column;
    *to = read_bits(plan, quarters, e + column) & (bits < 32 ? (1u << bits) - 1 : UINT32_MAX);
  }
}

/* 32 rows from row0 on of a range */
static void order_rows(const lac_bits_plan *plan, turn_function turn, uint32_t *forward,
                       uint32_t *back, const uint16_t *quarters, uint32_t cut, uint64_t row0) {
  const uint64_t width = plan->width[cut], left = plan->rows - row0, rows = left < 32 ? left : 32;
  for (uint64_t r = 0; r < rows; r++)
    read_row(plan, quarters, (row0 + r) * plan->columns + plan->start[cut], width, back + row0 + r,
             plan->rows);
  for (uint64_t column = 0; column < width; column += 32) {
    const uint64_t columns = width - column < 32 ? width - column : 32;
    uint32_t block[32] = {0};
    memcpy(block, back + column / 32 * plan->rows + row0, rows * sizeof *block);
    turn(block);
    memcpy(forward + row0 / 32 * width + column, block, columns * sizeof *block);
  }
}

void lac_bits_order(const lac_bits_plan *plan, uint32_t *forward, uint32_t *back,
                    const uint16_t *quarters, uint64_t first, uint64_t end) {
  const turn_function turn = pick_turn();
  for (uint64_t p = first; p < end; p++)
    for (uint32_t cut = 0; cut < plan->cuts; cut++)
      order_rows(plan, turn, forward + plan->forward[cut], back + plan->back[cut], quarters, cut,
                 32 * p);
}
