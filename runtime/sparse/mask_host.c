/*
 * A draw goes by BLOCK counters, whose 1 / sigmoid(logit), limits and bits stay in the first-level
 * cache.
 */
#include "sparse/mask_host.h"

#include "gemm/gemm.h"
#include "sparse/bits.h"

#include <stddef.h>
#include <string.h>

enum {
  BLOCK = 64,                           // counters: larger ones took up to 1.7 times as long
  GRADIENT_PART = 16384,                // elements
  BITS_ROOM = 5 * (2 * BLOCK / 16 + 4), // as lac_bits_words() of a block says
};

/* Where a gradient stands. */
typedef struct pass {
  float *gw, *glogit;
  const float *gy, *y, *w, *logit;
  float count;
  uint32_t flags;
} pass;

typedef struct loops {
  void (*make_odds)(float *odds, const float *logit, uint64_t n);
  void (*apply)(float *y, const float *w, const float *logit, const uint16_t *bits, uint64_t n);
  void (*add_gradient)(const pass *at, uint64_t n);
} loops;

#if defined(__x86_64__)
#include <immintrin.h>

typedef float vec16 __attribute__((vector_size(64)));
typedef uint32_t int16 __attribute__((vector_size(64)));
typedef float vec8 __attribute__((vector_size(32)));
typedef uint32_t int8 __attribute__((vector_size(32)));

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#define VEC vec16
#define INT int16
#define FMA(a, b, c) (vec16) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define ROUND(x) (vec16) _mm512_roundscale_ps((__m512)(x), 8)
#define TO_INT(x) (int16) _mm512_cvttps_epi32((__m512)(x))
#define MIN(a, b) (vec16) _mm512_min_ps((__m512)(a), (__m512)(b))
#define MAX(a, b) (vec16) _mm512_max_ps((__m512)(a), (__m512)(b))
#define CHOOSE(bits, a, b) (vec16) _mm512_mask_blend_ps((__mmask16)(bits), (__m512)(b), (__m512)(a))
#define SAME(a, b) _mm512_cmpeq_epi32_mask((__m512i)(a), (__m512i)(b))
#define BROKEN(x) _mm512_cmp_ps_mask((__m512)(x), (__m512)(x), _CMP_UNORD_Q)
#include "sparse/mask_host.inc"

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define VEC vec8
#define INT int8
#define FMA(a, b, c) (vec8) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define ROUND(x) (vec8) _mm256_round_ps((__m256)(x), 8)
#define TO_INT(x) (int8) _mm256_cvttps_epi32((__m256)(x))
#define MIN(a, b) (vec8) _mm256_min_ps((__m256)(a), (__m256)(b))
#define MAX(a, b) (vec8) _mm256_max_ps((__m256)(a), (__m256)(b))
#define LANE_BITS ((int8){1, 2, 4, 8, 16, 32, 64, 128})
#define CHOOSE(bits, a, b)                                                                         \
  (vec8) _mm256_blendv_ps((__m256)(b), (__m256)(a),                                                \
                          (__m256)(((((int8){0} + (uint32_t)(bits)) & LANE_BITS) != 0)))
#define SAME(a, b) _mm256_movemask_ps((__m256)((a) == (b)))
#define BROKEN(x) _mm256_movemask_ps(_mm256_cmp_ps((__m256)(x), (__m256)(x), _CMP_UNORD_Q))
#include "sparse/mask_host.inc"
#endif

/* NULL without instructions that pay. */
static const loops *pick_loops(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return &loops_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &loops_avx2;
#endif
  return NULL;
}

bool lac_mask_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

/* What travels through the queue for a draw. */
typedef struct draw_job {
  const loops *loops;
  lac_workers *workers;
  lac_rng rng;
  uint64_t n, counters, blocks; // counters: n / 8, two elements of a quarter each
  uint32_t pieces;
  uint64_t y_at, w_at, logit_at; // in elements
  float *y;
  const float *w, *logit;
} draw_job;

/* n of them; what does not fill a vector goes through room of its own. */
static void make_odds(const loops *run, float *odds, const float *logit, uint64_t n) {
  const uint64_t whole = n / 16 * 16, rest = n - whole;
  float from[16] = {0}, to[16];
  run->make_odds(odds, logit, whole);
  if (!rest) return;
  memcpy(from, logit + whole, rest * sizeof *from);
  run->make_odds(to, from, 16);
  memcpy(odds + whole, to, rest * sizeof *to);
}

static void apply_bits(const draw_job *job, const uint16_t *bits, uint64_t at, uint64_t n) {
  const uint64_t whole = n / 16 * 16, rest = n - whole;
  float w[16] = {0}, logit[16] = {0}, y[16];
  job->loops->apply(job->y + at, job->w + at, job->logit + at, bits, whole);
  if (!rest) return;
  memcpy(w, job->w + at + whole, rest * sizeof *w);
  memcpy(logit, job->logit + at + whole, rest * sizeof *logit);
  job->loops->apply(y, w, logit, bits + whole / 16, 16);
  memcpy(job->y + at + whole, y, rest * sizeof *y);
}

/* Counters of one block in all quarters, or behind all blocks what n % 8 leaves over. */
static void draw_block(const draw_job *job, uint64_t block) {
  uint16_t bits[BITS_ROOM] = {0}, limits[8 * BLOCK];
  float odds[8 * BLOCK];
  const uint64_t q = block * BLOCK, part = 2 * job->counters;
  const bool rest = q >= job->counters;
  const uint64_t left = job->counters - q, counters = left < BLOCK ? left : BLOCK;
  const uint64_t each = rest ? job->n % 8 : 2 * counters, first = rest ? 4 * part : 2 * q;
  const uint32_t quarters = rest ? 1 : 4;
  const lac_rng rng = {job->rng.seed, job->rng.stream,
                       job->rng.counter + (rest ? 2 * job->counters : q)};
  lac_bits_plan plan = {.rows = 1, .columns = quarters * each};
  lac_bits_lay_out(&plan);
  plan.lower = rest ? 0 : job->counters;
  for (uint64_t j = 0; j < quarters; j++)
    make_odds(job->loops, odds + j * each, job->logit + j * part + first, each);
  lac_bits_limits(limits, odds, plan.columns);
  lac_bits_draw(&plan, bits, &rng, odds, limits, 0, lac_bits_blocks(&plan));
  for (uint64_t j = 0; j < quarters; j++)
    apply_bits(job, bits + (rest ? 4 : j) * plan.stride, j * part + first, each);
}

static void draw_piece(void *arg, uint32_t piece) {
  const draw_job *job = arg;
  const uint64_t end = job->blocks * (piece + 1) / job->pieces;
  for (uint64_t block = job->blocks * piece / job->pieces; block < end; block++)
    draw_block(job, block);
}

static void run_draw(void *args) {
  draw_job *job = args;
  const uint64_t most = 8 * (uint64_t)lac_workers_count(job->workers);
  job->y += job->y_at;
  job->w += job->w_at;
  job->logit += job->logit_at;
  job->pieces = (uint32_t)(job->blocks < most ? job->blocks : most);
  lac_workers_run(job->workers, draw_piece, job, job->pieces);
}

lac_status lac_mask_host_draw(lac_tensor *y, const lac_tensor *w, const lac_tensor *logit,
                              const lac_rng *rng) {
  const uint64_t n = lac_tensor_numel(y);
  lac_device *device = lac_tensor_device(y);
  draw_job job = {.loops = pick_loops(),
                  .rng = *rng,
                  .n = n,
                  .counters = n / 8,
                  .blocks = (n / 8 + BLOCK - 1) / BLOCK + (n % 8 > 0),
                  .y_at = lac_tensor_offset(y),
                  .w_at = lac_tensor_offset(w),
                  .logit_at = lac_tensor_offset(logit)};
  lac_buffer *const buffers[] = {lac_tensor_buffer(y), lac_tensor_buffer(w),
                                 lac_tensor_buffer(logit)};
  static const size_t slots[] = {offsetof(draw_job, y), offsetof(draw_job, w),
                                 offsetof(draw_job, logit)};
  if (n == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  return lac_device_native(device, "mask draw", run_draw, &job, sizeof job, buffers, slots, 3);
}

/* What travels through the queue for a gradient. */
typedef struct gradient_job {
  const loops *loops;
  lac_workers *workers;
  uint64_t n;
  uint32_t flags;
  uint64_t gw_at, glogit_at, gy_at, y_at, w_at, logit_at, count_at; // in elements
  float *gw, *glogit;
  const float *gy, *y, *w, *logit, *count;
} gradient_job;

/* The last few elements, through room of their own. */
static void add_few(const loops *run, const pass *at, uint64_t n) {
  float gw[16] = {0}, glogit[16] = {0}, gy[16] = {0}, y[16] = {0}, w[16] = {0}, logit[16] = {0};
  const pass room = {gw, glogit, gy, y, w, logit, at->count, at->flags};
  const uint64_t bytes = n * sizeof(float);
  const bool with_w = at->flags & LAC_MASK_WANT_W, with_logit = at->flags & LAC_MASK_WANT_LOGIT;
  memcpy(gy, at->gy, bytes);
  memcpy(y, at->y, bytes);
  memcpy(w, at->w, bytes);
  memcpy(logit, at->logit, bytes);
  if (at->flags & LAC_MASK_ADD_W) memcpy(gw, at->gw, bytes);
  if (at->flags & LAC_MASK_ADD_LOGIT) memcpy(glogit, at->glogit, bytes);
  run->add_gradient(&room, 16);
  if (with_w) memcpy(at->gw, gw, bytes);
  if (with_logit) memcpy(at->glogit, glogit, bytes);
}

static void gradient_piece(void *arg, uint32_t piece) {
  const gradient_job *job = arg;
  const uint64_t first = (uint64_t)piece * GRADIENT_PART, left = job->n - first;
  const uint64_t n = left < GRADIENT_PART ? left : GRADIENT_PART, whole = n / 16 * 16;
  const float count = job->flags & LAC_MASK_COUNT ? job->count[job->count_at] : 0.0f;
  pass at = {job->gw + job->gw_at + first,
             job->glogit + job->glogit_at + first,
             job->gy + job->gy_at + first,
             job->y + job->y_at + first,
             job->w + job->w_at + first,
             job->logit + job->logit_at + first,
             count,
             job->flags};
  job->loops->add_gradient(&at, whole);
  if (whole == n) return;
  at = (pass){at.gw + whole, at.glogit + whole, at.gy + whole, at.y + whole,
              at.w + whole,  at.logit + whole,  count,         job->flags};
  add_few(job->loops, &at, n - whole);
}

static void run_gradient(void *args) {
  gradient_job *job = args;
  lac_workers_run(job->workers, gradient_piece, job,
                  (uint32_t)((job->n + GRADIENT_PART - 1) / GRADIENT_PART));
}

lac_status lac_mask_host_gradient(const lac_mask_gradient *g) {
  lac_device *device = lac_tensor_device(g->w);
  gradient_job job = {.loops = pick_loops(),
                      .n = lac_tensor_numel(g->w),
                      .flags = g->flags,
                      .gw_at = lac_tensor_offset(g->gw),
                      .glogit_at = lac_tensor_offset(g->glogit),
                      .gy_at = lac_tensor_offset(g->gy),
                      .y_at = lac_tensor_offset(g->y),
                      .w_at = lac_tensor_offset(g->w),
                      .logit_at = lac_tensor_offset(g->logit),
                      .count_at = lac_tensor_offset(g->count)};
  lac_buffer *const buffers[] = {lac_tensor_buffer(g->gw),   lac_tensor_buffer(g->glogit),
                                 lac_tensor_buffer(g->gy),   lac_tensor_buffer(g->y),
                                 lac_tensor_buffer(g->w),    lac_tensor_buffer(g->logit),
                                 lac_tensor_buffer(g->count)};
  static const size_t slots[] = {offsetof(gradient_job, gw),   offsetof(gradient_job, glogit),
                                 offsetof(gradient_job, gy),   offsetof(gradient_job, y),
                                 offsetof(gradient_job, w),    offsetof(gradient_job, logit),
                                 offsetof(gradient_job, count)};
  if (job.n == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  return lac_device_native(device, "mask gradient", run_gradient, &job, sizeof job, buffers, slots,
                           7);
}

typedef struct odds_job {
  const loops *loops;
  lac_workers *workers;
  uint64_t n, odds_at, logit_at; // in elements
  float *odds;
  const float *logit;
} odds_job;

static void odds_part(void *arg, uint32_t part) {
  const odds_job *job = arg;
  const uint64_t first = (uint64_t)part * GRADIENT_PART, left = job->n - first;
  make_odds(job->loops, job->odds + job->odds_at + first, job->logit + job->logit_at + first,
            left < GRADIENT_PART ? left : GRADIENT_PART);
}

static void run_odds(void *args) {
  odds_job *job = args;
  lac_workers_run(job->workers, odds_part, job,
                  (uint32_t)((job->n + GRADIENT_PART - 1) / GRADIENT_PART));
}

lac_status lac_mask_odds_host(lac_tensor *odds, const lac_tensor *logit) {
  static const size_t slots[] = {offsetof(odds_job, odds), offsetof(odds_job, logit)};
  odds_job job = {.loops = pick_loops(),
                  .n = lac_tensor_numel(odds),
                  .odds_at = lac_tensor_offset(odds),
                  .logit_at = lac_tensor_offset(logit)};
  lac_buffer *const buffers[] = {lac_tensor_buffer(odds), lac_tensor_buffer(logit)};
  if (job.n == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(lac_tensor_device(odds), &job.workers));
  return lac_device_native(lac_tensor_device(odds), "mask_odds", run_odds, &job, sizeof job,
                           buffers, slots, 2);
}
