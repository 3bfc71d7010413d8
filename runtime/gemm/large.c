/*
 * B becomes panels first, shared out between the workers. Then each worker takes blocks of rows of
 * C, the next one that is left, packs that block of A into a room of its own, DEEP inputs at a
 * time, and multiplies it by all panels: the block stays in the second-level cache, panels come by
 * from further away. What a block becomes does not depend on who computes it.
 */
#include "gemm/large.h"

#include "gemm/packed.h"

#include <stdatomic.h>

enum {
  DEEP = 1024,             // most inputs of a block at a time
  BLOCK = 52 * DEEP,       // floats of a block of A: 208 KiB
  ROWS = 128,              // fewest rows that repay packing B
  SIDE = 64,               // fewest columns, and inputs
  WIDE = 4096,             // most of them: OpenBLAS is as fast beyond
  ROOM_STEP = BLOCK + 256, // so that rooms share no cache line
};

typedef struct large_job {
  const lac_gemm_args *g;
  lac_large_memory at;
  float *panels; // to be filled
  uint64_t chunks;
  uint32_t blocks, parts;
  _Atomic uint32_t next; // block
} large_job;

bool lac_large_suits(const lac_gemm_args *g, bool packed) {
  if (!lac_packed_has(LAC_PACKED_AVX2) || g->batch != 1) return false;
  if (g->trans_a || g->m < (packed ? 1 : ROWS)) return false; // turning A costs what is gained
  return g->n >= SIDE && g->n <= WIDE && g->k >= SIDE && g->k <= WIDE;
}

static uint64_t panel_floats(const lac_gemm_args *g) {
  return lac_packed_panels(g->n) * LAC_PANEL * g->k;
}

uint64_t lac_large_room(const lac_gemm_args *g, uint32_t workers, bool packed) {
  return (packed ? 0 : panel_floats(g)) + (uint64_t)workers * ROOM_STEP;
}

static void fill_part(void *arg, uint32_t part) {
  const large_job *job = arg;
  const lac_gemm_args *g = job->g;
  const uint64_t panels = lac_packed_panels(g->n);
  lac_packed_fill(job->panels, job->at.b, g->trans_b ? g->b.ld : 1, g->trans_b ? 1 : g->b.ld, g->n,
                  g->k, panels * part / job->parts, panels * (part + 1) / job->parts);
}

static void multiply_block(const large_job *job, uint64_t block, float *room) {
  const lac_gemm_args *g = job->g;
  const uint64_t top = g->m * block / job->blocks, end = g->m * (block + 1) / job->blocks;
  const uint64_t x_row = g->trans_a ? 1 : g->a.ld, x_col = g->trans_a ? g->a.ld : 1;
  for (uint64_t chunk = 0; chunk < job->chunks; chunk++) {
    const uint64_t k0 = g->k * chunk / job->chunks;
    const lac_packed_args p = {.m = end - top,
                               .n = g->n,
                               .k = g->k * (chunk + 1) / job->chunks - k0,
                               .alpha = g->alpha,
                               .beta = chunk == 0 ? g->beta : 1,
                               .start = chunk == 0 ? job->at.start : NULL,
                               .x = job->at.a + top * x_row + k0 * x_col,
                               .x_row = x_row,
                               .x_col = x_col,
                               .room = room,
                               .panels = job->at.panels + k0 * LAC_PANEL,
                               .panel_inputs = g->k,
                               .y = job->at.c + top * g->c.ld,
                               .y_row = g->c.ld};
    lac_packed_take(&p, 0, lac_packed_tiles(&p));
    lac_packed_product(&p, 0, lac_packed_panels(g->n));
  }
}

static void multiply_part(void *arg, uint32_t part) {
  large_job *job = arg;
  float *room = job->at.room + (uint64_t)part * ROOM_STEP;
  uint32_t block;
  while ((block = atomic_fetch_add(&job->next, 1)) < job->blocks)
    multiply_block(job, block, room);
}

/* As many blocks for every worker, of rows that fit the room. */
static uint32_t count_blocks(const large_job *job, uint32_t workers) {
  const uint64_t deep = (job->g->k + job->chunks - 1) / job->chunks;
  const uint64_t most = BLOCK / deep < 2 * DEEP ? BLOCK / deep : 2 * DEEP;
  const uint64_t blocks = (job->g->m + most - 1) / most;
  return (uint32_t)((blocks + workers - 1) / workers * workers);
}

void lac_large_multiply(lac_workers *workers, const lac_gemm_args *g, const lac_large_memory *at) {
  const uint32_t count = lac_workers_count(workers);
  large_job job = {.g = g, .at = *at, .chunks = (g->k + DEEP - 1) / DEEP};
  job.blocks = count_blocks(&job, count);
  job.at.a += g->a.offset;
  job.at.c += g->c.offset;
  if (at->start) job.at.start += g->start.offset;
  if (!at->panels) {
    job.at.b += g->b.offset;
    job.panels = at->room + (uint64_t)count * ROOM_STEP;
    job.at.panels = job.panels;
    job.parts = 4 * count;
    lac_workers_run(workers, fill_part, &job, job.parts);
  }
  lac_workers_run(workers, multiply_part, &job, count);
}
