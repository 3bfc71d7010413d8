/*
 * A product is cut into as many blocks of C as there are workers, and each worker calls OpenBLAS,
 * set to one thread, for its block; a batch is cut into products. What has so few multiplications
 * that waking a worker costs more is done by the caller alone.
 *
 * beta = 0 must not read C: BLAS promises it for gemm; for gemv, where implementations differ, the
 * block is cleared first.
 */
#include "gemm/blas.h"

#include <cblas.h>
#include <string.h>

typedef struct blas_job {
  const lac_gemm_args *g;
  const float *a, *b, *start;
  float *c;
  uint32_t down, across; // blocks of C per product
  uint32_t parts;
} blas_job;

static CBLAS_TRANSPOSE op(bool transposed) {
  return transposed ? CblasTrans : CblasNoTrans;
}

/* y = alpha * op(A) x + beta * y, A as stored [rows, cols]. */
static void multiply_vector(bool transposed, uint64_t rows, uint64_t cols, float alpha,
                            const float *a, uint64_t lda, const float *x, uint64_t x_step,
                            float beta, float *y, uint64_t y_step) {
  const uint64_t count = transposed ? cols : rows;
  if (beta == 0)
    for (uint64_t i = 0; i < count; i++)
      y[i * y_step] = 0;
  cblas_sgemv(CblasRowMajor, op(transposed), (int)rows, (int)cols, alpha, a, (int)lda, x,
              (int)x_step, beta, y, (int)y_step);
}

/* C[i0 .. i1, j0 .. j1] of one product whose matrices start at a, b and c; start as for
 * lac_blas_multiply(). */
static void multiply_block(const lac_gemm_args *g, const float *a, const float *b, float *c,
                           const float *start, uint64_t i0, uint64_t i1, uint64_t j0, uint64_t j1) {
  const uint64_t m = i1 - i0, n = j1 - j0, k = g->k, lda = g->a.ld, ldb = g->b.ld, ldc = g->c.ld;
  if (m == 0 || n == 0) return;
  a += g->trans_a ? i0 : i0 * lda;
  b += g->trans_b ? j0 * ldb : j0;
  c += i0 * ldc + j0;
  for (uint64_t i = 0; i < m && start; i++)
    memcpy(c + i * ldc, start + j0, n * sizeof *c);
  const float beta = start ? 1 : g->beta;
  if (m == 1) // c^T = op(B)^T a^T
    multiply_vector(!g->trans_b, g->trans_b ? n : k, g->trans_b ? k : n, g->alpha, b, ldb, a,
                    g->trans_a ? lda : 1, beta, c, 1);
  else if (n == 1)
    multiply_vector(g->trans_a, g->trans_a ? k : m, g->trans_a ? m : k, g->alpha, a, lda, b,
                    g->trans_b ? 1 : ldb, beta, c, ldc);
  else
    cblas_sgemm(CblasRowMajor, op(g->trans_a), op(g->trans_b), (int)m, (int)n, (int)k, g->alpha, a,
                (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

/* Where part i of `parts` starts in `size`, on a multiple of 16 so that no cache line has two
 * writers. */
static uint64_t cut(uint64_t size, uint32_t i, uint32_t parts) {
  return i == parts ? size : size * i / parts / 16 * 16;
}

/*
 * Blocks of one C for `workers`: the cut with the least work in its largest block, where a row or a
 * column costs about as much to bring into cache as EDGE multiplications per unit of k.
 */
static void choose_blocks(const lac_gemm_args *g, uint32_t workers, uint32_t *down,
                          uint32_t *across) {
  enum { EDGE = 8 };
  uint64_t best = UINT64_MAX;
  for (uint32_t d = 1; d <= workers; d++) {
    if (workers % d) continue;
    const uint64_t rows = (g->m + d - 1) / d, cols = (g->n + workers / d - 1) / (workers / d);
    const uint64_t rows16 = (rows + 15) / 16 * 16, cols16 = (cols + 15) / 16 * 16;
    // cuts lie on multiples of 16, so a block never gets smaller than that
    const uint64_t high = d == 1 ? g->m : rows16, wide = d == workers ? g->n : cols16;
    const uint64_t cost = high * wide + EDGE * (high + wide);
    if (cost >= best) continue;
    best = cost;
    *down = d;
    *across = workers / d;
  }
}

/* Products first .. end - 1 of the batch, or one block of one product. */
static void multiply_part(void *arg, uint32_t part) {
  const blas_job *job = arg;
  const lac_gemm_args *g = job->g;
  const uint32_t blocks = job->down * job->across, groups = job->parts / blocks;
  const uint32_t block = part % blocks, group = part / blocks;
  const uint32_t i = block / job->across, j = block % job->across;
  const uint64_t first = g->batch * group / groups, end = g->batch * (group + 1) / groups;
  for (uint64_t one = first; one < end; one++)
    multiply_block(g, job->a + one * g->stride_a, job->b + one * g->stride_b,
                   job->c + one * g->stride_c, job->start, cut(g->m, i, job->down),
                   cut(g->m, i + 1, job->down), cut(g->n, j, job->across),
                   cut(g->n, j + 1, job->across));
}

void lac_blas_multiply(lac_workers *workers, const lac_gemm_args *g, const float *a, const float *b,
                       float *c, const float *start) {
  blas_job job = {.g = g,
                  .a = a + g->a.offset,
                  .b = b + g->b.offset,
                  .c = c + g->c.offset,
                  .start = start ? start + g->start.offset : NULL};
  const uint32_t count = lac_workers_count(workers);
  job.down = job.across = job.parts = 1;
  if ((double)g->m * (double)g->n * (double)g->k * (double)g->batch >= LAC_ALONE_BELOW) {
    if (g->batch >= count) { // whole products; a few parts each even out late workers
      job.parts = g->batch < 4 * count ? (uint32_t)g->batch : 4 * count;
    } else {
      choose_blocks(g, (count + (uint32_t)g->batch - 1) / (uint32_t)g->batch, &job.down,
                    &job.across);
      job.parts = job.down * job.across * (uint32_t)g->batch;
    }
  }
  lac_workers_run(workers, multiply_part, &job, job.parts);
}

void lac_blas_prepare(void) {
  openblas_set_num_threads(1);
}
