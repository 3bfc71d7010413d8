/*
 * Products and packing run as native kernels in the device's queue, so they are in order with
 * everything else and see operands that earlier kernels are still computing when they are enqueued.
 */
#include "gemm/host.h"

#include "device/pool.h"
#include "gemm/blas.h"
#include "gemm/large.h"
#include "gemm/packed.h"

#include <stddef.h>

/* Most rows for which packed panels are faster than OpenBLAS, measured. */
enum { PACKED_ROWS_MAX = 64 };

/* Elements of x that one worker packs before another has come. */
enum { TAKE_ALONE_BELOW = 16384 };

/* What travels through the queue. */
typedef struct host_job {
  lac_gemm_args g;
  lac_workers *workers;
  float *a, *b, *c, *start;
  float *panels;   // packed weights
  float *room;     // packed x, see gemm/large for large products
  uint32_t *words; // their mask
  uint64_t first_word;
  bool masked;
  uint32_t parts;
} host_job;

static int bid(lac_device *device) {
  (void)device;
  return 100;
}

static lac_status probe(lac_device *device) {
  const lac_caps *caps = lac_device_caps(device);
  if (!caps->is_cpu || !(caps->native_kernels || caps->unified))
    return lac_fail(LAC_EUNSUPPORTED, "gemm: the host BLAS serves CPU devices, %s is a %s",
                    caps->name, caps->kind);
  lac_blas_prepare();
  return LAC_OK;
}

static void run_product(void *args) {
  const host_job *job = args;
  lac_blas_multiply(job->workers, &job->g, job->a, job->b, job->c, job->start);
}

static void run_large(void *args) {
  const host_job *job = args;
  const lac_large_memory at = {job->a, job->b, job->start, job->panels, job->c, job->room};
  lac_large_multiply(job->workers, &job->g, &at);
}

/* With packed weights, or NULL. */
static lac_status large_product(lac_device *device, const lac_gemm_args *g, lac_buffer *packed) {
  host_job job = {.g = *g};
  lac_buffer *room;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  const uint64_t floats = lac_large_room(g, lac_workers_count(job.workers), packed != NULL);
  LAC_TRY(lac_buffer_new(&room, device, floats * sizeof(float), "a product"));
  lac_buffer *const buffers[] = {g->a.buffer, packed ? packed : g->b.buffer, g->c.buffer, room,
                                 g->start.buffer};
  const size_t slots[] = {
      offsetof(host_job, a), packed ? offsetof(host_job, panels) : offsetof(host_job, b),
      offsetof(host_job, c), offsetof(host_job, room), offsetof(host_job, start)};
  const lac_status status = lac_device_native(device, "gemm large", run_large, &job, sizeof job,
                                              buffers, slots, g->start.buffer ? 5 : 4);
  lac_buffer_release(room);
  return status;
}

static lac_status product(lac_device *device, const lac_gemm_args *g) {
  host_job job = {.g = *g};
  if (lac_large_suits(g, false)) return large_product(device, g, NULL);
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  lac_buffer *const buffers[] = {g->a.buffer, g->b.buffer, g->c.buffer, g->start.buffer};
  static const size_t slots[] = {offsetof(host_job, a), offsetof(host_job, b),
                                 offsetof(host_job, c), offsetof(host_job, start)};
  return lac_device_native(device, "gemm host", run_product, &job, sizeof job, buffers, slots,
                           g->start.buffer ? 4 : 3);
}

/* The panels that belong to a part. */
static uint64_t panel_cut(const host_job *job, uint32_t part) {
  return lac_packed_panels(job->g.n) * part / job->parts;
}

static void fill_part(void *arg, uint32_t part) {
  const host_job *job = arg;
  const uint64_t ld = job->g.b.ld;
  lac_packed_fill(job->panels, job->b, job->g.trans_b ? ld : 1, job->g.trans_b ? 1 : ld, job->g.n,
                  job->g.k, panel_cut(job, part), panel_cut(job, part + 1));
}

static void run_prepare(void *args) {
  host_job *job = args;
  job->b += job->g.b.offset;
  job->parts = job->g.n * job->g.k < LAC_ALONE_BELOW ? 1 : 4 * lac_workers_count(job->workers);
  lac_workers_run(job->workers, fill_part, job, job->parts);
}

static lac_status prepare(lac_buffer **out, lac_device *device, const lac_matrix *b, bool trans_b,
                          uint64_t n, uint64_t k) {
  host_job job = {.g = {.trans_b = trans_b, .n = n, .k = k, .b = *b}};
  lac_buffer *panels;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  LAC_TRY(lac_buffer_new(&panels, device, lac_packed_panels(n) * LAC_PANEL * k * sizeof(float),
                         "packed weights"));
  lac_buffer *const buffers[] = {b->buffer, panels};
  static const size_t slots[] = {offsetof(host_job, b), offsetof(host_job, panels)};
  const lac_status status =
      lac_device_native(device, "gemm pack", run_prepare, &job, sizeof job, buffers, slots, 2);
  if (status != LAC_OK) {
    lac_buffer_release(panels);
    return status;
  }
  *out = panels;
  return LAC_OK;
}

static lac_packed_args packed_args(const host_job *job) {
  const lac_gemm_args *g = &job->g;
  return (lac_packed_args){.m = g->m,
                           .n = g->n,
                           .k = g->k,
                           .alpha = g->alpha,
                           .beta = g->beta,
                           .start = job->start,
                           .x = job->a,
                           .x_row = g->trans_a ? 1 : g->a.ld,
                           .x_col = g->trans_a ? g->a.ld : 1,
                           .room = job->room,
                           .panels = job->panels,
                           .panel_inputs = g->k,
                           .words = job->masked ? job->words + job->first_word : NULL,
                           .y = job->c,
                           .y_row = g->c.ld};
}

static void take_tiles(void *arg, uint32_t part) {
  const host_job *job = arg;
  const lac_packed_args p = packed_args(job);
  const uint64_t tiles = lac_packed_tiles(&p);
  lac_packed_take(&p, tiles * part / job->parts, tiles * (part + 1) / job->parts);
}

static void multiply_panels(void *arg, uint32_t part) {
  const host_job *job = arg;
  const lac_packed_args p = packed_args(job);
  lac_packed_product(&p, panel_cut(job, part), panel_cut(job, part + 1));
}

static void run_prepared(void *args) {
  host_job *job = args;
  const lac_gemm_args *g = &job->g;
  const bool alone = g->m * g->n * g->k < LAC_ALONE_BELOW;
  job->a += g->a.offset;
  job->c += g->c.offset;
  if (job->start) job->start += g->start.offset;
  const lac_packed_args p = packed_args(job);
  const uint64_t tiles = lac_packed_tiles(&p), pairs = (lac_packed_panels(g->n) + 1) / 2;
  job->parts = alone || g->m * g->k < TAKE_ALONE_BELOW ? 1 : (uint32_t)tiles;
  lac_workers_run(job->workers, take_tiles, job, job->parts);
  job->parts = alone ? 1 : (uint32_t)pairs;
  lac_workers_run(job->workers, multiply_panels, job, job->parts);
}

static lac_status product_prepared(lac_device *device, const lac_gemm_args *g, lac_buffer *prepared,
                                   const lac_words *mask) {
  if (!mask && g->m > PACKED_ROWS_MAX && lac_large_suits(g, true))
    return large_product(device, g, prepared);
  if (!mask && (g->m > PACKED_ROWS_MAX || g->batch > 1)) return product(device, g);
  host_job job = {.g = *g, .masked = mask != NULL, .first_word = mask ? mask->first : 0};
  lac_buffer *room;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  LAC_TRY(lac_buffer_new(&room, device, g->m * g->k * sizeof(float), "a product"));
  lac_buffer *buffers[6] = {g->a.buffer, prepared, room, g->c.buffer};
  size_t slots[6] = {offsetof(host_job, a), offsetof(host_job, panels), offsetof(host_job, room),
                     offsetof(host_job, c)};
  uint32_t count = 4;
  if (mask) {
    buffers[count] = mask->buffer;
    slots[count++] = offsetof(host_job, words);
  }
  if (g->start.buffer) {
    buffers[count] = g->start.buffer;
    slots[count++] = offsetof(host_job, start);
  }
  const lac_status status =
      lac_device_native(device, mask ? "gemm masked" : "gemm packed", run_prepared, &job,
                        sizeof job, buffers, slots, count);
  lac_buffer_release(room);
  return status;
}

const lac_gemm_provider lac_gemm_host = {.name = "host",
                                         .starts = true,
                                         .bid = bid,
                                         .probe = probe,
                                         .product = product,
                                         .prepare = prepare,
                                         .product_prepared = product_prepared};
