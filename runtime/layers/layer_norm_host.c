/* Threads take ROWS_EACH rows at a time, whatever their number, so sums over rows are always the
 * same. */
#include "layers/layer_norm_host.h"

#include "gemm/gemm.h"

#include <math.h>

enum { ROWS_EACH = 32, NORM_KEPT = 3 };
enum { Y, KEPT, X, GAIN, OFFSET, GY, GX, GGAIN, GOFFSET, PARTS, SLOTS };

/* What travels through the queue. */
typedef struct norm_job {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  uint64_t rows;
  uint32_t n, parts;
  float eps;
  bool published, fresh;
} norm_job;

typedef struct loops {
  void (*forward)(float *y, float *kept, const float *x, const float *gain, const float *offset,
                  uint32_t n, float eps, bool published);
  void (*backward)(float *gx, float *ggain, float *goffset, const float *gy, const float *x,
                   const float *gain, const float *kept, uint32_t n, bool fresh);
} loops;

#define BODY "layers/layer_norm_host.inc"
#include "core/vectors.inc"

bool lac_layer_norm_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static uint64_t end_of(const norm_job *job, uint32_t part) {
  const uint64_t end = ((uint64_t)part + 1) * ROWS_EACH;
  return end < job->rows ? end : job->rows;
}

static void forward_part(void *arg, uint32_t part) {
  const norm_job *job = arg;
  for (uint64_t r = (uint64_t)part * ROWS_EACH; r < end_of(job, part); r++)
    job->loops->forward(job->place[Y] + r * job->n, job->place[KEPT] + r * NORM_KEPT,
                        job->place[X] + r * job->n, job->place[GAIN], job->place[OFFSET], job->n,
                        job->eps, job->published);
}

static void backward_part(void *arg, uint32_t part) {
  const norm_job *job = arg;
  float *ggain = job->place[PARTS] + (uint64_t)part * 2 * job->n, *goffset = ggain + job->n;
  memset(ggain, 0, 2 * (size_t)job->n * sizeof *ggain);
  for (uint64_t r = (uint64_t)part * ROWS_EACH; r < end_of(job, part); r++)
    job->loops->backward(job->place[GX] ? job->place[GX] + r * job->n : NULL, ggain, goffset,
                         job->place[GY] + r * job->n, job->place[X] + r * job->n, job->place[GAIN],
                         job->place[KEPT] + r * NORM_KEPT, job->n, job->fresh);
}

/* to += the sums of all parts, which lie 2 n apart. */
static void add_parts(const norm_job *job, int slot, const float *from) {
  for (uint32_t p = 0; job->place[slot] && p < job->parts; p++, from += 2 * (size_t)job->n)
    for (uint32_t i = 0; i < job->n; i++)
      job->place[slot][i] += from[i];
}

static void find_places(norm_job *job) {
  for (int i = 0; i < SLOTS; i++)
    if (job->place[i]) job->place[i] += job->at[i];
}

static void run_forward(void *args) {
  norm_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, forward_part, job, job->parts);
}

static void run_backward(void *args) {
  norm_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, backward_part, job, job->parts);
  add_parts(job, GGAIN, job->place[PARTS]);
  add_parts(job, GOFFSET, job->place[PARTS] + job->n);
}

static norm_job make_job(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t n = shape->dim[shape->rank - 1], rows = n ? lac_tensor_numel(x) / n : 0;
  return (norm_job){.loops = pick_loops(),
                    .rows = rows,
                    .n = (uint32_t)n,
                    .parts = (uint32_t)((rows + ROWS_EACH - 1) / ROWS_EACH)};
}

static lac_status send(norm_job *job, const lac_norm_tensors *t, lac_tensor *parts,
                       const char *name, void (*run)(void *args)) {
  lac_device *device = lac_tensor_device(t->x);
  lac_tensor *const all[SLOTS] = {t->y,  t->kept, t->x,     t->gain,    t->offset,
                                  t->gy, t->gx,   t->ggain, t->goffset, parts};
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  if (job->parts == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  for (int i = 0; i < SLOTS; i++) {
    if (!all[i]) continue;
    job->at[i] = lac_tensor_offset(all[i]);
    buffers[count] = lac_tensor_buffer(all[i]);
    slots[count++] = offsetof(norm_job, place) + (size_t)i * sizeof job->place[0];
  }
  return lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
}

lac_status lac_layer_norm_host_forward(const lac_norm_tensors *t, float eps,
                                       lac_layer_norm_form form) {
  norm_job job = make_job(t->x);
  job.eps = eps;
  job.published = form == LAC_NORM_PUBLISHED;
  return send(&job, t, NULL, "layer norm", run_forward);
}

lac_status lac_layer_norm_host_backward(const lac_norm_tensors *t, bool fresh) {
  norm_job job = make_job(t->x);
  const lac_shape shape = {3, {job.parts, 2, job.n}};
  lac_tensor *parts;
  job.fresh = fresh;
  LAC_TRY(lac_tensor_new(&parts, lac_tensor_device(t->x), LAC_F32, &shape));
  const lac_status status = send(&job, t, parts, "layer norm gradient", run_backward);
  lac_tensor_release(parts);
  return status;
}
